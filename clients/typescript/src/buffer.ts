import type { Frame } from "./frame.js";
import type { EnvelopeResult } from "./gen/intercomd/v1/ingest_pb.js";
import type { Settings } from "./options.js";

/** A caller that waits for one result. */
export interface Waiter {
  resolve(result: EnvelopeResult): void;
  reject(error: Error): void;
}

/** Frames that are sent together, and the callers that wait for their results, by the frame's place. */
export class Batch {
  readonly frames: Frame[] = [];
  readonly waiters = new Map<number, Waiter>();
  bytes = 0;
  /** The number of frames, from the first on, that have their result. */
  answered = 0;

  constructor(public dueAt: number) {}

  /** Passes the results of the next frames to the callers that wait for them. */
  resolve(results: readonly EnvelopeResult[]): void {
    for (const result of results) {
      this.waiters.get(this.answered)?.resolve(result);
      this.waiters.delete(this.answered);
      this.answered += 1;
    }
  }
}

/** Batches from their first frame to their last result. It decides when a batch is due and whether a frame has room. */
export class Buffer {
  readonly #settings: Settings;
  readonly #unfinished = new Set<Batch>();
  readonly #untaken: Batch[] = [];
  /** The last of the untaken batches, while it has room. */
  #open: Batch | undefined;
  #bytes = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Returns whether a frame may be put now. A frame above the whole bound may if the buffer is empty. */
  hasRoom(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#settings.bufferBytesMax;
  }

  /** Adds a frame at the end; returns whether it filled a batch. */
  put(frame: Frame, waiter: Waiter | undefined, now: number): boolean {
    let filled = false;
    let batch = this.#open;
    if (batch === undefined || batch.bytes + frame.length > this.#settings.batchBytesMax) {
      filled = batch !== undefined;
      this.hasten();
      batch = this.#open = new Batch(now + this.#settings.lingerMs);
      this.#untaken.push(batch);
      this.#unfinished.add(batch);
    }
    if (waiter !== undefined) {
      batch.waiters.set(batch.frames.length, waiter);
    }
    batch.frames.push(frame);
    batch.bytes += frame.length;
    this.#bytes += frame.length;
    if (batch.frames.length >= this.#settings.batchEnvelopesMax) {
      this.hasten();
      this.#open = undefined;
      filled = true;
    }
    return filled;
  }

  /** Makes the open batch due now, without its linger. It still accepts frames until it is taken. */
  hasten(): void {
    if (this.#open !== undefined) {
      this.#open.dueAt = -Infinity;
    }
  }

  /** Returns when the next batch is due; undefined: there is none. */
  get dueAt(): number | undefined {
    return this.#untaken[0]?.dueAt;
  }

  /** Returns the next batch that is due, in the order in which they were filled; undefined: none is due. */
  take(now: number): Batch | undefined {
    const batch = this.#untaken[0];
    if (batch === undefined || batch.dueAt > now) {
      return undefined;
    }
    this.#untaken.shift();
    if (batch === this.#open) {
      this.#open = undefined;
    }
    return batch;
  }

  /** Frees the room of a batch whose frames all have their results. */
  settle(batch: Batch): void {
    this.#unfinished.delete(batch);
    this.#bytes -= batch.bytes;
  }

  /** Returns the batches that have frames without a result. */
  get unfinished(): Batch[] {
    return [...this.#unfinished];
  }

  /** Returns whether a batch has frames without a result. */
  isUnfinished(batch: Batch): boolean {
    return this.#unfinished.has(batch);
  }

  /** Ends the wait of all callers. */
  fail(error: Error): void {
    for (const batch of this.#unfinished) {
      for (const waiter of batch.waiters.values()) {
        waiter.reject(error);
      }
      batch.waiters.clear();
    }
  }

  /** Returns the frames without a result, in their order. */
  get unanswered(): Frame[] {
    return this.unfinished.flatMap((batch) => batch.frames.slice(batch.answered));
  }
}
