// Performs the commands of the conformance scenarios: one JSON object a line on the standard input, one reply a line on the
// standard output, and the client's log on the standard error. clients/conformance/README.md describes the commands.
import { createInterface } from "node:readline";

import { create, fromBinary, fromJson, toBinary, toJson, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { ChannelCredentials, Client } from "@grpc/grpc-js";

import { attributes, customEvent, Disposition, float, link, money, newEnvelopeId, Publisher, tag, type Envelope, type EnvelopeInit, type EnvelopeResult, type PublisherOptions, type Tls } from "../index.js";
import { EnvelopeSchema, PublishRequestSchema, PublishResponseSchema, type PublishRequest } from "../v1.js";

interface Options {
  token?: string;
  token_file?: string;
  tls?: boolean;
  ca_file?: string;
  certificate_file?: string;
  key_file?: string;
  server_name?: string;
  linger_ms?: number;
  batch_envelopes_max?: number;
  batch_bytes_max?: number;
  buffer_bytes_max?: number;
  calls_in_flight_max?: number;
  call_timeout_ms?: number;
  repeat_max_ms?: number;
  validate_only?: boolean;
  callback_raises?: boolean;
}

interface Command {
  do: string;
  target?: string;
  options?: Options;
  envelopes?: JsonValue[];
  envelope?: JsonValue;
  count?: number;
  prefix?: string;
  users?: number;
  padded?: boolean;
  case?: string;
  timeout_ms?: number;
}

type Fields = Exclude<MessageInitShape<typeof EnvelopeSchema>, Envelope>;
type Reply = Record<string, unknown>;

const FIRST_EVENT_MS = Date.UTC(2026, 0, 1);
let publisher: Publisher;
let results: Reply[] = [];
let rejected: string[] = [];

const commands: Record<string, (command: Command) => Promise<Reply> | Reply> = {
  open({ target, options = {} }) {
    results = [];
    rejected = [];
    publisher = new Publisher(target, optionsOf(options));
    return {};
  },
  async publish({ envelopes = [] }) {
    let taken = 0;
    try {
      for (const fields of envelopes) {
        await publisher.publish(fromJson(EnvelopeSchema, fields));
        taken += 1;
      }
    } catch (error) {
      return { taken, error: textOf(error) };
    }
    return { taken };
  },
  async publish_many({ count = 0, prefix = "", users = 1, padded = false }) {
    const padding = padded ? Object.fromEntries([0, 1, 2, 3, 4].map((place) => [`p${place}`, "x".repeat(250)])) : {};
    for (let number = 0; number < count; number += 1) {
      await publisher.publish({
        envelopeId: `${prefix}${number}`,
        identity: { customerId: `user-${number % users}` },
        eventTime: new Date(FIRST_EVENT_MS + number * 1000),
        event: customEvent("counted", padding),
      });
    }
    return { taken: count };
  },
  async publish_and_wait({ envelope = null, timeout_ms }) {
    const limit = timeout_ms === undefined ? {} : { timeoutMs: timeout_ms };
    return { result: summary(await publisher.publishAndWait(fromJson(EnvelopeSchema, envelope), limit)) };
  },
  async flush({ timeout_ms }) {
    await publisher.flush(timeout_ms === undefined ? {} : { timeoutMs: timeout_ms });
    return {};
  },
  results() {
    return { results, rejected };
  },
  async close({ timeout_ms }) {
    const left = await publisher.close(timeout_ms === undefined ? {} : { timeoutMs: timeout_ms });
    const unanswered = left.map((envelope) => envelope.envelopeId);
    return left.length > 0 ? { unanswered, error: `${left.length} envelopes: ${textOf(publisher.failure)}` } : { unanswered };
  },
  async leaks() {
    // A socket that was told to close does so in a later turn of the event loop.
    for (let turn = 0; turn < 200 && resources() > 0; turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return { left: resources() };
  },
  async rate({ target = "", count = 0, case: how }) {
    const envelopes = Array.from({ length: count }, (_, number): Fields => ({
      envelopeId: newEnvelopeId(),
      identity: { customerId: `user-${number % 1000}` },
      event: customEvent("counted", { number }),
    }));
    const start = performance.now();
    await (how === "stubs" ? publishByStubs : publishByClient)(target, envelopes);
    return { per_second: (count * 1000) / (performance.now() - start) };
  },
  build() {
    const envelope = create(EnvelopeSchema, {
      envelopeId: "built",
      identity: { customerId: "42", email: "ada@example.com" },
      userAttributes: attributes({
        text: "Zoë 🎉",
        empty: "",
        largest: 2n ** 63n - 1n,
        smallest: -(2n ** 63n),
        number: 0.5,
        "whole number": float(3),
        yes: true,
        no: false,
        moment: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
        list: ["a", "b"],
        price: money("19.99", "USD"),
        page: link("https://example.com/", "Page"),
        tagged: tag(),
      }),
      event: customEvent("built", { seats: 12 }),
    });
    return { envelope: toJson(EnvelopeSchema, envelope) };
  },
  async misuse({ case: name }) {
    switch (name) {
      case "no_envelope":
        await publisher.publish(null as unknown as EnvelopeInit);
        return {};
      case "invalid_text":
        await publisher.publish({ identity: { customerId: "\udcff" } });
        return {};
      case "wrong_type":
        attributes({ plan: Symbol("x") as unknown as string });
        return {};
      case "naive_time":
        return { not_applicable: "a Date is a moment" };
      default:
        return { not_applicable: `unknown case ${name ?? ""}` };
    }
  },
  ends_by_itself() {
    return {};
  },
  fork() {
    return { not_applicable: "Node does not fork" };
  },
};

async function publishByClient(target: string, envelopes: Fields[]): Promise<void> {
  const one = new Publisher(target);
  for (const envelope of envelopes) {
    await one.publish(envelope);
  }
  await one.close();
}

/** Publishes in batches of 200, as a program without the client does. */
async function publishByStubs(target: string, envelopes: Fields[]): Promise<void> {
  const client = new Client(target, ChannelCredentials.createInsecure());
  for (let first = 0; first < envelopes.length; first += 200) {
    const request = create(PublishRequestSchema, { envelopes: envelopes.slice(first, first + 200) });
    await new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(
        "/intercomd.v1.IngestService/Publish",
        (message: PublishRequest) => Buffer.from(toBinary(PublishRequestSchema, message)),
        (encoded) => fromBinary(PublishResponseSchema, encoded),
        request,
        (error) => {
          if (error === null) {
            resolve();
          } else {
            reject(error);
          }
        },
      );
    });
  }
  client.close();
}

function optionsOf(options: Options): PublisherOptions {
  const raise = (): void => {
    if (options.callback_raises) {
      throw new Error("a callback that raises");
    }
  };
  const tls: Tls | undefined =
    options.tls || options.ca_file !== undefined
      ? defined({ caFile: options.ca_file, certificateFile: options.certificate_file, keyFile: options.key_file, serverName: options.server_name })
      : undefined;
  return {
    ...defined({
      tls,
      token: options.token,
      tokenFile: options.token_file,
      lingerMs: options.linger_ms,
      batchEnvelopesMax: options.batch_envelopes_max,
      batchBytesMax: options.batch_bytes_max,
      bufferBytesMax: options.buffer_bytes_max,
      callsInFlightMax: options.calls_in_flight_max,
      callTimeoutMs: options.call_timeout_ms,
      repeatMaxMs: options.repeat_max_ms,
      validateOnly: options.validate_only,
    }),
    onResults(each) {
      results.push(...each.map(summary));
      raise();
    },
    onRejected(envelope) {
      rejected.push(envelope.envelopeId);
      raise();
    },
  };
}

/** Returns an object without the fields that are undefined. */
function defined<Type extends object>(fields: Type): { [Name in keyof Type]?: NonNullable<Type[Name]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [Name in keyof Type]?: NonNullable<Type[Name]> };
}

function summary(result: EnvelopeResult): Reply {
  return {
    id: result.envelopeId,
    disposition: Disposition[result.disposition],
    reasons: result.violations.map((violation) => violation.reason),
    adjustments: result.adjustments.map((adjustment) => adjustment.reason),
  };
}

/** Counts sockets and timers that keep the process alive. */
function resources(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP") || name === "Timeout").length;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const command = JSON.parse(line) as Command;
  if (command.do === "exit") {
    break;
  }
  let reply: Reply;
  try {
    reply = (await commands[command.do]?.(command)) ?? { not_applicable: `unknown command ${command.do}` };
  } catch (error) {
    reply = { error: textOf(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
