// Processor time and rate of the two gRPC libraries for Node, with the messages of clients/typescript: 20,000 envelopes in
// batches of 200, validated only, by a daemon that runs at the given address.
//
//     cd clients/typescript && npm ci && npm run build && npm install --no-save @connectrpc/connect @connectrpc/connect-node
//     cp ../../tests/bench/node_transports.mjs . && node node_transports.mjs 127.0.0.1:50051
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ChannelCredentials, Client } from "@grpc/grpc-js";

import { customEvent } from "./dist/esm/index.js";
import { IngestService, PublishRequestSchema, PublishResponseSchema } from "./dist/esm/v1.js";

const COUNT = 20_000;
const BATCH = 200;
const ROUNDS = 4;
const target = process.argv[2] ?? "127.0.0.1:50051";
const envelopes = Array.from({ length: COUNT }, (_, number) => ({
  identity: { customerId: `user-${number % 1000}` },
  event: customEvent("counted", { number }),
}));

async function measure(name, publish) {
  const begun = performance.now();
  const before = process.cpuUsage();
  for (let first = 0; first < COUNT; first += BATCH) {
    await publish({ envelopes: envelopes.slice(first, first + BATCH), validateOnly: true });
  }
  const { user, system } = process.cpuUsage(before);
  const perSecond = (COUNT * 1000) / (performance.now() - begun);
  console.log(`${name}: ${((user + system) / COUNT).toFixed(1)} µs an envelope, ${perSecond.toFixed(0)} envelopes/s`);
}

const connect = createClient(IngestService, createGrpcTransport({ baseUrl: `http://${target}` }));
const grpc = new Client(target, ChannelCredentials.createInsecure());

function callByGrpc(fields) {
  return new Promise((resolve, reject) => {
    grpc.makeUnaryRequest(
      "/intercomd.v1.IngestService/Publish",
      (message) => Buffer.from(toBinary(PublishRequestSchema, message)),
      (encoded) => fromBinary(PublishResponseSchema, encoded),
      create(PublishRequestSchema, fields),
      (error, response) => (error === null ? resolve(response) : reject(error)),
    );
  });
}

for (let round = 0; round < ROUNDS; round += 1) {
  await measure("connect-node", (fields) => connect.publish(fields));
  await measure("grpc-js", callByGrpc);
}
grpc.close();
process.exit(0); // connect-node's session stays open
