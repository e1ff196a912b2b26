"""Decides an envelope by the daemon's rules, without a daemon."""

from intercomd import Envelope
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.decision import Decision
from intercomd_daemon.ingest.decode import decode_publish
from intercomd_daemon.ingest.settings import IngestSettings

RULES = {"default": ConnectionSettings(name="default")}


def decided(envelope: Envelope, now: float) -> Decision:
    """Returns the decision about an envelope under the default settings."""
    request = decode_publish(PublishRequest(envelopes=[envelope]).SerializeToString(), IngestSettings(), lambda: "made")
    (sent,) = request.envelopes
    return decide(sent, RULES, now)


def stored(given: Decision) -> dict[str, object]:
    """Returns the contact fields that an accepted envelope sets, as Intercom stores them."""
    assert given.accepted is not None
    fields: dict[str, object] = dict(given.accepted.contact_update.attributes) if given.accepted.contact_update else {}
    names = [fields.pop(part) for part in ("$first_name", "$last_name") if part in fields]
    return fields | ({"name": " ".join(map(str, names))} if names else {})
