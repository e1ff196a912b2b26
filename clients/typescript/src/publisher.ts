import { Access } from "./access.js";
import { Buffer, type Batch, type Waiter } from "./buffer.js";
import { PublisherClosedError, PublishError, TimeoutError } from "./errors.js";
import { closed, opened } from "./exit.js";
import { envelopeOf, newFrame, type EnvelopeInit, type Frame } from "./frame.js";
import type { Envelope } from "./gen/intercomd/v1/envelope_pb.js";
import type { EnvelopeResult } from "./gen/intercomd/v1/ingest_pb.js";
import { withDefaults, type PublisherOptions, type Settings } from "./options.js";
import { Sender } from "./sender.js";
import { currentTraceparent } from "./trace.js";

const RESULT_MS = 30_000;

/** How long to wait. */
export interface TimeLimit {
  readonly timeoutMs?: number;
}

/**
 * Sends envelopes to intercomd: in batches, in the order of the calls to `publish`, until each has its result.
 *
 * It opens its connection at the first `publish`. It repeats calls that failed for a transient reason, for ever by default.
 * A repeat carries the same envelope ids, so that the daemon accepts nothing twice.
 *
 * A process that ends by itself waits for its calls in flight, at most `callTimeoutMs` each. Then it sends what is in the
 * buffer, for at most 5 s, and logs how many envelopes are left.
 * `process.exit` and signals only log it, or nothing: close the publisher before.
 */
export class Publisher {
  readonly #settings: Settings;
  readonly #sender: Sender;
  readonly #buffer: Buffer;
  readonly #abort = new AbortController();
  /** Calls of `publish` that wait for room or for their turn, in their order. */
  readonly #queue: (() => void)[] = [];
  /** Those that wait for a change: senders, and callers of `flush`. */
  readonly #watchers = new Set<() => void>();
  #senders: Promise<void>[] = [];
  #batchFilled = false;
  #refusal: PublishError | undefined;
  #failure: PublishError | undefined;
  #closing: Promise<void> | undefined;
  #unanswered: Envelope[] = [];

  /**
   * @param target - the address where intercomd listens, in gRPC's syntax: "host:port", "unix:/run/intercomd.sock".
   * @throws Error an argument can never work; the message names it.
   */
  constructor(target = "127.0.0.1:50051", options: PublisherOptions = {}) {
    this.#settings = withDefaults(options);
    this.#buffer = new Buffer(this.#settings);
    this.#sender = new Sender(new Access(target, this.#settings), this.#settings);
  }

  /** The reason why the publisher has stopped or was closed; undefined: it works. */
  get failure(): PublishError | undefined {
    return this.#failure;
  }

  /** The envelopes that `close` returned: those without a result, in their order, with their ids. */
  get unanswered(): Envelope[] {
    return [...this.#unanswered];
  }

  /** How many envelopes have no result yet. */
  get pending(): number {
    return this.#buffer.unanswered.length;
  }

  /**
   * Takes an envelope, to send it soon. The promise waits only while the buffer is full.
   *
   * The envelope is encoded here and now, and may be used again afterwards. One without an id gets a new UUIDv7.
   *
   * @throws TypeError the argument is not an envelope.
   * @throws PublishError the publisher is closed or has stopped; it does not send the envelope.
   */
  async publish(envelope: EnvelopeInit): Promise<void> {
    await this.#put(newFrame(envelope, currentTraceparent()), undefined);
  }

  /**
   * Takes an envelope, and waits for its result, 30 s by default. Concurrent callers share calls.
   *
   * @throws TimeoutError no result came in time. If the envelope is in the buffer, the publisher still sends it.
   * @throws PublishError the publisher was closed or stopped before the result came.
   */
  async publishAndWait(envelope: EnvelopeInit, { timeoutMs = RESULT_MS }: TimeLimit = {}): Promise<EnvelopeResult> {
    const frame = newFrame(envelope, currentTraceparent());
    return within(timeoutMs, () => this.#late(timeoutMs), (resolve, reject) => {
      this.#put(frame, { resolve, reject }).catch(reject);
    });
  }

  /**
   * Waits until every envelope that was published so far has its result.
   *
   * @throws TimeoutError not all results came in time; the publisher still sends the envelopes.
   * @throws PublishError the publisher has stopped.
   */
  async flush({ timeoutMs = Infinity }: TimeLimit = {}): Promise<void> {
    const batches = this.#buffer.unfinished;
    this.#buffer.hasten();
    this.#notify();
    let watcher: (() => void) | undefined;
    try {
      await within<undefined>(timeoutMs, () => this.#late(timeoutMs), (resolve, reject) => {
        watcher = () => {
          if (this.#failure !== undefined) {
            reject(this.#failure);
          } else if (!batches.some((batch) => this.#buffer.isUnfinished(batch))) {
            resolve(undefined);
          }
        };
        this.#watchers.add(watcher);
        watcher();
      });
    } finally {
      if (watcher !== undefined) {
        this.#watchers.delete(watcher);
      }
    }
  }

  /**
   * Flushes, for `closeTimeoutMs` by default, and ends. It never throws for envelopes that could not be sent.
   *
   * @returns the envelopes without a result, in their order, with their ids, to be published elsewhere or kept. The daemon
   * may have accepted some of them: with the same id they are then duplicates. Another `close` returns the same.
   */
  async close({ timeoutMs = this.#settings.closeTimeoutMs }: TimeLimit = {}): Promise<Envelope[]> {
    this.#closing ??= this.#close(timeoutMs);
    await this.#closing;
    return this.unanswered;
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#refusal ??= new PublisherClosedError();
    this.#notify();
    try {
      await this.flush({ timeoutMs });
    } catch {
      // `unanswered` holds the rest.
    }
    this.#abort.abort();
    await Promise.all(this.#senders);
    this.#fail(new PublisherClosedError());
    this.#sender.close();
    this.#unanswered = this.#buffer.unanswered.map(envelopeOf);
    closed(this);
  }

  /** Closes. If envelopes have no result, it throws a PublishError that holds them. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing !== undefined) {
      return; // the caller of `close` has the envelopes
    }
    const left = await this.close();
    if (left.length > 0) {
      const cause = this.#failure instanceof PublisherClosedError ? this.#sender.lastFailure : this.#failure;
      const reason = cause?.message ?? `within ${this.#settings.closeTimeoutMs} ms`;
      throw new PublishError(`${left.length} envelopes were not answered: ${reason}`, cause?.code, left, { cause });
    }
  }

  /** Adds a frame at the end of the buffer. Callers that wait for room keep their order. */
  async #put(frame: Frame, waiter: Waiter | undefined): Promise<void> {
    if (this.#queue.length > 0 || this.#batchFilled || !this.#buffer.hasRoom(frame.length)) {
      await this.#turn(frame.length);
    }
    if (this.#refusal !== undefined) {
      throw this.#refusal;
    }
    this.#open();
    this.#batchFilled = this.#buffer.put(frame, waiter, performance.now()) || this.#batchFilled;
    this.#notify();
  }

  /** Waits for the turn, and for room. */
  async #turn(bytes: number): Promise<void> {
    if (this.#queue.length > 0) {
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    } else {
      this.#queue.push(() => undefined); // holds the place of this caller
    }
    try {
      if (this.#batchFilled) {
        // Lets the connection send full batches, even if the caller never awaits anything else.
        this.#batchFilled = false;
        await new Promise((resolve) => setImmediate(resolve));
      }
      while (this.#refusal === undefined && !this.#buffer.hasRoom(bytes)) {
        this.#buffer.hasten();
        this.#notify();
        await this.#change(Infinity);
      }
    } finally {
      this.#queue.shift();
      this.#queue[0]?.();
    }
  }

  /** Starts sending, at the first `publish`. */
  #open(): void {
    if (this.#senders.length === 0) {
      opened(this);
      this.#senders = Array.from({ length: this.#settings.callsInFlightMax }, () => this.#sendBatches());
    }
  }

  async #sendBatches(): Promise<void> {
    try {
      for (;;) {
        const batch = await this.#take();
        if (batch === undefined) {
          return;
        }
        await this.#sender.deliver(batch, this.#abort.signal);
        if (this.#abort.signal.aborted && batch.answered < batch.frames.length) {
          return;
        }
        this.#buffer.settle(batch);
        this.#notify();
      }
    } catch (error) {
      this.#fail(error instanceof PublishError ? error : new PublishError(`the publisher stopped: ${String(error)}`, undefined, [], { cause: error }));
    }
  }

  /** Waits for the next batch that is due; undefined: the publisher ends. */
  async #take(): Promise<Batch | undefined> {
    while (!this.#abort.signal.aborted && this.#failure === undefined) {
      const now = performance.now();
      const batch = this.#buffer.take(now);
      if (batch !== undefined) {
        return batch;
      }
      await this.#change((this.#buffer.dueAt ?? Infinity) - now);
    }
    return undefined;
  }

  /** Waits for a change, at most for a time, without keeping the process alive. */
  async #change(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const { signal } = this.#abort;
      const end = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(end);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = timeoutMs === Infinity ? undefined : setTimeout(end, Math.max(0, timeoutMs)).unref();
      this.#watchers.add(end);
      signal.addEventListener("abort", end, { once: true });
    });
  }

  /** Returns the error of a wait for results that has ended; it names the newest failed call. */
  #late(timeoutMs: number): TimeoutError {
    const cause = this.#sender.lastFailure;
    const reason = cause === undefined ? "" : `: ${cause.message}`;
    return new TimeoutError(`no result after ${timeoutMs} ms, and the publisher goes on sending${reason}`, { cause });
  }

  #notify(): void {
    for (const watcher of [...this.#watchers]) {
      watcher();
    }
  }

  #fail(failure: PublishError): void {
    this.#failure ??= failure;
    this.#refusal ??= failure;
    this.#buffer.fail(failure);
    this.#notify();
  }
}

/** Runs an executor as a promise that is rejected after a time. */
function within<Type>(
  timeoutMs: number,
  late: () => TimeoutError,
  executor: (resolve: (value: Type) => void, reject: (error: Error) => void) => void,
): Promise<Type> {
  return new Promise<Type>((resolve, reject) => {
    // The longest timer of Node, above which it fires at once.
    const timer = timeoutMs > 2 ** 31 - 1 ? undefined : setTimeout(() => { reject(late()); }, timeoutMs);
    executor(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
