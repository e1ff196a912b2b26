package io.github.intercomd;

import io.github.intercomd.v1.Disposition;
import io.github.intercomd.v1.Envelope;
import io.github.intercomd.v1.EnvelopeResult;
import io.github.intercomd.v1.IngestServiceGrpc;
import io.github.intercomd.v1.PublishRequest;
import io.github.intercomd.v1.PublishResponse;
import io.github.intercomd.v1.Violation;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/** Delivers the batches of one publisher, several at a time, and calls its callbacks. */
final class Sender {
  private static final System.Logger LOGGER = System.getLogger("io.github.intercomd");
  private static final MethodDescriptor<byte[], PublishResponse> PUBLISH =
      IngestServiceGrpc.getPublishMethod().toBuilder(
              new EncodedRequests(), IngestServiceGrpc.getPublishMethod().getResponseMarshaller())
          .build();

  /** The daemon's limit. */
  private static final int ENVELOPE_ID_BYTES_MAX = 128;

  private final Settings settings;
  private final Access access;

  /** The other fields of the request, which follow the frames. */
  private final byte[] requestEnd;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition aborting = lock.newCondition();
  private final IdentityHashMap<Future<PublishResponse>, Boolean> calls = new IdentityHashMap<>();
  private Transport transport;
  private boolean aborted;

  /** Halved when the daemon refuses a call as a whole, until the bad envelope is found. */
  private volatile int callEnvelopesMax;

  private volatile boolean hasSucceeded;
  private volatile PublishException lastFailure;

  Sender(Access access, Settings settings) {
    this.settings = settings;
    this.access = access;
    this.requestEnd = PublishRequest.newBuilder().setValidateOnly(settings.validateOnly()).build().toByteArray();
    this.callEnvelopesMax = settings.batchEnvelopesMax();
  }

  /** Returns the newest failed call; null after a success. */
  PublishException lastFailure() {
    return lastFailure;
  }

  /**
   * Makes calls until every frame has its result, or {@link #abort} ends it.
   *
   * @param resolve called with the results of the next frames of the batch
   * @return whether every frame has its result
   * @throws PublishException the daemon refuses the batch, and repeating does not help
   */
  boolean deliver(Batch batch, Consumer<List<EnvelopeResult>> resolve) {
    List<byte[]> left = batch.frames;
    while (!left.isEmpty()) {
      List<byte[]> frames = left.subList(0, Math.min(callEnvelopesMax, left.size()));
      List<EnvelopeResult> results = results(frames);
      if (results != null) {
        resolve.accept(results);
        report(frames, results);
        left = left.subList(frames.size(), left.size());
      } else if (isAborted()) {
        return false;
      }
    }
    return true;
  }

  /** Ends all calls and pauses. */
  void abort() {
    lock.lock();
    try {
      aborted = true;
      aborting.signalAll();
      calls.keySet().forEach(call -> call.cancel(true));
    } finally {
      lock.unlock();
    }
  }

  /** Ends the connection, after {@link #abort}. */
  void close() {
    lock.lock();
    try {
      if (transport != null) {
        transport.close();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Returns one result for each frame; null if they must be sent in smaller requests, or after {@link #abort}. */
  private List<EnvelopeResult> results(List<byte[]> frames) {
    Attempts attempts = new Attempts(settings);
    EnvelopeResult[] rejected = new EnvelopeResult[frames.size()];
    for (; ; ) {
      List<byte[]> sent = new ArrayList<>();
      for (int place = 0; place < rejected.length; place++) {
        if (rejected[place] == null) {
          sent.add(frames.get(place));
        }
      }
      if (sent.isEmpty()) {
        return List.of(rejected);
      }
      Reply reply = call(request(sent));
      if (reply.response() != null) {
        accept(reply.response(), sent, attempts);
        return merged(rejected, reply.response().getResultsList());
      }
      if (isAborted()) {
        return null;
      }
      Failure failure = reply.failure();
      String explained = failure.explain(access.target().text(), access.pem() != null, hasSucceeded);
      lastFailure = new PublishException(explained, failure.code(), failure.cause());
      switch (adviceFor(failure, sent)) {
        case REJECT_CONNECTION -> rejectConnection(failure, frames, rejected);
        case DIVIDE -> {
          if (sent.size() > 1) {
            callEnvelopesMax = (sent.size() + 1) / 2;
            return null;
          }
          if (failure.code() == Status.Code.INVALID_ARGUMENT) {
            callEnvelopesMax = settings.batchEnvelopesMax();
            int place = frames.indexOf(sent.get(0));
            rejected[place] = rejection(frames.get(place), failure.code().name(), "", failure.message());
          } else if (!pause(Advice.DIVIDE, failure, explained, attempts)) {
            return null;
          }
        }
        case REPEAT -> {
          if (!pause(Advice.REPEAT, failure, explained, attempts)) {
            return null;
          }
        }
        case STOP -> {
          if (!pause(Advice.STOP, failure, explained, attempts)) {
            return null;
          }
        }
      }
    }
  }

  private static Advice adviceFor(Failure failure, List<byte[]> sent) {
    Advice advice = failure.advice();
    if (advice == Advice.REJECT_CONNECTION && sent.stream().noneMatch(frame -> isOf(frame, failure.forbidden()))) {
      return Advice.STOP; // no envelope is of that connection: rejecting none and repeating would never end
    }
    return advice;
  }

  private static void rejectConnection(Failure failure, List<byte[]> frames, EnvelopeResult[] rejected) {
    for (int place = 0; place < rejected.length; place++) {
      byte[] frame = frames.get(place);
      if (rejected[place] == null && isOf(frame, failure.forbidden())) {
        rejected[place] = rejection(frame, Failure.CONNECTION_NOT_ALLOWED, "connection", failure.message());
      }
    }
  }

  /** Waits before a repeat; returns false if {@link #abort} ended the wait. */
  private boolean pause(Advice advice, Failure failure, String explained, Attempts attempts) {
    double share = ThreadLocalRandom.current().nextDouble();
    long left = attempts.pause(advice, failure, explained, hasSucceeded, System.nanoTime(), share);
    lock.lock();
    try {
      while (!aborted && left > 0) {
        left = aborting.awaitNanos(left);
      }
      return !aborted;
    } catch (InterruptedException error) {
      return !aborted; // only a callback's own code interrupts this thread: the call is repeated at once
    } finally {
      lock.unlock();
    }
  }

  /** A response, or the failure of a call; the other one is null. */
  private record Reply(PublishResponse response, Failure failure) {}

  private Reply call(byte[] request) {
    Future<PublishResponse> call = null;
    try {
      call = start(request);
      return new Reply(call.get(), null);
    } catch (ExecutionException error) {
      Metadata trailers = Status.trailersFromThrowable(error);
      return new Reply(null, Failure.of(Status.fromThrowable(error), trailers));
    } catch (CancellationException error) {
      return new Reply(null, Failure.of(Status.CANCELLED.withCause(error), null));
    } catch (InterruptedException error) {
      call.cancel(true);
      return new Reply(null, Failure.of(Status.CANCELLED.withCause(error), null));
    } finally {
      end(call);
    }
  }

  private Future<PublishResponse> start(byte[] request) {
    lock.lock();
    try {
      if (aborted) {
        throw new CancellationException("the publisher is closing");
      }
      if (transport == null) {
        transport = new Transport(access);
      }
      Channel channel =
          ClientInterceptors.intercept(
              transport.channel(lastFailure != null), MetadataUtils.newAttachHeadersInterceptor(access.headers()));
      CallOptions options =
          CallOptions.DEFAULT.withDeadlineAfter(settings.callTimeout());
      Future<PublishResponse> call = ClientCalls.futureUnaryCall(channel.newCall(PUBLISH, options), request);
      calls.put(call, true);
      return call;
    } finally {
      lock.unlock();
    }
  }

  private void end(Future<PublishResponse> call) {
    lock.lock();
    try {
      calls.remove(call);
    } finally {
      lock.unlock();
    }
  }

  private boolean isAborted() {
    lock.lock();
    try {
      return aborted;
    } finally {
      lock.unlock();
    }
  }

  private byte[] request(List<byte[]> frames) {
    ByteArrayOutputStream request =
        new ByteArrayOutputStream(frames.stream().mapToInt(frame -> frame.length).sum() + requestEnd.length);
    frames.forEach(request::writeBytes);
    request.writeBytes(requestEnd);
    return request.toByteArray();
  }

  private void accept(PublishResponse response, List<byte[]> sent, Attempts attempts) {
    String fault = fault(response.getResultsList(), sent);
    if (fault != null) {
      String target = access.target().text();
      throw new PublishException(
          fault + ": " + target + " is not intercomd; set the target to its ingest address", null, null);
    }
    if (attempts.failures() > 0) {
      LOGGER.log(Level.INFO, "publishing goes on after {0} failed calls", attempts.failures());
    }
    hasSucceeded = true;
    lastFailure = null;
  }

  /** Returns what shows that results are not those of the envelopes in frames; null: they are. */
  static String fault(List<EnvelopeResult> results, List<byte[]> sent) {
    if (results.size() != sent.size()) {
      return results.size() + " results for " + sent.size() + " envelopes";
    }
    for (int place = 0; place < results.size(); place++) {
      EnvelopeResult result = results.get(place);
      String id = Frame.id(sent.get(place));
      if (!result.getEnvelopeId().equals(id) && !isShortened(result.getEnvelopeId(), id)) {
        return String.format("the result of envelope \"%.60s\" in place of \"%.60s\"", result.getEnvelopeId(), id);
      }
      if (result.getDisposition() == Disposition.DISPOSITION_UNSPECIFIED) {
        return String.format("a result without a disposition for envelope \"%.60s\"", id);
      }
    }
    return null;
  }

  /** Returns whether an id is the beginning of one above the limit, which the daemon rejects and does not repeat whole. */
  private static boolean isShortened(String returned, String id) {
    return id.startsWith(returned) && id.getBytes(StandardCharsets.UTF_8).length > ENVELOPE_ID_BYTES_MAX;
  }

  /** Fills the gaps between rejected envelopes with the daemon's results. */
  private static List<EnvelopeResult> merged(EnvelopeResult[] rejected, List<EnvelopeResult> results) {
    Iterator<EnvelopeResult> next = results.iterator();
    EnvelopeResult[] all = rejected.clone();
    for (int place = 0; place < all.length; place++) {
      if (all[place] == null) {
        all[place] = next.next();
      }
    }
    return List.of(all);
  }

  /** Passes results to the callbacks; without any, it logs the rejected envelopes. */
  private void report(List<byte[]> frames, List<EnvelopeResult> results) {
    if (settings.onResults() != null) {
      callBack("onResults", () -> settings.onResults().accept(results));
    }
    int rejected = 0;
    Set<String> reasons = new TreeSet<>();
    for (int place = 0; place < results.size(); place++) {
      EnvelopeResult result = results.get(place);
      if (result.getDisposition() != Disposition.DISPOSITION_REJECTED) {
        continue;
      }
      rejected += 1;
      result.getViolationsList().forEach(violation -> reasons.add(violation.getReason()));
      if (settings.onRejected() != null) {
        Envelope envelope = Frame.envelope(frames.get(place));
        callBack("onRejected", () -> settings.onRejected().accept(envelope, result));
      }
    }
    if (rejected > 0 && settings.onRejected() == null && settings.onResults() == null) {
      LOGGER.log(
          Level.WARNING, "{0} of {1} envelopes were rejected: {2}", rejected, results.size(), String.join(", ", reasons));
    }
  }

  /**
   * Calls a callback; logs its exception, since it must not stop the delivery of other envelopes. Languages without checked
   * exceptions, such as Kotlin, throw any of them.
   */
  private static void callBack(String name, Runnable call) {
    try {
      call.run();
    } catch (Exception | LinkageError | AssertionError | StackOverflowError error) {
      LOGGER.log(Level.ERROR, "the callback " + name + " threw; publishing goes on", error);
    } finally {
      Thread.interrupted(); // an interrupt that the callback left must not end the next call
    }
  }

  private static boolean isOf(byte[] frame, String connection) {
    String name = Frame.envelope(frame).getConnection();
    return (name.isEmpty() ? "default" : name).equals(connection);
  }

  private static EnvelopeResult rejection(byte[] frame, String reason, String field, String message) {
    return EnvelopeResult.newBuilder()
        .setEnvelopeId(Frame.envelope(frame).getEnvelopeId())
        .setDisposition(Disposition.DISPOSITION_REJECTED)
        .addViolations(Violation.newBuilder().setReason(reason).setField(field).setMessage(message))
        .build();
  }

  /** Passes on requests that are encoded already. */
  private static final class EncodedRequests implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] request) {
      return new ByteArrayInputStream(request);
    }

    @Override
    public byte[] parse(InputStream stream) {
      throw new UnsupportedOperationException("clients send requests");
    }
  }
}
