"""Decodes encoded attributes, and remembers some of them: senders use few names, most of them with few values.

Decoding by hand costs as much as reading protobuf's message of an attribute, a cache hit a tenth. The encoding must be
canonical: each field once, in the order of the numbers, in the fewest bytes, and nothing unknown.
"""

from google.protobuf.message import DecodeError

from intercomd.v1.attribute_pb2 import Attribute as AttributeMessage
from intercomd_daemon.ingest.decode_attributes import value_of
from intercomd_daemon.ingest.decoded import Attribute, UnchangedAttributes
from intercomd_daemon.ingest.names import is_normal

CACHED_ATTRIBUTES_MAX = 4096
"""Attributes in the cache: about 1 MB. It is emptied when it is full."""
CACHED_ENCODED_NAMES_MAX = 4096
"""Names in the cache, which is emptied when it is full, too."""
_ADD_EVERY = 8
"""One of this many decoded attributes is added: those that repeat are soon cached, and the others cost little."""
# The tag of a field is its number << 3 | its wire type: 0 is a varint, 2 is a length and as many bytes.
_NAME = 1 << 3 | 2
_VALUE = 2 << 3 | 2
_STRING = 1 << 3 | 2
_INTEGER = 2 << 3
_BOOLEANS = {bytes((4 << 3, 0)): False, bytes((4 << 3, 1)): True}
_CONTINUATION_BIT = 128
"""Set in each byte of a varint but the last."""
_INTEGER_BYTES_MAX = 9
"""A negative number has 10 bytes."""


class NotCanonicalError(ValueError):
    """It has unknown fields, or an encoding that protobuf's own encoders do not write."""


class AttributeCache:
    """Decodes attributes from their encoding."""

    def __init__(self) -> None:
        self._attributes: dict[bytes, Attribute] = {}
        self._names: dict[bytes, str] = {}
        """Names that need no normalization, by the field that encodes them."""
        self._decoded = 0

    def decode(self, encoded: list[bytes]) -> list[Attribute]:
        """Returns the attributes; as `UnchangedAttributes`, if none of them needs normalization.

        Raises:
            ValueError: one is not in the canonical encoding, or protobuf cannot decode it.
        """
        attributes = UnchangedAttributes()
        add = attributes.append
        cached = self._attributes.get
        for each in encoded:
            attribute = cached(each) or self._decode_unchanged(each)
            if attribute is None:
                return [*attributes, *map(self._decode_any, encoded[len(attributes) :])]
            add(attribute)
        return attributes

    def _decode_any(self, encoded: bytes) -> Attribute:
        return self._attributes.get(encoded) or self._decode_unchanged(encoded) or _decode_message(encoded)

    def _decode_unchanged(self, encoded: bytes) -> Attribute | None:
        """Returns a short attribute that needs no normalization; None: it is another one, or not canonical."""
        size = len(encoded)
        if not 5 < size < _CONTINUATION_BIT:  # Then each length has one byte.
            return None
        end = 2 + encoded[1]
        name = self._names.get(encoded[:end]) or self._name(encoded[:end])
        # The value is the rest.
        if not name or end + 3 >= size or encoded[end] != _VALUE or encoded[end + 1] != size - end - 2:
            return None
        kind = encoded[end + 2]
        value: str | int | bool | None
        if kind == _STRING and encoded[end + 3] == size - end - 4:
            value = encoded[end + 4 :].decode()
            # Control characters are not printable, and are removed on the general path.
            if not value.isprintable():
                return None
        elif kind == _INTEGER:
            value = _number(encoded[end + 3 :])
        else:
            value = _BOOLEANS.get(encoded[end + 2 :])
        if value is None:
            return None
        self._decoded += 1
        if not self._decoded % _ADD_EVERY:
            if len(self._attributes) >= CACHED_ATTRIBUTES_MAX:
                self._attributes.clear()
            self._attributes[encoded] = name, value
        return name, value

    def _name(self, field: bytes) -> str:
        """Returns the name that a field encodes; empty: it is not one, or it needs normalization."""
        name = field[2:].decode()
        if field[0] != _NAME or not is_normal(name):
            return ""
        if len(self._names) >= CACHED_ENCODED_NAMES_MAX:
            self._names.clear()
        self._names[field] = name
        return name


def _number(varint: bytes) -> int | None:
    """Returns the number of a varint: seven bits in each byte, the lowest first; None: it is negative, or not one."""
    number = varint[-1]
    if len(varint) == 1:
        return number if number < _CONTINUATION_BIT else None
    if len(varint) > _INTEGER_BYTES_MAX or not 0 < number < _CONTINUATION_BIT:
        return None
    for byte in varint[-2::-1]:
        if byte < _CONTINUATION_BIT:
            return None
        number = number << 7 | byte - _CONTINUATION_BIT
    return number


def _decode_message(encoded: bytes) -> Attribute:
    try:
        message = AttributeMessage.FromString(encoded)
    except DecodeError as error:
        raise NotCanonicalError from error
    message.DiscardUnknownFields()
    if message.ByteSize() != len(encoded):
        raise NotCanonicalError
    return message.name, value_of(message.value)
