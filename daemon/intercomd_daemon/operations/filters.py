"""Validates callers' filters and converts them to the spool's filters.

Pure. A blank value is refused rather than taken for "all": a filter may discard every dead letter that it matches.
"""

from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1 import operations_pb2
from intercomd_daemon.envelope import GIVEN_ID_BYTES_MAX
from intercomd_daemon.errors import RequestRefused, quoted
from intercomd_daemon.spool.rows import DeadLetterFilter, OutcomeFilter
from intercomd_daemon.spool.trail import TrailFilter

IDS_MAX = 1000
"""Dead letters or envelopes named in one filter, as documented in operations.proto."""
_ID_MAX = (1 << 63) - 1
_ID_DIGITS_MAX = 19
_NANOS = 1_000_000_000


def outcome_filter(message: operations_pb2.OutcomeFilter) -> OutcomeFilter:
    """Converts a filter of outcomes.

    Raises:
        RequestRefused: a field is out of its range.
    """
    return OutcomeFilter(
        connection=message.connection,
        envelope_id=message.envelope_id,
        customer_id=_identity("customer_id", message.customer_id),
        email=_identity("email", message.email).lower(),
        types=tuple(message.types),
    )


def trail_filter(message: operations_pb2.ListTrailRequest) -> TrailFilter:
    """Converts the request of a trail.

    Raises:
        RequestRefused: a field is out of its range, or names neither a user nor an envelope.
    """
    wanted = TrailFilter(
        connection=message.connection,
        envelope_id=envelope_id_of(message.envelope_id) if message.envelope_id else "",
        customer_id=_identity("customer_id", message.customer_id, ""),
        email=_identity("email", message.email, "").lower(),
    )
    if not (wanted.envelope_id or wanted.customer_id or wanted.email):
        raise RequestRefused("customer_id", "no user or envelope: set customer_id, email or envelope_id")
    return wanted


def dead_letter_filter(message: operations_pb2.DeadLetterFilter) -> DeadLetterFilter:
    """Converts a filter of dead letters.

    Raises:
        RequestRefused: a field is out of its range.
    """
    for name, ids in (("dead_letter_ids", message.dead_letter_ids), ("envelope_ids", message.envelope_ids)):
        if len(ids) > IDS_MAX:
            raise RequestRefused(
                f"filter.{name}",
                f"filter.{name} has {len(ids)} ids, limit {IDS_MAX}: split the filter into several calls",
            )
    accepted_from = _moment("accept_time_from", message.accept_time_from, message.HasField("accept_time_from"))
    accepted_to = _moment("accept_time_to", message.accept_time_to, message.HasField("accept_time_to"))
    if accepted_to and accepted_from >= accepted_to:
        raise RequestRefused(
            "filter.accept_time_to", "filter.accept_time_to is not after accept_time_from: swap or correct them"
        )
    return DeadLetterFilter(
        connection=message.connection,
        dead_letter_ids=tuple(_dead_letter_id(place, text) for place, text in enumerate(message.dead_letter_ids)),
        envelope_ids=tuple(message.envelope_ids),
        customer_id=_identity("customer_id", message.customer_id),
        email=_identity("email", message.email).lower(),
        reason=message.reason,
        accept_time_from=accepted_from,
        accept_time_to=accepted_to,
    )


def envelope_id_of(text: str) -> str:
    """Returns the envelope id of a request.

    Raises:
        RequestRefused: it is empty or too long.
    """
    if not text or len(text.encode()) > GIVEN_ID_BYTES_MAX:
        raise RequestRefused(
            "envelope_id", f"envelope_id has {len(text.encode())} bytes: expected 1 to {GIVEN_ID_BYTES_MAX}"
        )
    return text


def _identity(name: str, text: str, prefix: str = "filter.") -> str:
    """Returns the text trimmed, as identities are on acceptance."""
    trimmed = text.strip()
    if text and not trimmed:
        raise RequestRefused(f"{prefix}{name}", f"{prefix}{name} is blank: leave it out to match everyone")
    return trimmed


def _dead_letter_id(place: int, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > _ID_DIGITS_MAX or int(text) > _ID_MAX:
        field = f"filter.dead_letter_ids[{place}]"
        raise RequestRefused(field, f"{field}: invalid dead letter id {quoted(text)}, expected a number")
    return int(text)


def _moment(name: str, time: Timestamp, given: bool) -> float:
    """Returns Unix seconds; 0.0 for no bound."""
    if not given:
        return 0.0
    if time.seconds <= 0 or not 0 <= time.nanos < _NANOS:
        raise RequestRefused(f"filter.{name}", f"filter.{name} is not a time after 1970: leave it out for no bound")
    return time.seconds + time.nanos / _NANOS
