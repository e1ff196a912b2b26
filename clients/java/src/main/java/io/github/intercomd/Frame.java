package io.github.intercomd;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.WireFormat;
import io.github.intercomd.v1.Envelope;
import io.github.intercomd.v1.PublishRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Objects;

/**
 * A frame is an encoded PublishRequest that holds one envelope. Frames joined are the request that holds them all, because
 * repeated fields of concatenated messages add up (protobuf's encoding, "Last One Wins"). So an envelope is encoded once, and a
 * repeat sends the same bytes.
 */
final class Frame {
  private Frame() {}

  /**
   * Encodes an envelope. It adds an id if there is none, and the trace context.
   *
   * @param traceparent "": none
   * @throws IllegalArgumentException a text cannot be encoded; the message names the field
   */
  static byte[] of(Envelope envelope, String traceparent) {
    Objects.requireNonNull(envelope, "the envelope is null");
    String id = envelope.getEnvelopeId().isEmpty() ? EnvelopeIds.next() : "";
    String trace = envelope.getTraceparent().isEmpty() ? traceparent : "";
    int size = envelope.getSerializedSize();
    size += id.isEmpty() ? 0 : CodedOutputStream.computeStringSize(Envelope.ENVELOPE_ID_FIELD_NUMBER, id);
    size += trace.isEmpty() ? 0 : CodedOutputStream.computeStringSize(Envelope.TRACEPARENT_FIELD_NUMBER, trace);
    byte[] frame =
        new byte[CodedOutputStream.computeTagSize(PublishRequest.ENVELOPES_FIELD_NUMBER)
            + CodedOutputStream.computeUInt32SizeNoTag(size)
            + size];
    CodedOutputStream output = CodedOutputStream.newInstance(frame);
    try {
      output.writeTag(PublishRequest.ENVELOPES_FIELD_NUMBER, 2); // wire type 2: length-delimited
      output.writeUInt32NoTag(size);
      if (!id.isEmpty()) {
        output.writeString(Envelope.ENVELOPE_ID_FIELD_NUMBER, id);
      }
      envelope.writeTo(output);
      if (!trace.isEmpty()) {
        output.writeString(Envelope.TRACEPARENT_FIELD_NUMBER, trace);
      }
      output.checkNoSpaceLeft();
    } catch (IOException error) {
      throw new UncheckedIOException(error); // the array has the computed size
    }
    Texts.check(envelope, frame);
    return frame;
  }

  /** Returns the id of the envelope in a frame. */
  static String id(byte[] frame) {
    CodedInputStream input = CodedInputStream.newInstance(frame);
    try {
      input.readTag();
      input.readUInt32(); // the length of the envelope
      for (int tag = input.readTag(); tag != 0; tag = input.readTag()) {
        if (WireFormat.getTagFieldNumber(tag) == Envelope.ENVELOPE_ID_FIELD_NUMBER) {
          return input.readString();
        }
        input.skipField(tag);
      }
    } catch (IOException error) {
      throw new UncheckedIOException(error); // `of` made it
    }
    return ""; // `of` has added one
  }

  /** Returns the envelope in a frame, with its id. */
  static Envelope envelope(byte[] frame) {
    try {
      return PublishRequest.parseFrom(frame).getEnvelopes(0);
    } catch (InvalidProtocolBufferException error) {
      throw new UncheckedIOException(error); // `of` made it
    }
  }
}
