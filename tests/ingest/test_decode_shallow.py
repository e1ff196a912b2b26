"""The shallow class of a message leaves its inner messages undecoded."""

import pytest
from google.protobuf.message import DecodeError

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd_daemon.ingest.decode import shallow_class


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


def test_shallow_class_is_built_once() -> None:
    assert shallow_class(PublishRequest.DESCRIPTOR) is shallow_class(PublishRequest.DESCRIPTOR)
