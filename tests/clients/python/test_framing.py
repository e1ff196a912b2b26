"""Frames equal protobuf's own encoding."""

from hypothesis import given
from hypothesis import strategies as st

from intercomd import CustomEvent, Envelope, Identity
from intercomd.framing import ENVELOPES_TAG, envelope_id, frame, unframe
from intercomd.v1.ingest_pb2 import PublishRequest

envelopes = st.builds(
    lambda envelope_id, name: Envelope(
        envelope_id=envelope_id, identity=Identity(customer_id="42"), custom_event=CustomEvent(name=name)
    ),
    st.text("0123456789abcdef", min_size=1, max_size=40),
    st.one_of(st.text(max_size=20), st.integers(0, 40_000).map(lambda length: "x" * length)),
)


@given(st.lists(envelopes, max_size=5))
def test_frames_joined_are_the_request_that_holds_their_envelopes(listed: list[Envelope]) -> None:
    joined = b"".join(frame(envelope) for envelope in listed)
    assert joined == PublishRequest(envelopes=listed).SerializeToString()


def test_frame_decodes_to_its_envelope_and_id() -> None:
    envelope = Envelope(identity=Identity(email="a@example.com"))
    framed = unframe(frame(envelope))
    assert envelope.envelope_id == ""
    assert len(framed.envelope_id) == 36
    assert framed == Envelope(envelope_id=framed.envelope_id, identity=Identity(email="a@example.com"))


@given(st.text(min_size=1, max_size=200), st.integers(0, 300))
def test_id_is_read_in_place(given_id: str, length: int) -> None:
    envelope = Envelope(envelope_id=given_id, custom_event=CustomEvent(name="x" * length))
    assert envelope_id(frame(envelope)) == given_id


def test_id_that_was_added_or_comes_later_is_read() -> None:
    added = frame(Envelope())
    assert envelope_id(added) == unframe(added).envelope_id
    later = Envelope(connection="eu").SerializeToString() + Envelope(envelope_id="a").SerializeToString()
    assert envelope_id(ENVELOPES_TAG + bytes([len(later)]) + later) == "a"


def test_other_fields_of_a_request_may_follow_its_frames() -> None:
    request = PublishRequest.FromString(
        frame(Envelope(envelope_id="a")) + PublishRequest(validate_only=True).SerializeToString()
    )
    assert request == PublishRequest(envelopes=[Envelope(envelope_id="a")], validate_only=True)
