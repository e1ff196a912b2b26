package io.github.intercomd;

import io.github.intercomd.v1.Envelope;
import io.github.intercomd.v1.EnvelopeResult;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Sends envelopes to intercomd: in batches, in the order of the calls to {@code publish}, until each has its result. It is safe
 * for use by many threads, platform or virtual.
 *
 * <p>It opens its connection at the first {@code publish}. It repeats calls that failed for a transient reason, for ever by
 * default. A repeat carries the same envelope ids, so that the daemon accepts nothing twice.
 *
 * <p>A JVM that ends without {@code close} first sends what is in the buffer, for at most 5 s, and logs how many envelopes are
 * left. {@link Runtime#halt} and SIGKILL end it at once.
 */
public final class Publisher implements AutoCloseable {
  private static final Duration RESULT_TIMEOUT = Duration.ofSeconds(30);

  /** How long {@code close} waits after its time for a callback that runs. */
  private static final Duration CALLBACK_TIMEOUT = Duration.ofSeconds(1);

  private static final System.Logger LOGGER = System.getLogger("io.github.intercomd");

  private final Settings settings;
  private final Sender sender;
  private final ReentrantLock closing = new ReentrantLock();

  /** The threads that send, from the first envelope on. */
  private volatile List<Thread> senders = List.of();

  /** Guards all that follows. */
  private final ReentrantLock lock = new ReentrantLock();

  /** Senders wait for it: a batch is due earlier than they know, or the publisher ends. */
  private final Condition work = lock.newCondition();

  /** Callers wait for it: there is room, results came, or the publisher ends. */
  private final Condition progress = lock.newCondition();

  private final Buffer buffer;
  private PublishException refusal;
  private PublishException failure;
  private boolean isEnding;
  private boolean isClosed;
  private List<Envelope> unanswered = List.of();

  Publisher(String target, Settings settings) {
    this.settings = settings;
    this.buffer = new Buffer(settings);
    this.sender = new Sender(new Access(target, settings), settings);
  }

  /**
   * Returns the settings of a publisher, to be changed and built.
   *
   * @param target the address where intercomd listens, in gRPC's syntax: "127.0.0.1:50051", "unix:/run/intercomd.sock",
   *     "dns:///intercomd:50051"
   */
  public static PublisherBuilder builder(String target) {
    return new PublisherBuilder(target);
  }

  /**
   * Takes an envelope, to send it soon. It waits only while the buffer is full.
   *
   * <p>An envelope without an id gets a new UUIDv7. After an exception the publisher does not send the envelope.
   *
   * @throws InterruptedException the thread was interrupted while it waited
   * @throws IllegalArgumentException a text of the envelope is not Unicode
   * @throws PublishException the publisher is closed or has stopped
   */
  public void publish(Envelope envelope) throws InterruptedException {
    try {
      put(Frame.of(envelope, TraceContext.current()), null, Nanos.FOR_EVER);
    } catch (TimeoutException error) {
      throw new IllegalStateException(error); // after 73 years
    }
  }

  /**
   * Takes an envelope, and waits for its result, at most 30 s. Concurrent callers share calls.
   *
   * @throws TimeoutException no result came in time. If the envelope is in the buffer, the publisher still sends it.
   * @throws InterruptedException the thread was interrupted. If the envelope is in the buffer, the publisher still sends it.
   * @throws PublishException the publisher was closed or stopped before the result came
   */
  public EnvelopeResult publishAndWait(Envelope envelope) throws InterruptedException, TimeoutException {
    return publishAndWait(envelope, RESULT_TIMEOUT);
  }

  /**
   * Takes an envelope, and waits for its result. Concurrent callers share calls.
   *
   * @throws TimeoutException no result came in time. If the envelope is in the buffer, the publisher still sends it.
   * @throws InterruptedException the thread was interrupted. If the envelope is in the buffer, the publisher still sends it.
   * @throws PublishException the publisher was closed or stopped before the result came
   */
  public EnvelopeResult publishAndWait(Envelope envelope, Duration timeout) throws InterruptedException, TimeoutException {
    refuseInCallback("publishAndWait");
    long deadline = System.nanoTime() + Nanos.of(timeout);
    CompletableFuture<EnvelopeResult> waiter = new CompletableFuture<>();
    put(Frame.of(envelope, TraceContext.current()), waiter, Nanos.of(timeout));
    try {
      return waiter.get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException error) {
      throw error.getCause() instanceof PublishException cause ? cause.again() : new IllegalStateException(error);
    } catch (TimeoutException error) {
      throw late("no result, and the publisher goes on sending", timeout);
    }
  }

  /**
   * Waits until every envelope that was published so far has its result.
   *
   * @throws PublishException the publisher has stopped
   */
  public void flush() throws InterruptedException {
    try {
      flush(Duration.ofNanos(Nanos.FOR_EVER));
    } catch (TimeoutException error) {
      throw new IllegalStateException(error); // after 73 years
    }
  }

  /**
   * Waits until every envelope that was published so far has its result.
   *
   * @throws TimeoutException not all results came in time; the publisher still sends the envelopes
   * @throws PublishException the publisher has stopped
   */
  public void flush(Duration timeout) throws InterruptedException, TimeoutException {
    refuseInCallback("flush");
    long left = Nanos.of(timeout);
    lock.lockInterruptibly();
    try {
      Collection<Batch> waiting = buffer.unfinished();
      hasten();
      for (; ; ) {
        if (failure != null) {
          throw failure.again();
        }
        waiting.removeIf(batch -> !buffer.isUnfinished(batch));
        if (waiting.isEmpty()) {
          return;
        }
        if (left <= 0) {
          throw late("no result, and the publisher goes on sending", timeout);
        }
        left = progress.awaitNanos(left);
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Flushes, for {@link PublisherBuilder#closeTimeout} (10 s by default), and ends. A second call does nothing.
   *
   * <p>An interrupt ends the wait, and stays set.
   *
   * @throws PublishException envelopes have no result. It holds them, and its cause says why; the publisher's {@link
   *     #unanswered} holds them, too.
   */
  @Override
  public void close() {
    List<Envelope> left;
    PublishException cause;
    refuseInCallback("close");
    closing.lock();
    try {
      if (isClosed()) {
        return; // the caller of the first close has the envelopes
      }
      left = close(settings.closeTimeout());
      cause = cause();
    } finally {
      closing.unlock();
    }
    if (!left.isEmpty()) {
      String reason = cause == null ? "within " + settings.closeTimeout().toMillis() + " ms" : cause.getMessage();
      throw new PublishException(
          left.size() + " envelopes were not answered: " + reason, cause == null ? null : cause.code().orElse(null), cause, left);
    }
  }

  /**
   * Flushes, at most for a time, and ends. It never throws for envelopes that could not be sent.
   *
   * <p>An interrupt ends the wait, and stays set.
   *
   * @return the envelopes without a result, in their order, with their ids, to be published elsewhere or kept. The daemon may
   *     have accepted some of them: with the same id they are then duplicates. Another {@code close} returns the same.
   */
  public List<Envelope> close(Duration timeout) {
    Objects.requireNonNull(timeout, "timeout");
    refuseInCallback("close");
    closing.lock();
    try {
      if (!isClosed()) {
        end(timeout);
      }
    } finally {
      closing.unlock();
    }
    return unanswered();
  }

  /** Returns the envelopes that {@link #close(Duration)} returned; none before. */
  public List<Envelope> unanswered() {
    lock.lock();
    try {
      return unanswered;
    } finally {
      lock.unlock();
    }
  }

  /** Returns the reason why the publisher has stopped or was closed; empty: it works. */
  public Optional<PublishException> failure() {
    lock.lock();
    try {
      return Optional.ofNullable(failure);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Sends what it can while the JVM ends, without waiting for threads.
   *
   * @return how many envelopes have no result
   */
  int flushAtExit(Duration timeout) {
    refuse(new PublisherClosedException(null));
    try {
      flush(timeout);
    } catch (TimeoutException | PublishException error) {
      // The count says it.
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
    lock.lock();
    try {
      return buffer.unanswered().size();
    } finally {
      lock.unlock();
    }
  }

  private void end(Duration timeout) {
    long deadline = System.nanoTime() + Nanos.of(timeout);
    refuse(new PublisherClosedException(null));
    boolean interrupted = false;
    try {
      flush(timeout);
    } catch (TimeoutException | PublishException error) {
      // `unanswered` holds the rest.
    } catch (InterruptedException error) {
      interrupted = true;
    }
    sender.abort();
    signalEnd();
    interrupted |= joinSenders(deadline);
    fail(new PublisherClosedException(null));
    sender.close();
    lock.lock();
    try {
      unanswered = buffer.unanswered().stream().map(Frame::envelope).toList();
      isClosed = true;
    } finally {
      lock.unlock();
    }
    ExitHook.closed(this);
    if (interrupted) {
      if (!unanswered().isEmpty()) {
        LOGGER.log(Level.WARNING, "close was interrupted: {0} envelopes were not answered", unanswered().size());
      }
      Thread.currentThread().interrupt();
    }
  }

  /** Returns why envelopes have no result; null: the time was over. */
  private PublishException cause() {
    PublishException stopped = failure().orElse(null);
    return stopped instanceof PublisherClosedException ? sender.lastFailure() : stopped;
  }

  /** Adds a frame at the end of the buffer. */
  private void put(byte[] frame, CompletableFuture<EnvelopeResult> waiter, long timeout)
      throws InterruptedException, TimeoutException {
    long left = timeout;
    lock.lockInterruptibly();
    try {
      while (refusal == null && !buffer.hasRoom(frame.length)) {
        refuseInCallback("publish with a full buffer");
        if (left <= 0) {
          throw late("the buffer is full (bufferBytesMax, " + settings.bufferBytesMax() + " bytes)", Duration.ofNanos(timeout));
        }
        hasten();
        left = progress.awaitNanos(left);
      }
      if (refusal != null) {
        throw refusal.again();
      }
      open();
      if (buffer.put(frame, waiter, System.nanoTime())) {
        work.signal();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Starts the threads that send, at the first envelope. */
  private void open() {
    if (!senders.isEmpty()) {
      return;
    }
    ExitHook.opened(this);
    List<Thread> threads = new ArrayList<>();
    for (int number = 1; number <= settings.callsInFlightMax(); number++) {
      Thread thread = new Thread(this::sendBatches, "intercomd-sender-" + number);
      thread.setDaemon(true);
      threads.add(thread);
    }
    senders = List.copyOf(threads);
    threads.forEach(Thread::start);
  }

  private void sendBatches() {
    try {
      for (Batch batch = take(); batch != null; batch = take()) {
        Batch taken = batch;
        if (!sender.deliver(taken, results -> resolve(taken, results))) {
          return;
        }
        settle(taken);
      }
    } catch (PublishException error) {
      fail(error);
    } catch (Throwable error) { // the last frame of the thread: callers get the error
      fail(new PublishException("the publisher stopped: " + error, null, error));
    }
  }

  /** Waits for the next batch that is due; null: the publisher ends. */
  private Batch take() {
    lock.lock();
    try {
      while (!isEnding && failure == null) {
        long now = System.nanoTime();
        Batch batch = buffer.take(now);
        if (batch != null) {
          return batch;
        }
        OptionalLong dueIn = buffer.dueIn(now);
        try {
          if (dueIn.isPresent()) {
            work.awaitNanos(dueIn.getAsLong());
          } else {
            work.await();
          }
        } catch (InterruptedException error) {
          // Only `isEnding` and `failure` end this thread.
        }
      }
      return null;
    } finally {
      lock.unlock();
    }
  }

  private void resolve(Batch batch, List<EnvelopeResult> results) {
    lock.lock();
    try {
      batch.resolve(results);
    } finally {
      lock.unlock();
    }
  }

  private void settle(Batch batch) {
    lock.lock();
    try {
      buffer.settle(batch);
      progress.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void hasten() {
    buffer.hasten(System.nanoTime());
    work.signal();
  }

  private void refuse(PublishException reason) {
    lock.lock();
    try {
      refusal = refusal == null ? reason : refusal;
      progress.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void fail(PublishException reason) {
    lock.lock();
    try {
      failure = failure == null ? reason : failure;
      refusal = refusal == null ? reason : refusal;
      buffer.fail(failure);
      progress.signalAll();
      work.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void signalEnd() {
    lock.lock();
    try {
      isEnding = true;
      work.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private boolean isClosed() {
    lock.lock();
    try {
      return isClosed;
    } finally {
      lock.unlock();
    }
  }

  /** Throws in a callback, which runs on the thread that would have to make progress. */
  private void refuseInCallback(String action) {
    if (senders.contains(Thread.currentThread())) {
      throw new IllegalStateException(action + " waits for results, which no call returns during a callback: use another thread");
    }
  }

  /**
   * Waits for the threads, whose calls and pauses have ended: only a callback may still run. An interrupt ends the wait up to
   * the deadline.
   *
   * @return whether it was interrupted
   */
  private boolean joinSenders(long deadline) {
    long now = System.nanoTime();
    long last = Math.max(deadline - now, CALLBACK_TIMEOUT.toNanos()) + now;
    boolean interrupted = false;
    for (Thread thread : senders) {
      for (long left = last - System.nanoTime(); thread.isAlive() && left > 0; left = last - System.nanoTime()) {
        try {
          TimeUnit.NANOSECONDS.timedJoin(thread, left);
        } catch (InterruptedException error) {
          interrupted = true;
          last = Math.min(last - now, CALLBACK_TIMEOUT.toNanos()) + now;
        }
      }
    }
    if (senders.stream().anyMatch(Thread::isAlive)) {
      LOGGER.log(Level.WARNING, "close does not wait any longer for a callback that still runs");
    }
    return interrupted;
  }

  /** Returns the error of a wait that has ended; it names the newest failed call. */
  private TimeoutException late(String problem, Duration timeout) {
    PublishException last = sender.lastFailure();
    String reason = last == null ? "" : ": " + last.getMessage();
    TimeoutException error = new TimeoutException(problem + ", after " + timeout.toMillis() + " ms" + reason);
    error.initCause(last);
    return error;
  }
}
