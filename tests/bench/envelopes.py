"""What the rows send: one kind of envelope, about 300 bytes, each with an id of its own that rises with time.

A user, two attributes of his, an event with four attributes. Envelope n is the same in every process.
"""

from collections.abc import Sequence
from functools import cache

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CustomEvent
from intercomd.values import Value, attributes

NOON = 1_750_000_000
"""Unix seconds of a day that is over, so that no clock moves an event."""
USERS = 10_000
KINDS = 100
"""Of what users do, and are."""
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
    """Whose envelope it is."""
    return f"user-{number * _STRIDE % users:06d}"


def metadata_of(number: int) -> dict[str, Value]:
    """What the event of envelope n says: two texts, a number, a truth."""
    kind = number % KINDS
    return {"title": f"How to measure {kind}", "section": "guides", "seconds": kind, "first": True}


def created_at_of(number: int, users: int) -> int:
    """Unix seconds; each user's events a second apart."""
    return NOON + number // users


@cache
def _event(kind: int) -> CustomEvent:
    return CustomEvent(name=EVENT, attributes=attributes(metadata_of(kind)))


@cache
def _draft(kind: int) -> Envelope:
    """What envelopes of a kind have in common: making each from the ground up would take longer than sending it."""
    return Envelope(user_attributes=attributes({"plan": "team", "seats": kind}), custom_event=_event(kind))


def envelope(number: int) -> Envelope:
    """Envelope n: a user, two attributes of his, an event."""
    made = Envelope()
    made.CopyFrom(_draft(number % KINDS))
    made.envelope_id = envelope_id(number)
    made.identity.customer_id = user_of(number)
    made.identity.email = f"{made.identity.customer_id}@example.com"
    made.event_time.seconds = created_at_of(number, 1000)
    return made


def event_alone(number: int, users: int) -> Envelope:
    """Envelope n with nothing but the event, so that it is one call."""
    made = Envelope(custom_event=_event(number % KINDS))
    made.envelope_id = envelope_id(number)
    made.identity.customer_id = user_of(number, users)
    made.event_time.seconds = created_at_of(number, users)
    return made


def batches(first: int, count: int, size: int) -> list[Sequence[Envelope]]:
    """So many batches of so many envelopes, from envelope `first` on."""
    return [[envelope(number) for number in range(at, at + size)] for at in range(first, first + count * size, size)]
