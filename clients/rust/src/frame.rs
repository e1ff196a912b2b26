use prost::Message;
use prost::bytes::{BufMut, Bytes};
use tonic::Status;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic_prost::ProstDecoder;

use crate::envelope_id::new_envelope_id;
use crate::v1::{Envelope, PublishRequest, PublishResponse};

/// The keys of length-delimited fields: the number, then wire type 2.
const ENVELOPES: &[u8] = &[2 << 3 | 2]; // of PublishRequest
const ENVELOPE_ID: &[u8] = &[1 << 3 | 2]; // of Envelope
const TRACEPARENT: &[u8] = &[0xA2, 0x06]; // 100 << 3 | 2, as varint
const VALIDATE_ONLY: &[u8] = &[3 << 3, 1]; // of PublishRequest: a varint, true

/// What is decoded of a request for the ids of its envelopes.
#[derive(Clone, PartialEq, Message)]
struct NamedRequest {
    #[prost(message, repeated, tag = "2")]
    envelopes: Vec<NamedEnvelope>,
}

#[derive(Clone, PartialEq, Message)]
struct NamedEnvelope {
    #[prost(string, tag = "1")]
    envelope_id: String,
}

/// An encoded PublishRequest that holds one envelope.
///
/// Frames joined are the request that holds them all, because repeated fields of concatenated messages add up (protobuf's
/// encoding, "Last One Wins"). So an envelope is encoded once, and a repeat sends the same bytes.
#[derive(Clone, Debug)]
pub(crate) struct Frame(Bytes);

impl Frame {
    /// Encodes an envelope. Adds an id if there is none, and the trace context.
    pub(crate) fn new(envelope: &Envelope, traceparent: Option<String>) -> Self {
        let id = if envelope.envelope_id.is_empty() { new_envelope_id() } else { String::new() };
        let traceparent = if envelope.traceparent.is_empty() { traceparent.unwrap_or_default() } else { String::new() };
        let length = envelope.encoded_len() + text_length(ENVELOPE_ID, &id) + text_length(TRACEPARENT, &traceparent);
        let mut buffer = Vec::with_capacity(ENVELOPES.len() + prost::length_delimiter_len(length) + length);
        buffer.put_slice(ENVELOPES);
        encode_length(length, &mut buffer);
        put_text(ENVELOPE_ID, &id, &mut buffer);
        envelope.encode(&mut buffer).expect("a vector grows");
        put_text(TRACEPARENT, &traceparent, &mut buffer);
        Self(buffer.into())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the id of the envelope.
    pub(crate) fn id(&self) -> String {
        let request = NamedRequest::decode(self.0.clone()).expect("a frame is a request");
        request.envelopes.into_iter().next().expect("a frame holds an envelope").envelope_id
    }

    /// Returns the envelope, with its id.
    pub(crate) fn envelope(&self) -> Envelope {
        let request = PublishRequest::decode(self.0.clone()).expect("a frame is a request");
        request.envelopes.into_iter().next().expect("a frame holds an envelope")
    }
}

/// Returns the length of a field with a text; an empty one is left out.
fn text_length(key: &[u8], text: &str) -> usize {
    if text.is_empty() { 0 } else { key.len() + prost::length_delimiter_len(text.len()) + text.len() }
}

fn put_text(key: &[u8], text: &str, buffer: &mut Vec<u8>) {
    if !text.is_empty() {
        buffer.put_slice(key);
        encode_length(text.len(), buffer);
        buffer.put_slice(text.as_bytes());
    }
}

fn encode_length(length: usize, buffer: &mut Vec<u8>) {
    prost::encode_length_delimiter(length, buffer).expect("a vector grows");
}

/// A request made of frames.
pub(crate) struct Request {
    pub(crate) frames: Vec<Frame>,
    pub(crate) validate_only: bool,
}

/// Sends requests that are encoded already.
#[derive(Default)]
pub(crate) struct FrameCodec;

impl Codec for FrameCodec {
    type Encode = Request;
    type Decode = PublishResponse;
    type Encoder = Self;
    type Decoder = ProstDecoder<PublishResponse>;

    fn encoder(&mut self) -> Self::Encoder {
        Self
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::default()
    }
}

impl Encoder for FrameCodec {
    type Item = Request;
    type Error = Status;

    fn encode(&mut self, request: Request, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(request.frames.iter().map(Frame::len).sum());
        for frame in request.frames {
            buffer.put(frame.0);
        }
        if request.validate_only {
            buffer.put_slice(VALIDATE_ONLY);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::{CustomEvent, envelope};

    const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn joined(frames: &[Frame]) -> PublishRequest {
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.0.to_vec()).collect();
        PublishRequest::decode(bytes.as_slice()).unwrap()
    }

    #[test]
    fn frame_keeps_the_envelope_and_adds_the_trace_context() {
        let event = CustomEvent::new("e").with_attribute("n", 1);
        let given = Envelope { envelope_id: "a".into(), ..Envelope::new("42").with_event(event) };
        let expected = Envelope { traceparent: TRACEPARENT.into(), ..given.clone() };
        assert_eq!(Frame::new(&given, Some(TRACEPARENT.into())).envelope(), expected);
        assert_eq!(Frame::new(&expected, Some("another".into())).envelope(), expected);
        assert_eq!(Frame::new(&given, None).envelope(), given);
    }

    #[test]
    fn large_frame_is_complete() {
        let event = envelope::Event::CustomEvent(CustomEvent::new("x".repeat(100_000)));
        let given = Envelope { envelope_id: "i".repeat(128), event: Some(event), ..Envelope::default() };
        assert_eq!(Frame::new(&given, None).envelope(), given);
        assert_eq!(Frame::new(&given, None).id(), given.envelope_id);
    }

    #[test]
    fn frame_has_the_id_that_was_added() {
        let frame = Frame::new(&Envelope::new("42"), None);
        assert_eq!((frame.id().len(), frame.id()), (36, frame.envelope().envelope_id));
    }

    #[test]
    fn frames_joined_are_one_request() {
        let frames =
            ["a", "", "c"].map(|id| Frame::new(&Envelope { envelope_id: id.into(), ..Envelope::new("42") }, None));
        let ids: Vec<String> = joined(&frames).envelopes.into_iter().map(|each| each.envelope_id).collect();
        assert_eq!((ids[0].as_str(), ids[1].len(), ids[2].as_str()), ("a", 36, "c"));
    }

    #[test]
    fn validate_only_is_the_field_of_the_request() {
        assert!(PublishRequest::decode(VALIDATE_ONLY).unwrap().validate_only);
    }
}
