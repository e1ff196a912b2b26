package io.github.intercomd;

import java.time.Duration;

/** Converts durations for {@link System#nanoTime}, whose differences hold 292 years. */
final class Nanos {
  /** Far longer than any process lives, and far from an overflow when added to a time. */
  static final long FOR_EVER = Long.MAX_VALUE / 4;

  private Nanos() {}

  /** Returns a duration in nanoseconds, at most {@link #FOR_EVER}, at least 0. */
  static long of(Duration duration) {
    if (duration.isNegative()) {
      return 0;
    }
    return duration.compareTo(Duration.ofNanos(FOR_EVER)) > 0 ? FOR_EVER : duration.toNanos();
  }
}
