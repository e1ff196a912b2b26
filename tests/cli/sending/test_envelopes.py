"""From a line to an envelope, or to the reason why it is none."""

import pytest

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.identity_pb2 import Identity
from intercomd_daemon.cli.sending.envelopes import Unreadable, read_envelope

ADA = Envelope(identity=Identity(customer_id="42"))


@pytest.mark.parametrize(
    "text",
    [
        b'{"identity":{"customer_id":"42"}}',
        b'{"identity":{"customerId":"42"}}',
        b'\xef\xbb\xbf{"identity" : {"customer_id" : "42"} }',
    ],
)
def test_both_ways_of_writing_names_are_read(text: bytes) -> None:
    assert read_envelope(text) == ADA


REASONS = (
    (None, "longer than 1.0 MiB"),
    (b"\xff\xfe", "byte 0 is not UTF-8"),
    (b"[1]", "not a JSON object"),
    (b'{"identity":', "not JSON: Expecting value at character 13"),
    (b'{"identity":{}}{}', "not JSON: Extra data at character 16"),
    (b'{"nobody":1}', 'no field named "nobody"'),
    (b'{"identity":{"customer_id":42}}', "Failed to parse customer_id field"),
    (b'{"event_time":"yesterday"}', "Failed to parse event_time field"),
    (b'{"source":"SOURCE_MARS"}', "Invalid enum value SOURCE_MARS"),
    (b'{"custom_event":{},"other_event":{}}', 'multiple "event" oneof fields'),
    (b'{"identity":{},"identity":{}}', "duplicate key identity"),
    (b'{"a":' + 100_000 * b"[", "nested deeper"),
)


@pytest.mark.parametrize(("text", "reason"), REASONS, ids=[reason for _, reason in REASONS])
def test_the_reason_is_one_line(text: bytes | None, reason: str) -> None:
    with pytest.raises(Unreadable) as error:
        read_envelope(text)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
