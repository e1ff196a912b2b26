import { randomFillSync } from "node:crypto";

const COUNTER_BITS = 42n;
const POOL_BYTES = 1024;

const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

/** Returns this many random bytes as a number. The pool spares a system call for each id. */
function random(bytes: number): bigint {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const text = pool.toString("hex", used, used + bytes);
  used += bytes;
  return BigInt(`0x${text}`);
}

/**
 * Generates increasing UUIDv7s, even if the clock is set back.
 *
 * RFC 9562, section 6.2, method 1: after the 48 bits of the millisecond (and the version) a counter of 42 bits around the
 * variant, seeded at random with its highest bit zero, then 32 random bits.
 */
export class EnvelopeIds {
  #millisecond = 0n;
  #counter = 0n;

  /** Returns the next id, greater than all previous ones. */
  next(nowMilliseconds: number): string {
    this.#advance(BigInt(nowMilliseconds));
    const high = (this.#millisecond << 16n) | 0x7000n | (this.#counter >> 30n);
    const low = (1n << 63n) | ((this.#counter & 0x3fffffffn) << 32n) | random(4);
    const text = ((high << 64n) | low).toString(16).padStart(32, "0");
    return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20)}`;
  }

  /** Seeds the counter in a new millisecond; otherwise, or if the clock went back, increments it. */
  #advance(now: bigint): void {
    this.#counter += 1n;
    if (now > this.#millisecond || this.#counter >> COUNTER_BITS !== 0n) {
      this.#millisecond = now > this.#millisecond ? now : this.#millisecond + 1n;
      this.#counter = random(6) >> (48n - COUNTER_BITS + 1n);
    }
  }
}

// One for the process: the ids of all its publishers form one increasing sequence.
const ids = new EnvelopeIds();

/**
 * Returns a new UUIDv7, such as "0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c3d", greater than all previous ones.
 *
 * Publishers assign one to every envelope without an id. Assign it yourself where an envelope may be published twice, and
 * store it with its data, so that the daemon recognizes the repeat.
 */
export function newEnvelopeId(): string {
  return ids.next(Date.now());
}
