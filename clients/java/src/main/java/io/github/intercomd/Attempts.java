package io.github.intercomd;

import java.lang.System.Logger.Level;
import java.time.Duration;

/** The failed calls of one request. It decides how long to wait before the next one, and when to give up. */
final class Attempts {
  /** How long a refused request is repeated after calls have succeeded: long enough to replace a token. */
  static final Duration REFUSED_MAX = Duration.ofMinutes(5);

  /** The time between two warnings about the refusal. */
  private static final Duration REFUSED_WARNING = Duration.ofMinutes(1);

  private static final System.Logger LOGGER = System.getLogger("io.github.intercomd");

  private final Settings settings;
  private int failures;
  private long firstAt;
  private boolean isRefused;
  private long refusedAt;
  private long warnedAt;

  Attempts(Settings settings) {
    this.settings = settings;
  }

  /** Returns the number of failed calls. */
  int failures() {
    return failures;
  }

  /**
   * Returns how many nanoseconds to wait before the request is repeated.
   *
   * @param explained the failure in one line
   * @param hasSucceeded whether an earlier call of the publisher succeeded
   * @param now the time of {@link System#nanoTime}
   * @param share a random number from 0.0 to 1.0
   * @throws PublishException repeating does not help, or has lasted too long
   */
  long pause(Advice advice, Failure failure, String explained, boolean hasSucceeded, long now, double share) {
    failures += 1;
    if (failures == 1) {
      firstAt = now;
    }
    long pause =
        failure.pause() == null || failure.pause().isZero()
            ? retryDelay(failures, Nanos.of(settings.backoff()), Nanos.of(settings.backoffMax()), share)
            : failure.pause().toNanos();
    if (advice == Advice.STOP) {
      checkRefusal(failure, explained, hasSucceeded, now);
    } else {
      isRefused = false;
    }
    if (settings.repeatMax() != null && now - firstAt + pause > Nanos.of(settings.repeatMax())) {
      throw new PublishException("gave up after " + failures + " calls: " + explained, failure.code(), failure.cause());
    }
    if (advice != Advice.STOP && failures == 1) {
      LOGGER.log(Level.WARNING, "publishing failed ({0}), repeating in {1} ms", explained, pause / 1_000_000);
    }
    return pause;
  }

  /** Throws, unless earlier calls succeeded: then a refusal may last 5 minutes, as during a rollout. */
  private void checkRefusal(Failure failure, String explained, boolean hasSucceeded, long now) {
    boolean isFirst = !isRefused;
    if (isFirst) {
      isRefused = true;
      refusedAt = now;
    }
    long lasted = now - refusedAt;
    if (!hasSucceeded || lasted >= REFUSED_MAX.toNanos()) {
      throw new PublishException("publishing was refused: " + explained, failure.code(), failure.cause());
    }
    if (isFirst || now - warnedAt >= REFUSED_WARNING.toNanos()) {
      warnedAt = now;
      long seconds = REFUSED_MAX.minusNanos(lasted).toSeconds();
      LOGGER.log(Level.WARNING, "publishing is refused, repeating for another {0} s: {1}", seconds, explained);
    }
  }

  /** Returns the pause after this number of failures: exponential, with share (0.0 to 1.0) as full jitter. */
  static long retryDelay(int failures, long first, long limit, double share) {
    return (long) (share * Math.min((double) limit, (double) first * Math.pow(2, Math.min(failures - 1, 62))));
  }
}
