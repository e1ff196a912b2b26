"""Messages with the messages in them left as bytes, so that reading one costs no more than its own fields do.

A protobuf of two bytes can become a hundred in memory, and there are two million of them in a request: so a request is
opened first, and then one envelope after another. What the fields mean is not known here.
"""

from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PLAIN = {
    FieldDescriptorProto.TYPE_MESSAGE: FieldDescriptorProto.TYPE_BYTES,
    FieldDescriptorProto.TYPE_ENUM: FieldDescriptorProto.TYPE_INT32,
}


@cache
def frame_of(kind: Descriptor) -> type[Any]:
    """The class of messages with the same fields, by name and number, where messages are bytes and enums numbers."""
    frame = DescriptorProto()
    kind.CopyToProto(frame)
    for field in frame.field:
        if field.type in _PLAIN:
            field.type = _PLAIN[field.type]
            field.ClearField("type_name")
    pool = DescriptorPool()
    pool.Add(FileDescriptorProto(name="frame.proto", package="frame", syntax="proto3", message_type=[frame]))
    return GetMessageClass(pool.FindMessageTypeByName(f"frame.{frame.name}"))
