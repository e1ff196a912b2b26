import { create, fromBinary, isMessage, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

import { checkMessage } from "./check.js";
import { newEnvelopeId } from "./envelope-id.js";
import { EnvelopeSchema, type Envelope } from "./gen/intercomd/v1/envelope_pb.js";
import { PublishRequestSchema } from "./gen/intercomd/v1/ingest_pb.js";

type Fields = Exclude<MessageInitShape<typeof EnvelopeSchema>, Envelope>;

/** An envelope, as a message or as an object with its fields; the time of the event may be a Date. */
export type EnvelopeInit = Envelope | (Omit<Fields, "eventTime"> & { eventTime?: Date | Fields["eventTime"] });

/**
 * An encoded PublishRequest that holds one envelope. Frames joined are the request that holds them all, because repeated
 * fields of concatenated messages add up (protobuf's encoding, "Last One Wins"). So an envelope is encoded once, later
 * changes of the object have no effect, and a repeat sends the same bytes.
 */
export type Frame = Uint8Array;

const ENVELOPES = PublishRequestSchema.field.envelopes.number;
const ENVELOPE_ID = EnvelopeSchema.field.envelopeId.number;
const TRACEPARENT = EnvelopeSchema.field.traceparent.number;

/**
 * Encodes an envelope. It adds an id if there is none, and the trace context; the envelope itself does not change.
 *
 * @throws TypeError the argument is not an envelope, or cannot be encoded.
 */
export function newFrame(given: EnvelopeInit, traceparent = ""): Frame {
  if (typeof given !== "object" || (given as unknown) === null) {
    throw new TypeError(`publish takes an envelope, not ${(given as unknown) === null ? "null" : typeof given}`);
  }
  const envelope = isMessage(given, EnvelopeSchema) ? given : create(EnvelopeSchema, withTime(given));
  checkMessage(EnvelopeSchema, envelope, "");
  const body = new BinaryWriter();
  if (envelope.envelopeId === "") {
    body.tag(ENVELOPE_ID, WireType.LengthDelimited).string(newEnvelopeId());
  }
  body.raw(encode(envelope));
  if (traceparent !== "" && envelope.traceparent === "") {
    body.tag(TRACEPARENT, WireType.LengthDelimited).string(traceparent);
  }
  return new BinaryWriter().tag(ENVELOPES, WireType.LengthDelimited).bytes(body.finish()).finish();
}

/** Converts a Date, which the message would take for an object without fields, the year 1970. */
function withTime(given: Exclude<EnvelopeInit, Envelope>): Fields {
  const { eventTime, ...others } = given;
  if (eventTime === undefined) {
    return others;
  }
  if (!(eventTime instanceof Date)) {
    return { ...others, eventTime };
  }
  if (Number.isNaN(eventTime.getTime())) {
    throw new TypeError("eventTime is an invalid Date");
  }
  return { ...others, eventTime: timestampFromDate(eventTime) };
}

/** Returns the envelope in a frame, with its id. */
export function envelopeOf(frame: Frame): Envelope {
  const envelope = fromBinary(PublishRequestSchema, frame).envelopes[0];
  if (envelope === undefined) {
    throw new Error("a frame holds one envelope");
  }
  return envelope;
}

/** Returns the id of the envelope in a frame. */
export function idOf(frame: Frame): string {
  const reader = new BinaryReader(frame);
  reader.tag();
  reader.uint32(); // the length of the envelope
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === ENVELOPE_ID) {
      return reader.string();
    }
    reader.skip(wireType, number);
  }
  return ""; // newFrame has added one
}

function encode(envelope: Envelope): Uint8Array {
  try {
    return toBinary(EnvelopeSchema, envelope);
  } catch (error) {
    throw new TypeError(`the envelope cannot be encoded: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
