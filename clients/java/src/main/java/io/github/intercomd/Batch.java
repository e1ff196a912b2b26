package io.github.intercomd;

import io.github.intercomd.v1.EnvelopeResult;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** Frames that are sent together, and the callers that wait for their results, by the frame's place. */
final class Batch {
  final List<byte[]> frames = new ArrayList<>();
  private final Map<Integer, CompletableFuture<EnvelopeResult>> waiters = new HashMap<>();
  int bytes;
  long due;

  /** The number of frames, from the first on, that have their result. */
  private int answered;

  Batch(long due) {
    this.due = due;
  }

  void add(byte[] frame, CompletableFuture<EnvelopeResult> waiter) {
    if (waiter != null) {
      waiters.put(frames.size(), waiter);
    }
    frames.add(frame);
    bytes += frame.length;
  }

  /** Returns the frames without a result. */
  List<byte[]> unanswered() {
    return frames.subList(answered, frames.size());
  }

  /** Passes the results of the next frames to the callers that wait for them. */
  void resolve(List<EnvelopeResult> results) {
    for (EnvelopeResult result : results) {
      CompletableFuture<EnvelopeResult> waiter = waiters.remove(answered);
      if (waiter != null) {
        waiter.complete(result);
      }
      answered += 1;
    }
  }

  /** Ends the wait of all callers. */
  void fail(PublishException failure) {
    waiters.values().forEach(waiter -> waiter.completeExceptionally(failure));
    waiters.clear();
  }
}
