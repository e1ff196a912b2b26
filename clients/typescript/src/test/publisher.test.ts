import assert from "node:assert/strict";
import { test } from "node:test";

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";

import { Disposition, PublishRequestSchema, PublishResponseSchema, type PublishRequest, type PublishResponse } from "../gen/intercomd/v1/ingest_pb.js";
import { Publisher } from "../publisher.js";

/** Starts a daemon in this process that returns these results for an envelope's id; returns it and its address. */
async function startDaemon(resultsOf: (envelopeId: string) => { envelopeId: string; disposition: Disposition }[]): Promise<[Server, string]> {
  const server = new Server();
  const publish = {
    path: "/intercomd.v1.IngestService/Publish",
    requestStream: false,
    responseStream: false,
    requestDeserialize: (bytes: Buffer) => fromBinary(PublishRequestSchema, bytes),
    requestSerialize: (request: PublishRequest) => Buffer.from(toBinary(PublishRequestSchema, request)),
    responseDeserialize: (bytes: Buffer) => fromBinary(PublishResponseSchema, bytes),
    responseSerialize: (response: PublishResponse) => Buffer.from(toBinary(PublishResponseSchema, response)),
  };
  server.addService(
    { publish },
    {
      publish({ request }: ServerUnaryCall<PublishRequest, PublishResponse>, respond: sendUnaryData<PublishResponse>) {
        const results = request.envelopes.flatMap(({ envelopeId }) => resultsOf(envelopeId));
        respond(null, create(PublishResponseSchema, { results }));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) {
        resolve(bound);
      } else {
        reject(error);
      }
    });
  });
  return [server, `127.0.0.1:${port}`];
}

test("the error of an async callback is logged, and publishing goes on", async () => {
  const [server, target] = await startDaemon((envelopeId) => [{ envelopeId, disposition: Disposition.REJECTED }]);
  const errors: string[] = [];
  const fail = async (): Promise<void> => {
    await Promise.resolve();
    throw new Error("the caller's own mistake");
  };
  const logger = { info: () => undefined, warn: () => undefined, error: (text: string) => errors.push(text) };
  const publisher = new Publisher(target, { onResults: fail, onRejected: fail, logger });
  for (const envelopeId of ["a", "b"]) {
    assert.equal((await publisher.publishAndWait({ envelopeId })).envelopeId, envelopeId);
  }
  assert.deepEqual(await publisher.close(), []);
  server.forceShutdown();
  assert.equal(errors.filter((text) => text.includes("the caller's own mistake")).length, 4);
});

test("results of other envelopes stop the publisher, and no envelope is lost", async () => {
  const accepted = (envelopeId: string): { envelopeId: string; disposition: Disposition } => ({ envelopeId, disposition: Disposition.ACCEPTED });
  for (const [results, fault] of [
    [[], "0 results for 1 envelopes"],
    [[accepted("a"), accepted("b")], "2 results for 1 envelopes"],
    [[accepted("b")], 'the result of envelope "b" in place of "a"'],
    [[{ envelopeId: "a", disposition: Disposition.UNSPECIFIED }], 'a result without a disposition for envelope "a"'],
  ] as const) {
    const [server, target] = await startDaemon(() => [...results]);
    const publisher = new Publisher(target);
    await assert.rejects(publisher.publishAndWait({ connection: "eu", envelopeId: "a" }), new RegExp(`^PublishError: ${fault}: .+ is not intercomd`));
    assert.deepEqual((await publisher.close()).map(({ envelopeId }) => envelopeId), ["a"]);
    server.forceShutdown();
  }
});
