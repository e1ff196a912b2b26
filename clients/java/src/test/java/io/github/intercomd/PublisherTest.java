package io.github.intercomd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.intercomd.v1.Disposition;
import io.github.intercomd.v1.Envelope;
import io.github.intercomd.v1.EnvelopeResult;
import io.github.intercomd.v1.IngestServiceGrpc;
import io.github.intercomd.v1.PublishRequest;
import io.github.intercomd.v1.PublishResponse;
import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/** What belongs to Java alone; the conformance scenarios test the rest with the daemon. */
@Timeout(60)
class PublisherTest {
  /** Nothing listens on TCP port 1. */
  private static final String AWAY = "127.0.0.1:1";

  private static final Duration NO_TIME = Duration.ZERO;

  private static Envelope envelope(String id) {
    return Envelope.newBuilder().setEnvelopeId(id).setCustomEvent(Events.custom("signed-up")).build();
  }

  private static List<String> ids(List<Envelope> envelopes) {
    return envelopes.stream().map(Envelope::getEnvelopeId).toList();
  }

  private static EnvelopeResult result(String id, int disposition) {
    return EnvelopeResult.newBuilder().setEnvelopeId(id).setDispositionValue(disposition).build();
  }

  @Test
  void resultsOfOtherEnvelopesAreFound() {
    List<byte[]> sent = Stream.of("a", "b").map(id -> Frame.of(envelope(id), "")).toList();
    assertEquals("0 results for 2 envelopes", Sender.fault(List.of(), sent));
    assertEquals("3 results for 2 envelopes", Sender.fault(List.of(result("a", 1), result("b", 1), result("c", 1)), sent));
    assertEquals(
        "the result of envelope \"b\" in place of \"a\"", Sender.fault(List.of(result("b", 1), result("a", 1)), sent));
    assertEquals(
        "the result of envelope \"\" in place of \"b\"", Sender.fault(List.of(result("a", 1), result("", 1)), sent));
    assertEquals(
        "a result without a disposition for envelope \"b\"", Sender.fault(List.of(result("a", 1), result("b", 0)), sent));
    assertNull(Sender.fault(List.of(result("a", 4), result("b", 99)), sent)); // a disposition of a later daemon is a result
    byte[] unnamed = Frame.of(envelope(""), "");
    assertEquals(Frame.envelope(unnamed).getEnvelopeId(), Frame.id(unnamed));
  }

  /** Accepts everything. */
  private static final class Daemon extends IngestServiceGrpc.IngestServiceImplBase implements AutoCloseable {
    private final Server server;

    Daemon() throws IOException {
      server =
          NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
              .addService(this)
              .build()
              .start();
    }

    String target() {
      return "127.0.0.1:" + server.getPort();
    }

    @Override
    public void publish(PublishRequest request, StreamObserver<PublishResponse> observer) {
      PublishResponse.Builder response = PublishResponse.newBuilder();
      request
          .getEnvelopesList()
          .forEach(each -> response.addResults(result(each.getEnvelopeId(), Disposition.DISPOSITION_ACCEPTED_VALUE)));
      observer.onNext(response.build());
      observer.onCompleted();
    }

    @Override
    public void close() {
      server.shutdownNow();
    }
  }

  @Test
  void scopeThrowsWithTheUnansweredEnvelopes() throws InterruptedException {
    Publisher publisher = Publisher.builder(AWAY).closeTimeout(NO_TIME).build();
    PublishException error =
        assertThrows(
            PublishException.class,
            () -> {
              try (publisher) {
                publisher.publish(envelope("a"));
                publisher.publish(envelope("b"));
              }
            });
    assertEquals(List.of("a", "b"), ids(error.unanswered()));
    assertEquals(error.unanswered(), publisher.unanswered());
    assertEquals(error.unanswered(), publisher.close(NO_TIME));
    publisher.close(); // does nothing
    assertThrows(PublisherClosedException.class, () -> publisher.publish(envelope("c")));
    assertThrows(PublisherClosedException.class, publisher::flush);
  }

  @Test
  void exceptionOfTheBodyWins() {
    IllegalStateException body = new IllegalStateException("the body");
    IllegalStateException error =
        assertThrows(
            IllegalStateException.class,
            () -> {
              try (Publisher publisher = Publisher.builder(AWAY).closeTimeout(NO_TIME).build()) {
                publisher.publish(envelope("a"));
                throw body;
              }
            });
    assertSame(body, error);
    assertEquals(List.of("a"), ids(assertInstanceOf(PublishException.class, error.getSuppressed()[0]).unanswered()));
  }

  @Test
  void stoppedPublisherSaysWhyWhenItIsClosed() throws InterruptedException {
    Publisher publisher = Publisher.builder(AWAY).repeatMax(NO_TIME).build();
    publisher.publish(envelope("a"));
    assertTrue(assertThrows(PublishException.class, publisher::flush).getMessage().startsWith("gave up after 1 calls"));
    PublishException error = assertThrows(PublishException.class, publisher::close);
    assertEquals(publisher.failure().orElseThrow(), error.getCause());
    assertEquals(List.of("a"), ids(error.unanswered()));
  }

  @Test
  void publishWaitsForRoomOnlyAsLongAsItMay() throws InterruptedException {
    Publisher publisher = Publisher.builder(AWAY).bufferBytesMax(1).build();
    publisher.publish(envelope("a"));
    TimeoutException error = assertThrows(TimeoutException.class, () -> publisher.publishAndWait(envelope("b"), NO_TIME));
    assertTrue(error.getMessage().contains("bufferBytesMax"), error.getMessage());
    assertEquals(List.of("a"), ids(publisher.close(NO_TIME)));
  }

  @Test
  void interruptEndsAnyWait() throws InterruptedException {
    Publisher publisher = Publisher.builder(AWAY).bufferBytesMax(1).build();
    publisher.publish(envelope("a"));
    Thread.currentThread().interrupt();
    assertThrows(InterruptedException.class, () -> publisher.publish(envelope("b")));
    Thread.currentThread().interrupt();
    assertThrows(InterruptedException.class, publisher::flush);
    Thread.currentThread().interrupt();
    assertEquals(List.of("a"), ids(publisher.close(Duration.ofDays(1))));
    assertTrue(Thread.interrupted());
  }

  @Test
  void closingEndsTheWaitForAResult() throws InterruptedException {
    Publisher publisher = Publisher.builder(AWAY).build();
    AtomicReference<Exception> thrown = new AtomicReference<>();
    Thread waiting =
        new Thread(
            () -> {
              try {
                publisher.publishAndWait(envelope("a"), Duration.ofDays(1));
              } catch (PublishException | InterruptedException | TimeoutException error) {
                thrown.set(error);
              }
            });
    waiting.start();
    publisher.close(NO_TIME);
    waiting.join();
    assertInstanceOf(PublisherClosedException.class, thrown.get());
  }

  @Test
  void callbackMayPublishButNotWait() throws IOException, InterruptedException {
    List<Class<?>> thrown = Collections.synchronizedList(new ArrayList<>());
    AtomicReference<Publisher> used = new AtomicReference<>();
    try (Daemon daemon = new Daemon();
        Publisher publisher =
            Publisher.builder(daemon.target())
                .onResults(
                    results -> {
                      if (results.get(0).getEnvelopeId().equals("a")) {
                        publishAndTryToWait(used.get(), thrown);
                      }
                    })
                .build()) {
      used.set(publisher);
      publisher.publish(envelope("a"));
      publisher.flush();
      publisher.flush();
    }
    assertEquals(Collections.nCopies(3, IllegalStateException.class), thrown);
  }

  private static void publishAndTryToWait(Publisher publisher, List<Class<?>> thrown) {
    try {
      publisher.publish(envelope("b"));
    } catch (InterruptedException error) {
      thrown.add(error.getClass());
    }
    List<Executable> waits =
        List.of(publisher::flush, publisher::close, () -> publisher.publishAndWait(envelope("c")));
    for (Executable wait : waits) {
      thrown.add(assertThrows(RuntimeException.class, wait).getClass());
    }
  }

  @Test
  void closeInACallbackIsAnErrorWhileAnotherThreadCloses() throws IOException, InterruptedException {
    CountDownLatch closing = new CountDownLatch(1);
    List<Class<?>> thrown = Collections.synchronizedList(new ArrayList<>());
    AtomicReference<Publisher> used = new AtomicReference<>();
    try (Daemon daemon = new Daemon()) {
      Publisher publisher =
          Publisher.builder(daemon.target())
              .onResults(
                  results -> {
                    awaitUninterruptibly(closing);
                    thrown.add(assertThrows(RuntimeException.class, used.get()::close).getClass());
                  })
              .build();
      used.set(publisher);
      publisher.publish(envelope("a"));
      Thread closer = new Thread(publisher::close);
      closer.start();
      while (closer.getState() != Thread.State.TIMED_WAITING) { // it waits for results
        Thread.onSpinWait();
      }
      closing.countDown();
      closer.join();
    }
    assertEquals(List.of(IllegalStateException.class), thrown);
  }

  @Test
  void closeDoesNotWaitForACallbackThatNeverReturns() throws IOException, InterruptedException {
    CountDownLatch running = new CountDownLatch(1);
    CountDownLatch returning = new CountDownLatch(1);
    try (Daemon daemon = new Daemon()) {
      Publisher publisher =
          Publisher.builder(daemon.target())
              .batchEnvelopesMax(1)
              .onResults(
                  results -> {
                    running.countDown();
                    awaitUninterruptibly(returning);
                  })
              .build();
      publisher.publish(envelope("a"));
      publisher.publish(envelope("b"));
      running.await();
      assertEquals(List.of("b"), ids(publisher.close(NO_TIME)));
      Thread.currentThread().interrupt();
      assertEquals(List.of("b"), ids(publisher.close(NO_TIME)));
      assertTrue(Thread.interrupted());
      returning.countDown();
    }
  }

  @Test
  void anyExceptionOfACallbackIsLoggedAndPublishingGoesOn() throws IOException, InterruptedException, TimeoutException {
    try (Daemon daemon = new Daemon();
        Publisher publisher =
            Publisher.builder(daemon.target())
                .onResults(results -> PublisherTest.<RuntimeException>throwUnchecked(new IOException("no such file")))
                .build()) {
      publisher.publishAndWait(envelope("a"));
      assertEquals("b", publisher.publishAndWait(envelope("b")).getEnvelopeId());
    }
  }

  /** Throws a checked exception where none is declared, as Kotlin and Scala do. */
  @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
  private static <T extends Throwable> void throwUnchecked(Throwable error) throws T {
    throw (T) error;
  }

  private static void awaitUninterruptibly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException error) {
      throw new IllegalStateException(error);
    }
  }

  @Test
  void manyThreadsShareAPublisherAndSeveralCalls() throws IOException {
    List<String> seen = Collections.synchronizedList(new ArrayList<>());
    try (Daemon daemon = new Daemon();
        Publisher publisher =
            Publisher.builder(daemon.target())
                .callsInFlightMax(3)
                .batchEnvelopesMax(7)
                .bufferBytesMax(200)
                .onResults(results -> results.forEach(result -> seen.add(result.getEnvelopeId())))
                .build()) {
      IntStream.range(0, 500)
          .parallel()
          .forEach(
              number -> {
                try {
                  publisher.publish(envelope("e" + number));
                } catch (InterruptedException error) {
                  throw new IllegalStateException(error);
                }
              });
    }
    assertEquals(500, seen.stream().distinct().count());
    assertEquals(500, seen.size());
  }
}
