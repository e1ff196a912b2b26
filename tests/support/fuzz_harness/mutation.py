"""Makes protobuf messages with extreme values, and mutations that keep enough structure to be decoded deeply.

All randomness is seeded: the seed names the run.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = range(6)
DEPTH_MAX = 6
LONG_SHARE = 0.002
REPEATED = (*8 * (1, 2), 3, 60)
TEXTS = (
    *("", " ", "u1", "a@b.c", "default", "19.99", "-5", "USD", "https://e.com/x", "plan", "id", "email", "phone"),
    *(
        "\0",
        "a\0b",
        "\x1b[2J\x7f",
        "\r\n",
        "\u202eevil\u2066",
        "\ufeff",
        "\ufffe",
        "\U0010ffff",
        "e\u0301" * 9,
        "🏳️‍🌈" * 9,
    ),
    *(
        "é" * 255,
        "x" * 256,
        "$.$.",
        "$FirstName",
        "NaN",
        "1e999",
        "9" * 40,
        "%40",
        "../..",
    ),
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
INTEGERS = (0, 1, -1, 100, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 1_750_000_000, 1_750_000_000_000, 315_576_000_001)
NUMBERS = (0.0, -0.0, 1.5, float("nan"), float("inf"), float("-inf"), 1.8e308, 5e-324, 2.0**53 + 1)


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    encoded = b""
    while number > 127:
        encoded, number = encoded + bytes([number & 127 | 128]), number >> 7
    return encoded + bytes([number])


def field(number: int, body: bytes, kind: int = BYTES) -> bytes:
    """A field with a length, or of another kind whose body brings all that it needs."""
    head = varint(number << 3 | kind)
    return head + (varint(len(body)) if kind == BYTES else b"") + body


def nested(number: int, depth: int) -> bytes:
    """A field in itself, so deep."""
    body = b""
    for _ in range(depth):
        body = field(number, body)
    return body


def groups(number: int, depth: int) -> bytes:
    """A group in itself, so deep."""
    return varint(number << 3 | GROUP) * depth + varint(number << 3 | GROUP_END) * depth


def fields_of(data: bytes) -> list[bytes]:
    """The fields, each with its head; one that is cut or wrong ends them."""
    fields, at = [], 0
    while at < len(data):
        end = _end_of(data, at)
        fields.append(data[at:end])
        at = end
    return fields


def _read(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(data) and shift < 70:
        number |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return number, at
    return number, len(data)


def _end_of(data: bytes, at: int) -> int:
    head, at = _read(data, at)
    if head & 7 == BYTES:
        size, at = _read(data, at)
        return min(len(data), at + size)
    if head & 7 == VARINT:
        return _read(data, at)[1]
    return min(len(data), at + {FIXED64: 8, FIXED32: 4}.get(head & 7, 0))


class Inventor:
    """Makes valid messages with values at the edges, and invalid ones of them."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._changes: tuple[Callable[[list[bytes]], list[bytes]], ...] = (
            lambda fields: fields[1:],
            lambda fields: fields * self._random.choice((2, 3, 300)),
            lambda fields: self._random.sample(fields, len(fields)),
            lambda fields: [*fields, self._odd_field()],
            lambda fields: [bytes([fields[0][0] ^ self._random.randrange(1, 8)]) + fields[0][1:], *fields[1:]],
            lambda fields: [*fields[:-1], fields[-1][: self._random.randrange(len(fields[-1]))]],
            lambda fields: [*fields, fields[-1][:1] + varint(self._random.choice((2**31, 2**32, 2**63, 2**70)))],
            lambda fields: [field(1 + fields[0][0] // 8, b"".join(fields)), *fields],
        )

    def message(self, kind: type[Message], depth: int = 0) -> Message:
        """A message of which some fields are set."""
        made = kind()
        for descriptor in kind.DESCRIPTOR.fields:
            if self._random.random() < (0.9 if depth < 2 else 0.4):
                self._set(made, descriptor, depth)
        return made

    def _set(self, made: Message, descriptor: FieldDescriptor, depth: int) -> None:
        count = self._random.choice(REPEATED) if descriptor.is_repeated else 1
        if depth == DEPTH_MAX or (descriptor.message_type is not None and depth > 1):
            count = min(count, 3)
        if descriptor.message_type is not None:
            for _ in range(count if depth < DEPTH_MAX else 0):
                value = self.message(descriptor.message_type._concrete_class, depth + 1)
                target = getattr(made, descriptor.name)
                (target.add() if descriptor.is_repeated else target).CopyFrom(value)
        elif descriptor.is_repeated:
            getattr(made, descriptor.name).extend(self._value(descriptor) for _ in range(count))
        else:
            setattr(made, descriptor.name, self._value(descriptor))

    def _value(self, descriptor: FieldDescriptor) -> Any:  # noqa: ANN401 - of any kind
        if descriptor.type == FieldDescriptor.TYPE_STRING:
            usual = self._random.random() < 0.5
            text = f"u{self._random.randrange(30)}" if usual else self._random.choice(TEXTS)
            return text * 500 if self._random.random() < LONG_SHARE else text
        if descriptor.type == FieldDescriptor.TYPE_DOUBLE:
            return self._random.choice(NUMBERS)
        if descriptor.type == FieldDescriptor.TYPE_BOOL:
            return self._random.random() < 0.2
        if descriptor.type == FieldDescriptor.TYPE_INT64:
            return self._random.choice(INTEGERS)
        if descriptor.type == FieldDescriptor.TYPE_ENUM:
            return self._random.choice((0, 1, 1, 2, 3, 99, -1))
        return max(-(2**31), min(2**31 - 1, self._random.choice(INTEGERS)))

    def corrupt(self, data: bytes) -> bytes:
        """The bytes with one to three changes."""
        for _ in range(self._random.choice((1, 1, 2, 3))):
            data = self._spoil_bytes(data) if self._random.random() < 0.3 else self._spoil_fields(data)
        return data

    def _spoil_fields(self, data: bytes) -> bytes:
        """Changes the fields, or those of a field that may be a message."""
        fields = fields_of(data)
        if not fields:
            return self._odd_field()
        place = self._random.randrange(len(fields))
        head, at = _read(fields[place], 0)
        if head & 7 == BYTES and len(fields[place]) > 4 and self._random.random() < 0.7:
            inner = fields[place][_read(fields[place], at)[1] :]
            fields[place] = field(max(1, head >> 3), self._spoil_fields(inner))
            return b"".join(fields)
        return b"".join(self._random.choice(self._changes)(fields))

    def _odd_field(self) -> bytes:
        number = self._random.choice((1, 2, 6, 10, 14, 99, 100, 101, 19_000, 2**29 - 1))
        return self._random.choice(
            (
                field(number, b"\xff\xfe\xc3("),
                field(number, varint(self._random.choice((0, 1, 2**31, 2**64 - 1))), VARINT),
                field(number, b"\xff" * 8, FIXED64),
                field(number, b"\x00\x00\xc0\x7f", FIXED32),
                nested(number, self._random.choice((3, 99, 101, 2000))),
                groups(number, self._random.choice((3, 99, 101, 20_000))),
                field(number, b"") * self._random.choice((10, 10_000)),
                field(0, b"x"),
            )
        )

    def _spoil_bytes(self, data: bytes) -> bytes:
        place = self._random.randrange(len(data) + 1)
        kind = self._random.randrange(4)
        if kind == 0:
            return data[:place]
        if kind == 1:
            return data[:place] + self._random.randbytes(self._random.choice((1, 2, 50))) + data[place:]
        if kind == 2 and data:
            place %= len(data)
            return data[:place] + bytes([data[place] ^ 1 << self._random.randrange(8)]) + data[place + 1 :]
        return data + data[place:]
