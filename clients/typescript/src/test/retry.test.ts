import assert from "node:assert/strict";
import { test } from "node:test";

import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { Metadata, status, type ServiceError } from "@grpc/grpc-js";

import { Access } from "../access.js";
import { PublishError } from "../errors.js";
import { withDefaults, type PublisherOptions } from "../options.js";
import { advise, explain, failureOf, readFailure, retryDelayMs, type Failure } from "../retry.js";
import { Attempts, REFUSED_MAX_MS, Sender } from "../sender.js";

function message(...fields: [number, Uint8Array | string | number][]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, value] of fields) {
    if (typeof value === "number") {
      writer.tag(number, WireType.Varint).int64(value);
    } else {
      writer.tag(number, WireType.LengthDelimited).bytes(typeof value === "string" ? Buffer.from(value) : value);
    }
  }
  return writer.finish();
}

function any(type: string, value: Uint8Array): Uint8Array {
  return message([1, `type.googleapis.com/google.rpc.${type}`], [2, value]);
}

function retryInfo(seconds: number, nanoseconds = 0): Uint8Array {
  return any("RetryInfo", message([1, message([1, seconds], [2, nanoseconds])]));
}

function errorInfo(reason: string, connection: string): Uint8Array {
  return any("ErrorInfo", message([1, reason], [2, "intercomd"], [3, message([1, "connection"], [2, connection])]));
}

function failed(code: status, { text = "", pushback = "", details = [] as Uint8Array[], encoded = undefined as Uint8Array | undefined } = {}): Failure {
  const trailers = new Metadata();
  if (pushback !== "") {
    trailers.set("grpc-retry-pushback-ms", pushback);
  }
  if (details.length > 0 || encoded !== undefined) {
    const bytes = encoded ?? message([1, code], [2, text], ...details.map((each): [number, Uint8Array] => [3, each]));
    trailers.set("grpc-status-details-bin", Buffer.from(bytes));
  }
  return readFailure(code, text, trailers);
}

test("a status decides what to do", () => {
  const cases: [Failure, string][] = [
    [failed(status.UNAVAILABLE), "repeat"],
    [failed(status.DEADLINE_EXCEEDED), "repeat"],
    [failed(status.CANCELLED), "repeat"],
    [failed(status.INTERNAL), "repeat"],
    [failed(status.UNKNOWN), "repeat"],
    [failed(status.UNAVAILABLE, { text: "No connection established. Last error: Protocol error" }), "stop"],
    [failed(status.INVALID_ARGUMENT), "divide"],
    [failed(status.RESOURCE_EXHAUSTED, { details: [retryInfo(1)] }), "repeat"],
    [failed(status.RESOURCE_EXHAUSTED), "divide"],
    [failed(status.PERMISSION_DENIED, { details: [errorInfo("CONNECTION_NOT_ALLOWED", "eu")] }), "reject connection"],
    [failed(status.PERMISSION_DENIED, { details: [errorInfo("OPERATIONS_NOT_ALLOWED", "eu")] }), "stop"],
    [failed(status.PERMISSION_DENIED, { encoded: Uint8Array.of(255, 255) }), "stop"],
    [failed(status.UNAUTHENTICATED), "stop"],
    [failed(status.UNIMPLEMENTED), "stop"],
  ];
  for (const [failure, expected] of cases) {
    assert.equal(advise(failure), expected, explain(failure, "target"));
  }
  assert.equal(failed(status.PERMISSION_DENIED, { details: [errorInfo("CONNECTION_NOT_ALLOWED", "eu")] }).forbidden, "eu");
});

test("the daemon's pause is obeyed, at most a minute", () => {
  const cases: [Failure, number | undefined][] = [
    [failed(status.UNAVAILABLE), undefined],
    [failed(status.UNAVAILABLE, { details: [retryInfo(1, 500_000_000)] }), 1500],
    [failed(status.UNAVAILABLE, { pushback: "250", details: [retryInfo(1)] }), 250],
    [failed(status.UNAVAILABLE, { pushback: "0" }), 0],
    [failed(status.UNAVAILABLE, { pushback: "3600000" }), 60_000],
    [failed(status.UNAVAILABLE, { details: [retryInfo(3600)] }), 60_000],
    [failed(status.UNAVAILABLE, { pushback: "soon" }), undefined],
    [failed(status.UNAVAILABLE, { pushback: "-5" }), undefined],
    [failed(status.UNAVAILABLE, { details: [retryInfo(-5)] }), 0],
    [failed(status.UNAVAILABLE, { pushback: "1000000000000" }), 60_000],
    [failed(status.UNAVAILABLE, { pushback: "9".repeat(400) }), 60_000],
  ];
  for (const [failure, expected] of cases) {
    assert.equal(failure.pauseMs, expected);
  }
});

test("a request for no pause gets the backoff", () => {
  const quiet = sender({ logger: { info: () => undefined, warn: () => undefined, error: () => undefined } });
  for (const failure of [failed(status.UNAVAILABLE, { pushback: "0" }), failed(status.RESOURCE_EXHAUSTED, { details: [retryInfo(-1)] })]) {
    assert.equal(advise(failure), "repeat");
    assert.equal(quiet.pauseMs("repeat", failure, new Attempts(), 0, 0.5), 100);
  }
});

test("an error of grpc-js without a status of gRPC is unknown, and is repeated", () => {
  const cases: [unknown, status, string][] = [
    [new Error("Received compressed message but \"grpc-encoding\" header was identity"), status.UNKNOWN, "compressed"],
    [{ code: 99, details: "odd", metadata: new Metadata() }, status.UNKNOWN, "odd"],
    [{ code: NaN }, status.UNKNOWN, ""],
    [{ code: status.UNIMPLEMENTED, details: "No message received", metadata: new Metadata() }, status.INTERNAL, "No message"],
  ];
  for (const [error, code, text] of cases) {
    const failure = failureOf(error as Partial<ServiceError>);
    assert.equal(failure.code, code);
    assert.ok(failure.message.includes(text), failure.message);
    assert.equal(advise(failure), "repeat");
  }
  assert.equal(advise(failureOf({ code: status.UNIMPLEMENTED, details: "unknown service" })), "stop");
});

test("the pause between repeats grows up to its limit", () => {
  for (const [failures, share, expected] of [
    [1, 1, 200],
    [2, 1, 400],
    [3, 0.5, 400],
    [6, 1, 5000],
    [1_000_000, 1, 5000],
    [4, 0, 0],
  ] as const) {
    assert.equal(retryDelayMs(failures, 200, 5000, share), expected);
  }
});

function sender(options: PublisherOptions = {}): Sender {
  const settings = withDefaults(options);
  return new Sender(new Access("127.0.0.1:1", settings), settings);
}

test("a refusal before the first success stops the publisher, and names the fix", () => {
  const refused = failed(status.UNAUTHENTICATED, { text: "no such token" });
  assert.throws(() => sender().pauseMs("stop", refused, new Attempts(), 0, 1), (error: PublishError) => {
    assert.match(error.message, /set token or tokenFile/);
    assert.equal(error.code, "UNAUTHENTICATED");
    return true;
  });
  assert.equal(REFUSED_MAX_MS, 300_000);
});

test("repeatMaxMs ends the repeats", () => {
  const one = sender({ repeatMaxMs: 60_000, logger: { info: () => undefined, warn: () => undefined, error: () => undefined } });
  const attempts = new Attempts();
  const unavailable = failed(status.UNAVAILABLE, { pushback: "1000" });
  assert.equal(one.pauseMs("repeat", unavailable, attempts, 0, 1), 1000);
  assert.equal(one.pauseMs("repeat", unavailable, attempts, 59_000, 1), 1000);
  assert.throws(() => one.pauseMs("repeat", unavailable, attempts, 59_001, 1), /gave up after 3 calls/);
});

test("a connection that is closed before the first success names what may be missing", () => {
  const closed = failed(status.UNAVAILABLE, { text: "No connection established. Last error: Failed to connect" });
  assert.match(explain(closed, "there:1", false, false), /if it expects TLS/);
  assert.match(explain(closed, "there:1", true, false), /if it requires a client certificate/);
  assert.match(explain(closed, "there:1", true, true), /^UNAVAILABLE: /);
  assert.equal(explain(failed(status.UNKNOWN, { text: "two\r\nlines " }), "there:1"), "UNKNOWN: two lines");
});
