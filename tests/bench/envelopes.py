"""The envelopes that the rows send, with time-ordered ids; envelope n is the same in every process.

Most rows send envelopes of about 300 bytes: a user with two attributes and an event with four. Wide ones have five and
five, in 272 bytes.
"""

from collections.abc import Iterator, Sequence
from functools import cache

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CustomEvent
from intercomd.values import Value, attributes

NOON = 1_750_000_000
"""Unix seconds in the past, so that no event time is clamped."""
USERS = 10_000
KINDS = 100
"""Event names and plans."""
EVENT = "Article read"
_MILLISECOND = NOON * 1000
# Numbers without a common factor with the counts of users, so that neighbours in the log are different users.
_STRIDE = 7_919


def envelope_id(number: int) -> str:
    """A UUIDv7: the milliseconds of a clock that moves on every 20 ids, a counter, and bits that look random."""
    random = number * 0x9E3779B97F4A7C15 & 0xFFFFFFFF
    high = (_MILLISECOND + number // 20) << 16 | 0x7000 | number % 20
    text = f"{high << 64 | 1 << 63 | random:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def user_of(number: int, users: int = USERS) -> str:
    """Returns the user of envelope n."""
    return f"user-{number * _STRIDE % users:06d}"


def metadata_of(number: int) -> dict[str, Value]:
    """Returns the event's attributes: two texts, a number, a boolean."""
    kind = number % KINDS
    return {"title": f"How to measure {kind}", "section": "guides", "seconds": kind, "first": True}


def created_at_of(number: int, users: int) -> int:
    """Returns the event time in Unix seconds; each user's events are one second apart."""
    return NOON + number // users


@cache
def _event(kind: int) -> CustomEvent:
    return CustomEvent(name=EVENT, attributes=attributes(metadata_of(kind)))


@cache
def _draft(kind: int) -> Envelope:
    """Returns the common part of all envelopes: building each one from scratch would take longer than sending it."""
    return Envelope(user_attributes=attributes({"plan": "team", "seats": kind}), custom_event=_event(kind))


def envelope(number: int) -> Envelope:
    """Returns envelope n: a user, two attributes and an event."""
    made = Envelope()
    made.CopyFrom(_draft(number % KINDS))
    made.envelope_id = envelope_id(number)
    made.identity.customer_id = user_of(number)
    made.identity.email = f"{made.identity.customer_id}@example.com"
    made.event_time.seconds = created_at_of(number, 1000)
    return made


def event_alone(number: int, users: int) -> Envelope:
    """Returns envelope n with only the event, so that it takes one call."""
    made = Envelope(custom_event=_event(number % KINDS))
    made.envelope_id = envelope_id(number)
    made.identity.customer_id = user_of(number, users)
    made.event_time.seconds = created_at_of(number, users)
    return made


def batches(first: int, count: int, size: int) -> list[Sequence[Envelope]]:
    """Returns encoded batches of envelopes, from envelope `first` on."""
    return [[envelope(number) for number in range(at, at + size)] for at in range(first, first + count * size, size)]


@cache
def _wide_draft(kind: int) -> Envelope:
    user: dict[str, Value] = {"plan": "team", "seats": kind, "city": "Oslo", "language": "en", "trial": True}
    event: dict[str, Value] = {
        "title": f"How to begin {kind:03d}",
        "section": "guide",
        "seconds": kind,
        "first": True,
        "source": "app",
    }
    return Envelope(
        user_attributes=attributes(user), custom_event=CustomEvent(name=EVENT, attributes=attributes(event))
    )


def wide_envelope(number: int) -> Envelope:
    """Returns envelope n with a user, five attributes, and an event with five."""
    made = Envelope()
    made.CopyFrom(_wide_draft(number % KINDS))
    made.envelope_id = envelope_id(number)
    made.identity.customer_id = user_of(number)
    made.identity.email = f"{made.identity.customer_id}@example.com"
    made.event_time.seconds = created_at_of(number, 1000)
    return made


def wide_batches(first: int, count: int, size: int) -> Iterator[list[Envelope]]:
    """Returns `count` batches of wide envelopes, from envelope `first` on."""
    return (
        [wide_envelope(number) for number in range(at, at + size)] for at in range(first, first + count * size, size)
    )
