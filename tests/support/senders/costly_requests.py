"""The most expensive requests within the limits, by name."""

from collections.abc import Callable

from fuzz_harness.mutation import GROUP, GROUP_END, VARINT, field, groups, nested, varint

ENVELOPE_BYTES = 127 * 1024
ENVELOPES_MAX = 500
USER = field(3, field(1, b"u"))
NAN = b"\x19\x00\x00\x00\x00\x00\x00\xf8\x7f"
TRUE = b"\x20\x01"
VALIDATE_ONLY = field(3, b"\1", VARINT)
PURCHASE = b"\x08\x07"


def _attribute(number: int, value: bytes) -> bytes:
    return field(1, b"%x" % number) + field(2, value)


def _large(number: int) -> bytes:
    return field(1, b"%d" % number * 190) + field(2, field(1, "\u1234".encode() * 255))


def _event(attributes: bytes) -> bytes:
    return USER + field(10, field(1, b"E") + attributes)


def _commerce(kind: int, action: bytes, more: bytes = b"") -> bytes:
    return USER + field(11, field(kind, action) + more)


def _filled(head: bytes, item: bytes, size_bytes: int = ENVELOPE_BYTES) -> bytes:
    return head + item * ((size_bytes - len(head)) // len(item))


def _counted(head: bytes, item: Callable[[int], bytes], size_bytes: int = ENVELOPE_BYTES - 200) -> bytes:
    parts, size, number = [head], len(head), 0
    while size < size_bytes:
        parts.append(item(number))
        size += len(parts[-1])
        number += 1
    return b"".join(parts)


def _repeated(encoded: bytes, size_bytes: int) -> bytes:
    one = field(2, encoded)
    return one * max(1, min(size_bytes // len(one), ENVELOPES_MAX))


_ENVELOPES: dict[str, Callable[[], bytes]] = {
    "attributes without anything": lambda: _filled(USER, field(6, b"")),
    "small envelopes of attributes without anything": lambda: _filled(USER, field(6, b""), 8000),
    "attributes": lambda: _counted(USER, lambda n: field(6, _attribute(n, TRUE))),
    "small envelopes of attributes": lambda: _counted(USER, lambda n: field(6, _attribute(n, TRUE)), 8000),
    "one attribute again and again": lambda: _filled(USER, field(6, _attribute(0, TRUE))),
    "numbers that are NaN": lambda: _counted(USER, lambda n: field(6, _attribute(n, NAN))),
    "removals": lambda: _counted(USER, lambda n: field(7, b"%x" % n)),
    "removals of nothing": lambda: _filled(USER, field(7, b"")),
    "attributes of an event": lambda: _event(_counted(b"", lambda n: field(3, _attribute(n, TRUE)))),
    "attributes of an event without anything": lambda: _event(_filled(b"", field(3, b""))),
    "attributes of a session": lambda: USER + field(12, _counted(b"", lambda n: field(3, _attribute(n, TRUE)))),
    "a hundred products without anything": lambda: _commerce(1, PURCHASE + field(2, b"") * 100),
    "products without anything": lambda: _commerce(1, PURCHASE + field(2, b"") * 64_000),
    "products with attributes": lambda: _commerce(1, PURCHASE + field(2, field(11, b"") * 640) * 100),
    "a hundred products and many attributes": lambda: _commerce(
        1, PURCHASE + field(2, b"") * 100, _counted(b"", lambda n: field(7, _attribute(n, TRUE)), 120_000)
    ),
    "large attributes of a hundred products": lambda: _commerce(
        1, PURCHASE + field(2, b"") * 100, b"".join(field(7, _large(number)) for number in range(5))
    ),
    "promotions": lambda: _commerce(2, field(2, b"") * 64_000),
    "lists of products": lambda: _commerce(3, field(1, b"") * 64_000),
    "values of a list": lambda: USER + field(6, field(1, b"l") + field(2, field(8, field(1, b"") * 64_000))),
    "unknown fields": lambda: _counted(USER, lambda n: field(1000 + n, b"\0", VARINT)),
    "one unknown field again and again": lambda: _filled(USER, field(2000, b"\0", VARINT)),
    "unknown fields of attributes": lambda: _filled(USER, field(6, field(99, b"\1", VARINT))),
    "a long name": lambda: USER + field(6, field(1, b"$." * 60_000) + field(2, field(1, b"x"))),
    "a long link": lambda: USER + field(6, field(1, b"x") + field(2, field(1, b"http://a" + b"a" * 120_000))),
    "a long email": lambda: field(3, field(2, b"@" * 120_000)) + field(10, field(1, b"E")),
    "an envelope that is too large": lambda: _filled(USER, field(6, b""), 300 * 1024),
    "groups within groups": lambda: USER + groups(2000, 90) * 300,
    "messages within messages": lambda: USER + field(6, nested(2, 40_000)),
}
_SMALL = field(2, USER + field(10, field(1, b"E"))) * ENVELOPES_MAX
_REQUESTS: dict[str, Callable[[int], bytes]] = {
    "unknown fields beside the envelopes": lambda size_bytes: _counted(
        _SMALL, lambda n: field(1000 + n, b"\0", VARINT), size_bytes
    ),
    "envelopes without anything": lambda size_bytes: field(2, b"") * (size_bytes // 2),
    "a group without end": lambda _: _SMALL + varint(9 << 3 | GROUP) * 1000,
    "an end without a group": lambda _: _SMALL + varint(9 << 3 | GROUP_END),
}
SHAPES = (*_ENVELOPES, *_REQUESTS)


def shape(name: str, size_bytes: int) -> bytes:
    """Returns a `validate_only` request of about this size or of 500 envelopes: it may need 50,000 calls."""
    make = _REQUESTS.get(name)
    return VALIDATE_ONLY + (make(size_bytes) if make else _repeated(_ENVELOPES[name](), size_bytes))
