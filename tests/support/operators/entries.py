"""Makes entries of the trail, one second of time after the other."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CustomEvent
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.operations_pb2 import Refusal, TrailEntry, WaitingEnvelope

START_SECONDS = 1_700_000_000
ANN = Identity(customer_id="ann")
CONTACT = outcome_pb2.Effect(
    kind=outcome_pb2.EFFECT_KIND_CONTACT, type=outcome_pb2.OUTCOME_TYPE_DELIVERED, http_status=200, attempts=2
)
EVENT = outcome_pb2.Effect(
    kind=outcome_pb2.EFFECT_KIND_EVENT,
    event_name="paid",
    event_time=Timestamp(seconds=START_SECONDS),
    type=outcome_pb2.OUTCOME_TYPE_DELIVERED,
    http_status=202,
    attempts=1,
)
REFUSED = outcome_pb2.Effect(
    kind=outcome_pb2.EFFECT_KIND_EVENT,
    event_name="paid",
    event_time=Timestamp(seconds=START_SECONDS),
    type=outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED,
    reason="TOO_LARGE",
    http_status=413,
    intercom_request_id="req-9",
    attempts=1,
)
REJECTION = ingest_pb2.Violation(
    reason="PLACEHOLDER_ID", field="identity.customer_id", message="'null' is a placeholder: set the user's id"
)


def at(seconds: int) -> Timestamp:
    """Returns a time, counted from a start."""
    return Timestamp(seconds=START_SECONDS + seconds)


def waiting(envelope_id: str, accepted: int, reason: str = "PAUSED", **fields: Any) -> TrailEntry:  # noqa: ANN401 - of the message
    """Returns a waiting envelope with the event "later"."""
    envelope = Envelope(envelope_id=envelope_id, identity=ANN, custom_event=CustomEvent(name="later"))
    held = {"envelope": envelope, "accept_time": at(accepted), "reason": reason, "connection": "default"}
    return TrailEntry(time=at(accepted), waiting=WaitingEnvelope(**(held | fields)))


def ended(
    envelope_id: str,
    accepted: int,
    end: outcome_pb2.OutcomeType.ValueType,
    *effects: outcome_pb2.Effect,
    dead_letter_id: str = "",
    **fields: Any,  # noqa: ANN401 - of the message
) -> TrailEntry:
    """Returns an outcome, 60 s after the acceptance."""
    held = {"connection": "default", "identity": ANN, "accept_time": at(accepted), "end_time": at(accepted + 60)}
    outcome = outcome_pb2.Outcome(envelope_id=envelope_id, type=end, effects=effects, **(held | fields))
    return TrailEntry(time=outcome.end_time, outcome=outcome, dead_letter_id=dead_letter_id)


def refused(
    envelope_id: str,
    seconds: int,
    *violations: ingest_pb2.Violation,
    disposition: ingest_pb2.Disposition.ValueType = ingest_pb2.DISPOSITION_REJECTED,
    **fields: Any,  # noqa: ANN401 - of the message
) -> TrailEntry:
    """Returns a rejected or skipped envelope."""
    held = {"connection": "default", "identity": ANN, "violations": violations or (REJECTION,)}
    refusal = Refusal(envelope_id=envelope_id, disposition=disposition, **(held | fields))
    return TrailEntry(time=at(seconds), refusal=refusal)
