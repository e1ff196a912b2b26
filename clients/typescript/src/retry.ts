import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { Metadata, status, type ServiceError } from "@grpc/grpc-js";

/** The longest pause that a target may request: a wrong header must not stop publishing for hours. */
const PUSHBACK_MAX_MS = 60_000;

/** grpc-js's descriptions of a server that does not speak HTTP/2. */
const NOT_HTTP2 = /Parse Error: Expected HTTP\/2|NGHTTP2_HTTP_1_1_REQUIRED|ERR_HTTP2_ERROR: Protocol error|Protocol error/i;
/** grpc-js's descriptions where a server with TLS closes a connection in plain text, or without a client certificate. */
const CLOSED = /Last error: Failed to connect|ECONNRESET/;

/** grpc-js's description where a call ended with OK and without a message. Its UNIMPLEMENTED does not come from the target. */
const NO_MESSAGE = "No message received";

/**
 * What the publisher does after a failed call: send the same request again after a pause; send the envelopes in smaller
 * requests; reject the envelopes of one connection and send the others again; or stop, since repeating helps only after a
 * change of the configuration.
 */
export type Advice = "repeat" | "divide" | "reject connection" | "stop";

/** The error status of a call. */
export interface Failure {
  readonly code: status;
  readonly message: string;
  /** How long the daemon asks to wait, at most a minute; undefined: it does not ask. */
  readonly pauseMs?: number;
  /** The connection of an ErrorInfo CONNECTION_NOT_ALLOWED. */
  readonly forbidden?: string;
}

/** Returns the failure of a call. It reads nothing for granted: grpc-js's own errors may lack a status and trailers. */
export function failureOf(error: Partial<ServiceError>): Failure {
  const text = error.details ?? error.message ?? "";
  if (error.code === status.UNIMPLEMENTED && text === NO_MESSAGE) {
    return { code: status.INTERNAL, message: text };
  }
  // gRPC's specification: a client treats a code that it does not know as UNKNOWN.
  const code = error.code !== undefined && error.code in status ? error.code : status.UNKNOWN;
  return readFailure(code, text, error.metadata ?? new Metadata());
}

/** Reads a status and its trailers. grpc-retry-pushback-ms goes before RetryInfo. */
export function readFailure(code: status, message: string, trailers: Metadata): Failure {
  const encoded = trailers.get("grpc-status-details-bin")[0];
  const details = encoded instanceof Uint8Array ? readDetails(encoded) : {};
  const pushback = trailers.get("grpc-retry-pushback-ms")[0];
  const requested = typeof pushback === "string" && /^[0-9]+$/.test(pushback) ? Number(pushback) : details.pauseMs;
  const pause = requested === undefined ? {} : { pauseMs: Math.min(Math.max(requested, 0), PUSHBACK_MAX_MS) };
  return { code, message, ...details, ...pause };
}

/**
 * Returns what to do after a status.
 *
 * The daemon itself sends UNAVAILABLE only; the other repeated statuses come from proxies and lost connections. A repeat
 * with the same ids does no harm: accepted envelopes are then duplicates. RESOURCE_EXHAUSTED with a pause is a quota;
 * without one it may be gRPC's own limit of a message's size.
 */
export function advise(failure: Failure): Advice {
  switch (failure.code) {
    case status.UNAVAILABLE:
    case status.DEADLINE_EXCEEDED:
    case status.CANCELLED:
    case status.INTERNAL:
    case status.UNKNOWN:
      return isHttp1(failure) ? "stop" : "repeat";
    case status.INVALID_ARGUMENT:
      return "divide";
    case status.RESOURCE_EXHAUSTED:
      return failure.pauseMs === undefined ? "divide" : "repeat";
    case status.PERMISSION_DENIED:
      return failure.forbidden === undefined ? "stop" : "reject connection";
    default:
      return "stop";
  }
}

/**
 * Returns the status in one line, with the fix if repeating does not help.
 *
 * @param hasTls - calls are secured.
 * @param hasSucceeded - one has succeeded.
 */
export function explain(failure: Failure, target: string, hasTls = false, hasSucceeded = true): string {
  const name = codeName(failure.code);
  const line = failure.message.trim().replace(/\s+/g, " ");
  const text = line === "" ? name : `${name}: ${line}`;
  if (isHttp1(failure)) {
    return (
      `${target} answers HTTP/1 or another protocol, not gRPC: set the target to the ingest address, by default port 50051 ` +
      `(${text})`
    );
  }
  if (!hasSucceeded && failure.code === status.UNAVAILABLE && CLOSED.test(failure.message)) {
    const fix = hasTls ? "requires a client certificate, set tls to one that it accepts" : "expects TLS, set tls";
    return `${target} closed the connection: if it ${fix} (${text})`;
  }
  switch (failure.code) {
    case status.UNIMPLEMENTED:
      return (
        `${target} does not serve intercomd.v1.IngestService: set the target to the ingest address, by default port 50051, ` +
        `not the operations address (${text})`
      );
    case status.UNAUTHENTICATED:
      return `${target} refuses the credential: set token or tokenFile to a token that it accepts (${text})`;
    case status.PERMISSION_DENIED:
      return `${target} does not allow this caller to publish: ask for the permission or use another token (${text})`;
    default:
      return text;
  }
}

/** Returns the name of a status, such as "UNAVAILABLE". */
export function codeName(code: status): string {
  return status[code];
}

/** Returns the pause after this number of failures: exponential, with share (0.0 to 1.0) as full jitter. */
export function retryDelayMs(failures: number, firstMs: number, limitMs: number, share: number): number {
  return share * Math.min(limitMs, firstMs * 2 ** Math.min(failures - 1, 32));
}

function isHttp1(failure: Failure): boolean {
  return failure.code === status.UNAVAILABLE && NOT_HTTP2.test(failure.message);
}

/** Returns RetryInfo and ErrorInfo of an encoded google.rpc.Status. Their field numbers spare a dependency. */
function readDetails(encoded: Uint8Array): { pauseMs?: number; forbidden?: string } {
  const found: { pauseMs?: number; forbidden?: string } = {};
  try {
    for (const any of messages(encoded, 3)) {
      const type = text(messages(any, 1)[0]);
      const value = messages(any, 2)[0] ?? new Uint8Array();
      if (type.endsWith("/google.rpc.RetryInfo")) {
        found.pauseMs = durationMs(messages(value, 1)[0] ?? new Uint8Array());
      } else if (type.endsWith("/google.rpc.ErrorInfo") && text(messages(value, 1)[0]) === "CONNECTION_NOT_ALLOWED") {
        const entry = messages(value, 3).find((each) => text(messages(each, 1)[0]) === "connection");
        if (entry !== undefined) {
          found.forbidden = text(messages(entry, 2)[0]);
        }
      }
    }
  } catch {
    return {}; // bytes that are no google.rpc.Status
  }
  return found;
}

function text(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "" : Buffer.from(bytes).toString();
}

/** Returns the values of a length-delimited field. */
function messages(encoded: Uint8Array, field: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  const reader = new BinaryReader(encoded);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === field && wireType === WireType.LengthDelimited) {
      found.push(reader.bytes());
    } else {
      reader.skip(wireType, number);
    }
  }
  return found;
}

/** Returns a google.protobuf.Duration: seconds in field 1, nanoseconds in field 2. */
function durationMs(encoded: Uint8Array): number {
  const reader = new BinaryReader(encoded);
  let milliseconds = 0;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType !== WireType.Varint) {
      reader.skip(wireType, number);
    } else {
      const value = Number(reader.int64());
      milliseconds += number === 1 ? value * 1000 : number === 2 ? value / 1e6 : 0;
    }
  }
  return milliseconds;
}
