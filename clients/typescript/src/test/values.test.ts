import assert from "node:assert/strict";
import { test } from "node:test";

import { fromBinary } from "@bufbuild/protobuf";

import { Buffer as EnvelopeBuffer } from "../buffer.js";
import { EnvelopeIds, newEnvelopeId } from "../envelope-id.js";
import { envelopeOf, newFrame, type EnvelopeInit } from "../frame.js";
import { PublishRequestSchema } from "../gen/intercomd/v1/ingest_pb.js";
import { withDefaults } from "../options.js";
import { checkTarget, isLocal } from "../target.js";
import { attributes, float, money, type Value } from "../values.js";

const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("numbers are integers if they are safe ones", () => {
  const cases: [Value, string, unknown][] = [
    [3, "integerValue", 3n],
    [-3, "integerValue", -3n],
    [Number.MAX_SAFE_INTEGER, "integerValue", 9007199254740991n],
    [2 ** 53, "numberValue", 2 ** 53],
    [0.5, "numberValue", 0.5],
    [-0, "numberValue", -0],
    [NaN, "numberValue", NaN],
    [2n ** 63n - 1n, "integerValue", 2n ** 63n - 1n],
    [float(3), "numberValue", 3],
  ];
  for (const [value, kind, expected] of cases) {
    assert.deepEqual(attributes({ a: value })[0]?.value?.kind, { case: kind, value: expected });
  }
});

test("a value that an attribute cannot hold is an error that names the attribute", () => {
  for (const value of [null, undefined, {}, Symbol("x"), () => 1, new Date(NaN), [1], 2n ** 63n]) {
    assert.throws(() => attributes({ plan: value as Value }), /attribute "plan"/);
  }
  assert.throws(() => money(19.99 as unknown as string, "USD"), /exact amount/);
});

test("ids increase even if the clock is set back", () => {
  const ids = new EnvelopeIds();
  let last = "";
  for (const now of [1000, 1000, 1001, 5, 1001, 2000, 1999]) {
    const id = ids.next(now);
    assert.match(id, UUID7);
    assert.ok(id > last, `${id} after ${last}`);
    last = id;
  }
  assert.ok(last.startsWith("00000000-07d0-7"), "the latest millisecond stays");
  assert.equal(new Set(Array.from({ length: 5000 }, newEnvelopeId)).size, 5000);
});

test("a frame keeps the envelope, with an id and the trace context", () => {
  const given = { identity: { customerId: "42" }, userAttributes: attributes({ plan: "pro" }) };
  const kept = envelopeOf(newFrame(given, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  assert.match(kept.envelopeId, UUID7);
  assert.equal(kept.traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  assert.equal(kept.identity?.customerId, "42");
  assert.ok(!("envelopeId" in given));
});

test("the time of an event may be a Date", () => {
  const kept = envelopeOf(newFrame({ eventTime: new Date(Date.UTC(2026, 0, 2)) }));
  assert.equal(kept.eventTime?.seconds, 1767312000n);
});

test("frames joined are one request", () => {
  const joined = Buffer.concat([newFrame({ envelopeId: "a" }), newFrame({ envelopeId: "b" })]);
  assert.deepEqual(
    fromBinary(PublishRequestSchema, joined).envelopes.map((envelope) => envelope.envelopeId),
    ["a", "b"],
  );
});

test("what cannot be sent is an error that names the field", () => {
  assert.throws(() => newFrame(null as unknown as EnvelopeInit), /takes an envelope, not null/);
  assert.throws(() => newFrame("x" as unknown as EnvelopeInit), /takes an envelope, not string/);
  assert.throws(() => newFrame({ identity: { customerId: "\ud800" } }), /identity\.customerId is not Unicode/);
  assert.throws(() => newFrame({ userAttributes: attributes({ a: "\udc00" }) }), /userAttributes\[0\]/);
  const wrong = (value: unknown): never => value as never;
  assert.throws(() => newFrame({ identity: { customerId: wrong(42) } }), /identity\.customerId is 42: use a string/);
  assert.throws(() => newFrame({ source: wrong("web") }), /source/);
  assert.throws(() => newFrame({ removedUserAttributes: wrong("plan") }), /removedUserAttributes/);
  assert.throws(() => newFrame({ removedUserAttributes: [wrong(null)] }), /removedUserAttributes\[0\] is null/);
  assert.throws(() => newFrame({ eventTime: new Date(NaN) }), /eventTime is an invalid Date/);
  assert.throws(() => newFrame({ event: { case: "customEvent", value: wrong(7) } }), /customEvent/);
  assert.throws(() => newFrame({ event: { case: "customEvent", value: { name: wrong(true) } } }), /customEvent\.name is true/);
});

test("the buffer fills batches in order, within its bound", () => {
  const buffer = new EnvelopeBuffer(withDefaults({ batchEnvelopesMax: 3, batchBytesMax: 10, bufferBytesMax: 20 }));
  for (const size of [1, 1, 1, 6, 6]) {
    assert.ok(buffer.hasRoom(size));
    buffer.put(new Uint8Array(size), undefined, 0);
  }
  assert.ok(!buffer.hasRoom(6));
  assert.equal(buffer.take(0)?.frames.length, 3);
  assert.equal(buffer.take(0)?.frames.length, 1);
  assert.equal(buffer.take(0), undefined);
  assert.equal(buffer.dueAt, 10);
  buffer.hasten();
  assert.equal(buffer.take(0)?.frames.length, 1);
});

test("options out of range are errors that name the option", () => {
  for (const name of ["batchEnvelopesMax", "bufferBytesMax", "lingerMs", "callTimeoutMs"]) {
    assert.throws(() => withDefaults({ [name]: -1 }), new RegExp(name));
    assert.throws(() => withDefaults({ [name]: NaN }), new RegExp(name));
  }
});

test("malformed targets are errors that name the mistake", () => {
  for (const target of ["127.0.0.1:50051", "[::1]:50051", "intercomd:1", "dns:///intercomd:50051", "ipv4:10.0.0.1:1,10.0.0.2:1", "unix:/run/x"]) {
    checkTarget(target);
  }
  const cases: [string, RegExp][] = [
    ["", /empty/],
    [" 127.0.0.1:1", /white space/],
    ["http://127.0.0.1:1", /URL/],
    ["127.0.0.1", /no port/],
    ["::1", /no port/],
    [":1", /no host/],
    ["a:1/path", /path/],
    ["a:0", /1 to 65535/],
    ["a:65536", /1 to 65535/],
    ["unix:", /no path/],
  ];
  for (const [target, expected] of cases) {
    assert.throws(() => { checkTarget(target); }, expected);
  }
});

test("only loopback and Unix sockets are local", () => {
  for (const target of ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "a.localhost.:1", "unix:/x", "ipv4:127.0.0.1:1,127.0.0.2:1"]) {
    assert.ok(isLocal(target), target);
  }
  for (const target of ["10.0.0.1:1", "ipv4:127.0.0.1:1,10.0.0.1:1", "localhost.example:1", "dns:///intercomd:1"]) {
    assert.ok(!isLocal(target), target);
  }
});
