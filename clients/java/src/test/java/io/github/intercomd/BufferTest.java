package io.github.intercomd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.intercomd.v1.EnvelopeResult;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class BufferTest {
  private static final Settings SETTINGS =
      Publisher.builder("x:1").batchEnvelopesMax(3).batchBytesMax(10).bufferBytesMax(20).settings();

  @Test
  void bufferFillsBatchesInOrder() {
    Buffer buffer = new Buffer(SETTINGS);
    List<Boolean> changed = new ArrayList<>();
    for (int size : new int[] {1, 1, 1, 6, 6}) {
      assertTrue(buffer.hasRoom(size));
      changed.add(buffer.put(new byte[size], null, 0));
    }
    assertEquals(List.of(true, false, true, true, true), changed);
    assertFalse(buffer.hasRoom(6));

    List<Integer> sizes = new ArrayList<>();
    for (Batch batch = buffer.take(0); batch != null; batch = buffer.take(0)) {
      sizes.add(batch.frames.size());
      batch.resolve(Collections.nCopies(batch.frames.size(), EnvelopeResult.getDefaultInstance()));
      buffer.settle(batch);
    }
    assertEquals(List.of(3, 1), sizes);
    assertEquals(Duration.ofMillis(10).toNanos(), buffer.dueIn(0).orElseThrow());
    assertEquals(1, buffer.unanswered().size());

    buffer.hasten(0);
    assertNotNull(buffer.take(0));
    assertNull(buffer.take(0));
    assertTrue(buffer.dueIn(0).isEmpty());
  }

  @Test
  void emptyBufferHasRoomForAnEnvelopeAboveItsBound() {
    assertTrue(new Buffer(SETTINGS).hasRoom(1_000));
  }

  @Test
  void batchPassesResultsAndFailuresToThoseWhoWait() {
    Buffer buffer = new Buffer(SETTINGS);
    CompletableFuture<EnvelopeResult> first = new CompletableFuture<>();
    CompletableFuture<EnvelopeResult> third = new CompletableFuture<>();
    buffer.put(new byte[1], first, 0);
    buffer.put(new byte[2], null, 0);
    buffer.put(new byte[3], third, 0);
    Batch batch = buffer.take(0);
    EnvelopeResult result = EnvelopeResult.newBuilder().setEnvelopeId("a").build();
    batch.resolve(List.of(result, EnvelopeResult.getDefaultInstance()));
    assertEquals(result, first.getNow(null));
    assertFalse(third.isDone());
    assertEquals(List.of(3), buffer.unanswered().stream().map(frame -> frame.length).toList());
    buffer.fail(new PublisherClosedException(null));
    assertTrue(third.isCompletedExceptionally());
  }

  @Test
  void durationsBeyondTheClockAreForEver() {
    assertEquals(Nanos.FOR_EVER, Nanos.of(Duration.ofSeconds(Long.MAX_VALUE)));
    assertEquals(0, Nanos.of(Duration.ofSeconds(-1)));
    assertEquals(1_000_000, Nanos.of(Duration.ofMillis(1)));
  }
}
