package io.github.intercomd;

import io.github.intercomd.v1.Envelope;
import io.github.intercomd.v1.EnvelopeResult;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/** The settings of a {@link Publisher}. The defaults suit a daemon beside the service. */
public final class PublisherBuilder {
  private final String target;
  private Tls tls;
  private String token;
  private Path tokenFile;
  private Consumer<? super List<EnvelopeResult>> onResults;
  private BiConsumer<? super Envelope, ? super EnvelopeResult> onRejected;
  private int batchEnvelopesMax = 200;
  private int batchBytesMax = 1 << 20;
  private Duration linger = Duration.ofMillis(10);
  private long bufferBytesMax = 16 << 20;
  private int callsInFlightMax = 1;
  private Duration callTimeout = Duration.ofSeconds(30);
  private Duration backoff = Duration.ofMillis(200);
  private Duration backoffMax = Duration.ofSeconds(5);
  private Duration repeatMax;
  private Duration closeTimeout = Duration.ofSeconds(10);
  private boolean validateOnly;

  PublisherBuilder(String target) {
    this.target = target;
  }

  /** Secures the calls with TLS. By default they are plain text. */
  public PublisherBuilder tls(Tls tls) {
    this.tls = tls;
    return this;
  }

  /** Sends a token with every call, as "authorization: Bearer ...". */
  public PublisherBuilder token(String token) {
    this.token = token;
    return this;
  }

  /** Sends the token in a file with every call. The file is read again before each call, so that it may be replaced. */
  public PublisherBuilder tokenFile(Path tokenFile) {
    this.tokenFile = tokenFile;
    return this;
  }

  /**
   * Calls back with the results of each call to the daemon, in the order of publishing. It must be quick, since no batch is
   * sent meanwhile.
   */
  public PublisherBuilder onResults(Consumer<? super List<EnvelopeResult>> onResults) {
    this.onResults = onResults;
    return this;
  }

  /**
   * Calls back with each rejected envelope and its result. It must be quick. Without callbacks, the publisher logs how many
   * envelopes were rejected, and why.
   */
  public PublisherBuilder onRejected(BiConsumer<? super Envelope, ? super EnvelopeResult> onRejected) {
    this.onRejected = onRejected;
    return this;
  }

  /** Bounds the envelopes in one call, 200 by default; the daemon accepts at most 500. */
  public PublisherBuilder batchEnvelopesMax(int envelopes) {
    this.batchEnvelopesMax = (int) atLeastOne("batchEnvelopesMax", envelopes);
    return this;
  }

  /** Bounds the bytes in one call, 1 MiB by default; the daemon accepts at most 4 MiB. */
  public PublisherBuilder batchBytesMax(int bytes) {
    this.batchBytesMax = (int) atLeastOne("batchBytesMax", bytes);
    return this;
  }

  /** Sets how long the first envelope of a batch waits for others, 10 ms by default. */
  public PublisherBuilder linger(Duration linger) {
    this.linger = notNegative("linger", linger);
    return this;
  }

  /** Bounds the encoded envelopes in memory, those in flight included, 16 MiB by default. Above it {@code publish} waits. */
  public PublisherBuilder bufferBytesMax(long bytes) {
    this.bufferBytesMax = atLeastOne("bufferBytesMax", bytes);
    return this;
  }

  /** Bounds the calls at a time, 1 by default. Above 1, the daemon may accept envelopes out of order. */
  public PublisherBuilder callsInFlightMax(int calls) {
    this.callsInFlightMax = (int) atLeastOne("callsInFlightMax", calls);
    return this;
  }

  /** Sets how long one call may take, 30 s by default; the daemon answers after a disk sync. */
  public PublisherBuilder callTimeout(Duration timeout) {
    this.callTimeout = notNegative("callTimeout", timeout);
    return this;
  }

  /**
   * Sets the longest first pause after a failed call, 200 ms by default, unless the daemon requests one. It doubles with each
   * failure.
   */
  public PublisherBuilder backoff(Duration backoff) {
    this.backoff = notNegative("backoff", backoff);
    return this;
  }

  /** Bounds this growth, 5 s by default. */
  public PublisherBuilder backoffMax(Duration backoffMax) {
    this.backoffMax = notNegative("backoffMax", backoffMax);
    return this;
  }

  /** Sets how long a batch is repeated before the publisher stops with an error. By default it is repeated for ever. */
  public PublisherBuilder repeatMax(Duration repeatMax) {
    this.repeatMax = notNegative("repeatMax", repeatMax);
    return this;
  }

  /** Sets how long {@link Publisher#close()} waits for results, 10 s by default. */
  public PublisherBuilder closeTimeout(Duration timeout) {
    this.closeTimeout = notNegative("closeTimeout", timeout);
    return this;
  }

  /** Makes the daemon return results for the envelopes, but accept none. */
  public PublisherBuilder validateOnly(boolean validateOnly) {
    this.validateOnly = validateOnly;
    return this;
  }

  /**
   * Returns a publisher. It makes no connection before the first {@code publish}.
   *
   * @throws IllegalArgumentException a setting can never work; the message names it
   */
  public Publisher build() {
    return new Publisher(target, settings());
  }

  Settings settings() {
    return new Settings(
        tls,
        token,
        tokenFile,
        onResults,
        onRejected,
        batchEnvelopesMax,
        batchBytesMax,
        linger,
        bufferBytesMax,
        callsInFlightMax,
        callTimeout,
        backoff,
        backoffMax,
        repeatMax,
        closeTimeout,
        validateOnly);
  }

  private static long atLeastOne(String name, long value) {
    if (value < 1) {
      throw new IllegalArgumentException(name + " is " + value + ": it must be at least 1");
    }
    return value;
  }

  private static Duration notNegative(String name, Duration value) {
    Objects.requireNonNull(value, name);
    if (value.isNegative()) {
      throw new IllegalArgumentException(name + " is " + value + ": it must not be negative");
    }
    return value;
  }
}
