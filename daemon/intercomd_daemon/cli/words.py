"""Numbers, sizes and times as a person reads them, and text from elsewhere that may not steer a terminal. Pure."""

from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_TEXT_CHARACTERS_MAX = 200


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 envelope`, `12,034 envelopes`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size(count: float) -> str:
    """Bytes with the unit that keeps them below 1,024: `8.1 MiB`."""
    for unit in _SIZES[:-1]:
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} {_SIZES[-1]}"


def share(part: float) -> str:
    """A part of a whole in per cent; one that is not nothing is never shown as nothing."""
    if not part:
        return "0%"
    return f"{part:.1%}" if part >= 0.001 else "<0.1%"


def span(seconds: float) -> str:
    """A time span in its largest unit: `250 ms`, `12 s`, `3 min`, `2.5 h`, `4 d`."""
    for length, unit in _SPANS:
        if seconds >= length:
            return f"{seconds / length:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 or not seconds else f"{seconds * 1000:.0f} ms"


def span_of(duration: Duration) -> str:
    """The same for a message."""
    return span(duration.seconds + duration.nanos / 1e9)


def moment(time: Timestamp) -> str:
    """RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(time.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(text: str, characters_max: int | None = _TEXT_CHARACTERS_MAX) -> str:
    """Text from elsewhere in one line: what a terminal would obey is shown as escapes, a long end is cut."""
    shown = "".join(character if character.isprintable() else _escaped(character) for character in text)
    return shown if characters_max is None or len(shown) <= characters_max else shown[: characters_max - 1] + "…"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
