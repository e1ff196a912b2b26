"""The shallow class of a message leaves its inner messages undecoded."""

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1.attribute_pb2 import Attribute
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CommerceEvent, CustomEvent
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import PreviewRequest, PublishRequest, PublishStreamRequest
from intercomd.v1.operations_pb2 import ListDeadLettersRequest
from intercomd.v1.outcome_pb2 import Outcome
from intercomd_daemon.ingest.shallow import shallow_class


def test_shallow_class_keeps_messages_as_bytes() -> None:
    envelope = Envelope(
        envelope_id="e", identity=Identity(email="a@b"), environment=2, removed_user_attributes=["a", "b"]
    )
    request = PublishRequest(request_id="r", envelopes=[envelope, Envelope()], validate_only=True)
    frame = shallow_class(PublishRequest.DESCRIPTOR).FromString(request.SerializeToString())
    assert (frame.request_id, frame.validate_only) == ("r", True)
    assert list(frame.envelopes) == [envelope.SerializeToString(), b""]
    inner = shallow_class(Envelope.DESCRIPTOR).FromString(frame.envelopes[0])
    assert (inner.envelope_id, inner.environment, inner.removed_user_attributes) == ("e", 2, ["a", "b"])
    assert Identity.FromString(inner.identity).email == "a@b"


def test_shallow_class_does_not_parse_inner_messages() -> None:
    data = b"\x12\x02\xff\xff"
    with pytest.raises(DecodeError):
        PublishRequest.FromString(data)
    assert shallow_class(PublishRequest.DESCRIPTOR).FromString(data).envelopes == [b"\xff\xff"]


@pytest.mark.parametrize(
    "kind", [PublishRequest, PublishStreamRequest, PreviewRequest, Envelope, ListDeadLettersRequest, Outcome]
)
def test_description_is_that_of_the_message_without_types(kind: type[Message]) -> None:
    """Checked with protobuf's own classes for descriptions; messages of more than 127 bytes have longer lengths."""

    def described(descriptor: Descriptor) -> list[tuple[str, int, int, int]]:
        proto = DescriptorProto()
        descriptor.CopyToProto(proto)
        return [(field.name, field.number, field.label, field.type) for field in proto.field]

    shallow = {FieldDescriptor.TYPE_MESSAGE: FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_ENUM: 5}
    assert described(shallow_class(kind.DESCRIPTOR).DESCRIPTOR) == [
        (name, number, label, shallow.get(type_, type_)) for name, number, label, type_ in described(kind.DESCRIPTOR)
    ]


def test_shallow_class_is_built_once() -> None:
    assert shallow_class(PublishRequest.DESCRIPTOR) is shallow_class(PublishRequest.DESCRIPTOR)


def test_shallow_class_decodes_the_given_kinds_of_messages() -> None:
    kind = shallow_class(Envelope.DESCRIPTOR, CustomEvent.DESCRIPTOR, Identity.DESCRIPTOR)
    attribute = Attribute(name="a")
    sent = Envelope(
        identity=Identity(email="a@b"),
        event_time=Timestamp(seconds=1),
        custom_event=CustomEvent(name="n", type=2, attributes=[attribute]),
    )
    envelope = kind.FromString(sent.SerializeToString())
    assert (envelope.identity.email, envelope.custom_event.name, envelope.custom_event.type) == ("a@b", "n", 2)
    assert list(envelope.custom_event.attributes) == [attribute.SerializeToString()]
    assert envelope.event_time == Timestamp(seconds=1).SerializeToString()


def test_shallow_class_keeps_only_the_last_field_of_a_oneof() -> None:
    data = Envelope(custom_event=CustomEvent(name="n")).SerializeToString()
    data += Envelope(commerce_event=CommerceEvent()).SerializeToString()
    for kind in (shallow_class(Envelope.DESCRIPTOR), shallow_class(Envelope.DESCRIPTOR, CustomEvent.DESCRIPTOR)):
        assert kind.FromString(data).WhichOneof("event") == "commerce_event"
