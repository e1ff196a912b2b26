package io.github.intercomd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Status;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AttemptsTest {
  private static final Failure REFUSED = Failure.of(Status.UNAUTHENTICATED, null);
  private static final Failure UNAVAILABLE = new Failure(Status.Code.UNAVAILABLE, "", Duration.ofSeconds(1), null, null);

  private static long refuse(Attempts attempts, boolean hasSucceeded, long seconds) {
    return attempts.pause(Advice.STOP, REFUSED, "no", hasSucceeded, Duration.ofSeconds(seconds).toNanos(), 1);
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1.0, 200",
    "2, 1.0, 400",
    "3, 0.5, 400",
    "6, 1.0, 5000",
    "1000000, 1.0, 5000",
    "4, 0.0, 0"
  })
  void retryDelayGrowsUpToItsLimit(int failures, double share, long expected) {
    assertEquals(expected, Attempts.retryDelay(failures, 200, 5_000, share));
  }

  @Test
  void refusalStopsBeforeTheFirstSuccess() {
    Attempts attempts = new Attempts(Publisher.builder("x:1").settings());
    assertThrows(PublishException.class, () -> refuse(attempts, false, 0));
  }

  @Test
  void refusalIsRepeatedForFiveMinutesAfterASuccess() {
    Attempts attempts = new Attempts(Publisher.builder("x:1").settings());
    assertEquals(Duration.ofMillis(200).toNanos(), refuse(attempts, true, 0));
    refuse(attempts, true, 299);
    PublishException error = assertThrows(PublishException.class, () -> refuse(attempts, true, 300));
    assertEquals(Status.Code.UNAUTHENTICATED, error.code().orElseThrow());
  }

  @Test
  void refusalIsCountedAnewAfterAnotherFailure() {
    Attempts attempts = new Attempts(Publisher.builder("x:1").settings());
    refuse(attempts, true, 0);
    attempts.pause(Advice.REPEAT, UNAVAILABLE, "away", true, Duration.ofSeconds(200).toNanos(), 1);
    refuse(attempts, true, 301);
    assertEquals(3, attempts.failures());
  }

  @Test
  void requestForNoPauseGetsTheBackoff() {
    Failure hasty = new Failure(Status.Code.RESOURCE_EXHAUSTED, "", Duration.ZERO, null, null);
    Attempts attempts = new Attempts(Publisher.builder("x:1").settings());
    assertEquals(Advice.REPEAT, hasty.advice());
    assertEquals(Duration.ofMillis(100).toNanos(), attempts.pause(Advice.REPEAT, hasty, "full", true, 0, 0.5));
  }

  @Test
  void repeatMaxEndsTheRepeats() {
    Attempts attempts = new Attempts(Publisher.builder("x:1").repeatMax(Duration.ofMinutes(1)).settings());
    for (long seconds : new long[] {0, 59}) {
      assertEquals(
          Duration.ofSeconds(1).toNanos(),
          attempts.pause(Advice.REPEAT, UNAVAILABLE, "away", true, Duration.ofSeconds(seconds).toNanos(), 1));
    }
    PublishException error =
        assertThrows(
            PublishException.class,
            () -> attempts.pause(Advice.REPEAT, UNAVAILABLE, "away", true, Duration.ofSeconds(60).toNanos(), 1));
    assertTrue(error.getMessage().contains("gave up after 3 calls"), error.getMessage());
  }
}
