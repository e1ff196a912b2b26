package io.github.intercomd;

import java.security.SecureRandom;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Generates increasing UUIDv7s, even if the clock is set back.
 *
 * <p>RFC 9562, section 6.2, method 1: after the 48 bits of the millisecond (and the version) a counter of 42 bits around the
 * variant, seeded at random with its highest bit zero, then 32 random bits.
 */
public final class EnvelopeIds {
  private static final int COUNTER_BITS = 42;

  /** One for the process: the ids of all its publishers form one increasing sequence. */
  private static final EnvelopeIds PROCESS = new EnvelopeIds();

  private final SecureRandom random = new SecureRandom();
  private final ReentrantLock lock = new ReentrantLock();
  private long millisecond;
  private long counter;

  EnvelopeIds() {}

  /**
   * Returns a new UUIDv7, such as "0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c3d", greater than all previous ones.
   *
   * <p>Publishers assign one to every envelope without an id. Assign it yourself where an envelope may be published twice, and
   * store it with its data, so that the daemon recognizes the repeat.
   */
  public static String next() {
    return PROCESS.next(System.currentTimeMillis());
  }

  String next(long now) {
    long low = random.nextInt() & 0xFFFF_FFFFL;
    lock.lock();
    try {
      advance(now);
      long high = millisecond << 16 | 0x7000 | counter >>> 30;
      return new UUID(high, 1L << 63 | (counter & 0x3FFF_FFFFL) << 32 | low).toString();
    } finally {
      lock.unlock();
    }
  }

  /** Seeds the counter in a new millisecond; otherwise, or if the clock went back, increments it. */
  private void advance(long now) {
    counter += 1;
    if (now > millisecond || counter >>> COUNTER_BITS != 0) {
      millisecond = Math.max(now, millisecond + 1);
      counter = random.nextLong() >>> (64 - COUNTER_BITS + 1);
    }
  }
}
