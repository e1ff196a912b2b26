"""Unknown fields reject the envelope where they may change its meaning, and are reported elsewhere."""

from collections.abc import Callable

import pytest
from google.protobuf.message import Message

from intercomd.v1.attribute_pb2 import Attribute, AttributeValue
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CustomEvent
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.unknown_fields import unknown_in_envelope, unknown_in_request

Brief = Callable[[list[Finding]], list[tuple[str, str]]]


def field(number: int) -> bytes:
    """Returns field `number` with the varint 1."""
    tag, encoded = number << 3, b""
    while tag > 127:
        encoded, tag = encoded + bytes([tag & 127 | 128]), tag >> 7
    return encoded + bytes([tag, 1])


def newer(message: Message, *numbers: int) -> Message:
    """Returns the message with fields of a later release."""
    return type(message).FromString(message.SerializeToString() + b"".join(map(field, numbers)))


@pytest.mark.parametrize(
    ("message", "violations", "adjustments"),
    [
        (Envelope(identity=Identity(customer_id="u")), [], []),
        (newer(Envelope(), 14), [("UNSUPPORTED_FIELD", "")], []),
        (newer(Envelope(), 99, 99, 20), [("UNSUPPORTED_FIELD", ""), ("UNSUPPORTED_FIELD", "")], []),
        (newer(Envelope(), 101), [], [("FIELD_IGNORED", "")]),
        (Envelope(identity=newer(Identity(), 3)), [("UNSUPPORTED_FIELD", "identity")], []),
        (Envelope(identity=newer(Identity(), 200)), [], [("FIELD_IGNORED", "identity")]),
        (Envelope(custom_event=newer(CustomEvent(), 9)), [], [("FIELD_IGNORED", "custom_event")]),
        (
            Envelope(
                user_attributes=[Attribute(), Attribute(value=newer(AttributeValue(), 15))],
                custom_event=CustomEvent(attributes=[newer(Attribute(), 3)]),
            ),
            [],
            [("FIELD_IGNORED", "user_attributes[1].value"), ("FIELD_IGNORED", "custom_event.attributes[0]")],
        ),
    ],
)
def test_unknown_field_below_100_in_envelope_or_identity_is_rejected(
    message: Envelope,
    violations: list[tuple[str, str]],
    adjustments: list[tuple[str, str]],
    found: Findings,
    brief: Brief,
) -> None:
    unknown_in_envelope(message, found)
    assert (brief(found.violations), brief(found.adjustments)) == (violations, adjustments)


def test_unknown_fields_of_a_request_are_listed_once_each() -> None:
    findings = unknown_in_request(newer(PublishRequest(request_id="r"), 9, 9, 10), 10)
    assert [(finding.reason, finding.field) for finding in findings] == [("FIELD_IGNORED", "")] * 2
    assert unknown_in_request(PublishRequest(request_id="r"), 3) == ()


@pytest.mark.fills("ingest.limits.UNKNOWN_FIELDS_LISTED_MAX")
def test_rejecting_fields_are_found_among_any_number_of_others(found: Findings) -> None:
    numbers = range(100, 1000)
    message = newer(Envelope(identity=newer(Identity(), *numbers, 3)), *numbers, 50)
    unknown_in_envelope(message, found)
    assert [(finding.reason, finding.field) for finding in found.violations] == [
        ("UNSUPPORTED_FIELD", ""),
        ("UNSUPPORTED_FIELD", "identity"),
    ]
    assert [finding.reason for finding in found.adjustments] == ["FIELD_IGNORED"] * 101
    assert "more than 100" in found.adjustments[-1].message


def test_undecoded_attributes_are_not_searched(found: Findings) -> None:
    """500 attributes of the user, 100 of an event."""
    odd = newer(Attribute(), 9)
    message = Envelope(
        user_attributes=[*[Attribute()] * 500, odd], custom_event=CustomEvent(attributes=[*[Attribute()] * 100, odd])
    )
    unknown_in_envelope(message, found)
    assert found.adjustments == []
