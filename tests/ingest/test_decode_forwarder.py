"""The forwarder of a request, and what it may add to envelopes."""

import pytest

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import Forwarder as ForwarderMessage
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.ingest.decode import decode_publish
from intercomd_daemon.ingest.decoded import DecodedEnvelope, DecodedRequest, Forwarder
from intercomd_daemon.ingest.limits import AGENT_ID_BYTES_MAX, ENVELOPE_BYTES_MAX, FORWARDED_BYTES_MAX
from intercomd_daemon.ingest.settings import IngestSettings

AGENT = ForwarderMessage(agent_id="agent-1", sequence=7, spool_id="spool-1")


def decoded(envelope: Envelope, forwarder: ForwarderMessage | None) -> DecodedRequest:
    message = PublishRequest(envelopes=[envelope], forwarder=forwarder)
    return decode_publish(message.SerializeToString(), IngestSettings(), lambda: "made-here")


def one(envelope: Envelope, forwarder: ForwarderMessage | None = AGENT) -> DecodedEnvelope:
    return next(iter(decoded(envelope, forwarder).envelopes))


def of_size(size: int) -> Envelope:
    envelope = Envelope(removed_user_attributes=["x" * (size - 4)])
    assert envelope.ByteSize() == size
    return envelope


def test_forwarder_is_decoded() -> None:
    assert decoded(Envelope(), AGENT).forwarder == Forwarder("agent-1", 7, "spool-1")


@pytest.mark.parametrize("absent", [None, ForwarderMessage()])
def test_request_of_a_sender_has_none(absent: ForwarderMessage | None) -> None:
    assert decoded(Envelope(), absent).forwarder is None


@pytest.mark.parametrize(
    ("forwarder", "field"),
    [
        (ForwarderMessage(sequence=1), "forwarder.agent_id"),
        (ForwarderMessage(agent_id="a" * (AGENT_ID_BYTES_MAX + 1), sequence=1), "forwarder.agent_id"),
        (ForwarderMessage(agent_id="a"), "forwarder.sequence"),
        (ForwarderMessage(agent_id="a", sequence=-1), "forwarder.sequence"),
    ],
)
def test_malformed_forwarder_is_refused(forwarder: ForwarderMessage, field: str) -> None:
    with pytest.raises(RequestRefused) as error:
        decoded(Envelope(), forwarder)
    assert error.value.field == field


def test_forwarded_envelope_may_be_larger_by_what_an_agent_adds() -> None:
    size = ENVELOPE_BYTES_MAX + FORWARDED_BYTES_MAX
    assert one(of_size(size)).violations == ()
    for envelope in (one(of_size(size + 1)), one(of_size(ENVELOPE_BYTES_MAX + 1), None)):
        assert [each.reason for each in envelope.violations] == ["ENVELOPE_TOO_LARGE"]


def test_id_that_an_agent_gave_may_be_longer() -> None:
    given = "r" * 128 + "/499"
    assert not one(Envelope(envelope_id=given)).has_own_id
    assert one(Envelope(envelope_id=given), None).has_own_id
    assert one(Envelope(envelope_id=given + "00")).has_own_id
