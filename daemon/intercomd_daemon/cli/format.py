"""Formats counts, sizes, times and untrusted text for people."""

from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

_SIZE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_DURATION_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_TEXT_CHARACTERS_MAX = 200


def quantity(number: int, noun: str, plural: str = "") -> str:
    """Returns a number with its noun: `1 envelope`, `12,034 envelopes`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def byte_size(count: float) -> str:
    """Returns a number of bytes in the unit that keeps it below 1,024: `8.1 MiB`."""
    for unit in _SIZE_UNITS[:-1]:
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} {_SIZE_UNITS[-1]}"


def percentage(ratio: float) -> str:
    """Returns a ratio in per cent: `50.0%`. A ratio above zero never becomes `0%`."""
    if not ratio:
        return "0%"
    return f"{ratio:.1%}" if ratio >= 0.001 else "<0.1%"


def duration(seconds: float) -> str:
    """Returns a duration in its largest unit: `250 ms`, `12 s`, `3 min`, `2.5 h`, `4 d`."""
    for unit_seconds, unit in _DURATION_UNITS:
        if seconds >= unit_seconds:
            return f"{seconds / unit_seconds:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 or not seconds else f"{seconds * 1000:.0f} ms"


def duration_of(message: Duration) -> str:
    """Returns a protobuf Duration in its largest unit."""
    return duration(message.seconds + message.nanos / 1e9)


def timestamp(time: Timestamp) -> str:
    """Returns a time as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(time.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def printable(text: str, characters_max: int | None = _TEXT_CHARACTERS_MAX) -> str:
    """Returns untrusted text in one line, with control characters escaped, and cut at `characters_max` characters.

    Text from senders and from Intercom could otherwise hold escape sequences, which a terminal obeys.
    """
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
    return shown if characters_max is None or len(shown) <= characters_max else shown[: characters_max - 1] + "…"
