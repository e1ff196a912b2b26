"""Makes message classes that leave inner messages undecoded.

A class is made from the encoded description of its message (google/protobuf/descriptor.proto), which is written here.
The package's own classes for descriptions would take 0.7 MiB of every daemon, for a few messages.
"""

from collections.abc import Collection
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "shallow"
_SHALLOW_TYPES = {
    FieldDescriptor.TYPE_MESSAGE: FieldDescriptor.TYPE_BYTES,
    FieldDescriptor.TYPE_ENUM: FieldDescriptor.TYPE_INT32,
}


@cache
def shallow_class(kind: Descriptor, *decoded: Descriptor) -> type[Any]:
    """Returns a message class with the same fields, in which messages are undecoded bytes and enums are numbers.

    Parsing it costs no more than the message's own fields. Inner messages of the kinds `decoded` are made in the same
    way, and decoded with it.
    """
    # FileDescriptorProto: name = 1, package = 2, message_type = 4, syntax = 12.
    messages = b"".join(_bytes(4, _message(each, decoded)) for each in (kind, *decoded))
    file = _text(1, f"{_PACKAGE}.proto") + _text(2, _PACKAGE) + messages + _text(12, "proto3")
    pool = DescriptorPool()
    pool.AddSerializedFile(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{kind.name}"))


def _message(kind: Descriptor, decoded: Collection[Descriptor]) -> bytes:
    # DescriptorProto: name = 1, field = 2, oneof_decl = 8. OneofDescriptorProto: name = 1.
    fields = b"".join(_bytes(2, _field(field, decoded)) for field in kind.fields)
    return _text(1, kind.name) + fields + b"".join(_bytes(8, _text(1, oneof.name)) for oneof in kind.oneofs)


def _field(field: FieldDescriptor, decoded: Collection[Descriptor]) -> bytes:
    # FieldDescriptorProto: name = 1, number = 3, label = 4, type = 5, type_name = 6, oneof_index = 9.
    label = FieldDescriptor.LABEL_REPEATED if field.is_repeated else FieldDescriptor.LABEL_OPTIONAL
    made = _text(1, field.name) + _number(3, field.number) + _number(4, label)
    if field.message_type and field.message_type in decoded:
        made += _number(5, field.type) + _text(6, f".{_PACKAGE}.{field.message_type.name}")
    else:
        made += _number(5, _SHALLOW_TYPES.get(field.type, field.type))
    return made if field.containing_oneof is None else made + _number(9, field.containing_oneof.index)


# Protobuf's encoding of a field: a tag of its number and wire type (0: a number, 2: length and bytes), and the value.
def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _varint(value: int) -> bytes:
    """Encodes a number in groups of 7 bits, the lowest first; all but the last have the highest bit set."""
    groups = b""
    while value > 0x7F:
        groups += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return groups + bytes((value,))
