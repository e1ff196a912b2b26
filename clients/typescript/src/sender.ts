import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, status, type ServiceError } from "@grpc/grpc-js";

import type { Access } from "./access.js";
import type { Batch } from "./buffer.js";
import { PublishError } from "./errors.js";
import { envelopeOf, idOf, type Frame } from "./frame.js";
import {
  Disposition,
  EnvelopeResultSchema,
  IngestService,
  PublishRequestSchema,
  PublishResponseSchema,
  type EnvelopeResult,
  type PublishResponse,
} from "./gen/intercomd/v1/ingest_pb.js";
import type { Settings } from "./options.js";
import { advise, codeName, explain, failureOf, retryDelayMs, type Advice, type Failure } from "./retry.js";

/** How long a refused request is repeated after calls have succeeded: long enough to replace a token. */
export const REFUSED_MAX_MS = 300_000;
/** The time between two warnings about the refusal. */
const REFUSED_WARNING_MS = 60_000;
/** The daemon's limit. */
const ENVELOPE_ID_BYTES_MAX = 128;
const PUBLISH = `/${IngestService.typeName}/${IngestService.method.publish.name}`;

/** The failed calls of one request. */
export class Attempts {
  failures = 0;
  firstAt = 0;
  refusedAt: number | undefined;
  warnedAt = -Infinity;
}

/** Delivers the batches of one publisher, several at a time, and calls its callbacks. */
export class Sender {
  readonly #access: Access;
  readonly #settings: Settings;
  /** The other fields of the request, which follow the frames. */
  readonly #requestEnd: Uint8Array;
  #client: Client | undefined;
  /** Clients with older TLS files, until the calls of other senders on them have ended. */
  readonly #retired = new Map<Client, NodeJS.Timeout>();
  /** Halved when the daemon refuses a call as a whole, until the bad envelope is found. */
  #callEnvelopesMax: number;
  #hasSucceeded = false;
  /** The newest failed call; undefined after a success. */
  lastFailure: PublishError | undefined;

  constructor(access: Access, settings: Settings) {
    this.#access = access;
    this.#settings = settings;
    this.#callEnvelopesMax = settings.batchEnvelopesMax;
    this.#requestEnd = toBinary(PublishRequestSchema, create(PublishRequestSchema, { validateOnly: settings.validateOnly }));
  }

  /**
   * Makes calls until every frame has its result, or the signal ends it.
   *
   * @throws PublishError the daemon refuses the batch, and repeating does not help.
   */
  async deliver(batch: Batch, signal: AbortSignal): Promise<void> {
    while (batch.answered < batch.frames.length && !signal.aborted) {
      const frames = batch.frames.slice(batch.answered, batch.answered + this.#callEnvelopesMax);
      const results = await this.#results(frames, signal);
      if (results !== undefined) {
        batch.resolve(results);
        this.#report(frames, results);
      }
    }
  }

  close(): void {
    for (const [client, timer] of this.#retired) {
      clearTimeout(timer);
      client.close();
    }
    this.#client?.close();
  }

  /** Returns one result for each frame; undefined if they must be sent in smaller requests, or the signal ended it. */
  async #results(frames: readonly Frame[], signal: AbortSignal): Promise<EnvelopeResult[] | undefined> {
    const attempts = new Attempts();
    const rejected = new Map<number, EnvelopeResult>(); // by the frame's place
    for (;;) {
      const sent = [...frames.keys()].filter((place) => !rejected.has(place));
      const framed = sent.map((place) => known(frames[place]));
      if (sent.length === 0) {
        return frames.map((_, place) => known(rejected.get(place)));
      }
      const request = Buffer.concat([...framed, this.#requestEnd]);
      const reply = await this.#call(request, signal);
      if (!("code" in reply)) {
        this.#accept(reply, framed, attempts);
        const results = reply.results.values();
        return frames.map((_, place) => rejected.get(place) ?? known(results.next().value));
      }
      if (signal.aborted) {
        return undefined;
      }
      this.lastFailure = new PublishError(this.#explain(reply), codeName(reply.code));
      let advice = advise(reply);
      const forbidden = sent.filter((place) => isOf(known(frames[place]), reply.forbidden));
      if (advice === "reject connection" && forbidden.length === 0) {
        advice = "stop"; // no envelope is of that connection: rejecting none and repeating would never end
      }
      if (advice === "reject connection") {
        for (const place of forbidden) {
          rejected.set(place, rejection(known(frames[place]), "CONNECTION_NOT_ALLOWED", "connection", reply.message));
        }
      } else if (advice === "divide" && sent.length > 1) {
        this.#callEnvelopesMax = Math.ceil(sent.length / 2);
        return undefined;
      } else if (advice === "divide" && reply.code === status.INVALID_ARGUMENT) {
        this.#callEnvelopesMax = this.#settings.batchEnvelopesMax;
        const place = known(sent[0]);
        rejected.set(place, rejection(known(frames[place]), "INVALID_ARGUMENT", "", reply.message));
      } else {
        const pause = this.pauseMs(advice, reply, attempts, performance.now(), Math.random());
        if (!(await sleep(pause, signal))) {
          return undefined;
        }
      }
    }
  }

  /** Makes one call; returns its response or its error status. */
  #call(request: Uint8Array, signal: AbortSignal): Promise<PublishResponse | Failure> {
    if (this.#client === undefined || this.#access.tlsChanged()) {
      if (this.#client !== undefined) {
        this.#retire(this.#client);
      }
      this.#client = new Client(this.#access.target, this.#access.credentials(), this.#access.channelOptions());
    }
    const client = this.#client;
    return new Promise((resolve) => {
      const answered = (error: ServiceError | null, response?: PublishResponse): void => {
        signal.removeEventListener("abort", cancel);
        resolve(error === null ? known(response) : failureOf(error));
      };
      const call = client.makeUnaryRequest(
        PUBLISH,
        (encoded: Uint8Array) => Buffer.from(encoded),
        (encoded) => fromBinary(PublishResponseSchema, encoded),
        request,
        this.#access.metadata(),
        { deadline: Date.now() + this.#settings.callTimeoutMs },
        answered,
      );
      const cancel = (): void => {
        call.cancel();
      };
      signal.addEventListener("abort", cancel, { once: true });
    });
  }

  /** Closes a client when the longest call on it has ended. */
  #retire(client: Client): void {
    const close = (): void => {
      this.#retired.delete(client);
      client.close();
    };
    this.#retired.set(client, setTimeout(close, this.#settings.callTimeoutMs).unref());
  }

  #accept(response: PublishResponse, sent: readonly Frame[], attempts: Attempts): void {
    const fault = faultOf(response.results, sent);
    if (fault !== undefined) {
      throw new PublishError(`${fault}: ${this.#access.target} is not intercomd; set the target to its ingest address`);
    }
    if (attempts.failures > 0) {
      this.#settings.logger.info(`publishing goes on after ${attempts.failures} failed calls`);
    }
    this.#hasSucceeded = true;
    this.lastFailure = undefined;
  }

  /**
   * Returns how long to wait before the request is repeated.
   *
   * @param now - milliseconds of a monotonic clock.
   * @param share - a random number from 0.0 to 1.0.
   * @throws PublishError repeating does not help, or has lasted too long.
   */
  pauseMs(advice: Advice, failure: Failure, attempts: Attempts, now: number, share: number): number {
    const { backoffMs, backoffMaxMs, repeatMaxMs, logger } = this.#settings;
    const text = this.#explain(failure);
    attempts.failures += 1;
    if (attempts.failures === 1) {
      attempts.firstAt = now;
    }
    const { pauseMs: requested = 0 } = failure;
    // A request for no pause at all would repeat in a busy loop.
    const pause = requested > 0 ? requested : retryDelayMs(attempts.failures, backoffMs, backoffMaxMs, share);
    if (advice === "stop") {
      this.#checkRefusal(text, failure, attempts, now);
    } else {
      attempts.refusedAt = undefined;
    }
    if (now - attempts.firstAt + pause > repeatMaxMs) {
      throw new PublishError(`gave up after ${attempts.failures} calls: ${text}`, codeName(failure.code));
    }
    if (advice !== "stop" && attempts.failures === 1) {
      logger.warn(`publishing failed (${text}), repeating in ${(pause / 1000).toFixed(1)} s`);
    }
    return pause;
  }

  #explain(failure: Failure): string {
    return explain(failure, this.#access.target, !this.#access.isPlain, this.#hasSucceeded);
  }

  /** Throws, unless earlier calls succeeded: then a refusal may last 5 minutes, as during a rollout. */
  #checkRefusal(text: string, failure: Failure, attempts: Attempts, now: number): void {
    attempts.refusedAt ??= now;
    const lasted = now - attempts.refusedAt;
    if (!this.#hasSucceeded || lasted >= REFUSED_MAX_MS) {
      throw new PublishError(`publishing was refused: ${text}`, codeName(failure.code));
    }
    if (now - attempts.warnedAt >= REFUSED_WARNING_MS) {
      attempts.warnedAt = now;
      const left = Math.round((REFUSED_MAX_MS - lasted) / 1000);
      this.#settings.logger.warn(`publishing is refused, repeating for another ${left} s: ${text}`);
    }
  }

  /** Passes results to the callbacks; without any, it logs the rejected envelopes. */
  #report(frames: readonly Frame[], results: readonly EnvelopeResult[]): void {
    const { onResults, onRejected, logger } = this.#settings;
    if (onResults !== undefined) {
      this.#callBack("onResults", () => onResults(results));
    }
    const rejected = [...results.entries()].filter(([, result]) => result.disposition === Disposition.REJECTED);
    if (onRejected !== undefined) {
      for (const [place, result] of rejected) {
        this.#callBack("onRejected", () => onRejected(envelopeOf(known(frames[place])), result));
      }
    } else if (rejected.length > 0 && onResults === undefined) {
      const reasons = new Set(rejected.flatMap(([, result]) => result.violations.map((violation) => violation.reason)));
      logger.warn(`${rejected.length} of ${results.length} envelopes were rejected: ${[...reasons].sort().join(", ")}`);
    }
  }

  /** Calls a callback; logs its error, also that of an async function, since it must not stop the delivery or the process. */
  #callBack(name: string, call: () => unknown): void {
    const failed = (error: unknown): void => {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#settings.logger.error(`the callback ${name} threw; publishing goes on: ${reason}`);
    };
    try {
      Promise.resolve(call()).catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}

/** Waits, without keeping the process alive; returns false if the signal ended the wait. */
function sleep(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve(!signal.aborted);
    };
    const timer = setTimeout(end, milliseconds).unref();
    signal.addEventListener("abort", end, { once: true });
  });
}

/** Returns what shows that results are not those of the envelopes in frames; undefined: they are. */
function faultOf(results: readonly EnvelopeResult[], sent: readonly Frame[]): string | undefined {
  if (results.length !== sent.length) {
    return `${results.length} results for ${sent.length} envelopes`;
  }
  for (const [place, { envelopeId, disposition }] of results.entries()) {
    const expected = idOf(known(sent[place]));
    if (envelopeId !== expected && !isShortened(envelopeId, expected)) {
      return `the result of envelope "${envelopeId.slice(0, 60)}" in place of "${expected.slice(0, 60)}"`;
    }
    if (disposition === Disposition.UNSPECIFIED) {
      return `a result without a disposition for envelope "${expected.slice(0, 60)}"`;
    }
  }
  return undefined;
}

/** Returns whether an id is the beginning of one above the limit, which the daemon rejects and does not repeat whole. */
function isShortened(returned: string, expected: string): boolean {
  return expected.startsWith(returned) && Buffer.byteLength(expected) > ENVELOPE_ID_BYTES_MAX;
}

/** Returns whether a frame's envelope is of a connection. */
function isOf(frame: Frame, connection: string | undefined): boolean {
  return connection !== undefined && (envelopeOf(frame).connection || "default") === connection;
}

function rejection(frame: Frame, reason: string, field: string, message: string): EnvelopeResult {
  return create(EnvelopeResultSchema, {
    envelopeId: envelopeOf(frame).envelopeId,
    disposition: Disposition.REJECTED,
    violations: [{ reason, field, message }],
  });
}

/** Returns a value that is there. */
function known<Type>(value: Type | undefined): Type {
  if (value === undefined) {
    throw new Error("a value is missing");
  }
  return value;
}
