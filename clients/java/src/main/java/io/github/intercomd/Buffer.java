package io.github.intercomd;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import io.github.intercomd.v1.EnvelopeResult;

/**
 * Batches from their first frame to their last result. It decides when a batch is due and whether a frame has room; the
 * publisher waits, and guards it with its lock.
 *
 * <p>Times are those of {@link System#nanoTime}.
 */
final class Buffer {
  private final Settings settings;
  private final Set<Batch> unfinished = new LinkedHashSet<>();
  private final ArrayDeque<Batch> untaken = new ArrayDeque<>();
  /** The last of the untaken batches, while it has room; or null. */
  private Batch open;

  private long bytes;

  Buffer(Settings settings) {
    this.settings = settings;
  }

  /** Returns whether a frame may be put now. A frame above the whole bound may if the buffer is empty. */
  boolean hasRoom(int frameBytes) {
    return bytes == 0 || bytes + frameBytes <= settings.bufferBytesMax();
  }

  /**
   * Adds a frame at the end.
   *
   * @param waiter completed with the result; or null
   * @return whether a batch is due earlier than before
   */
  boolean put(byte[] frame, CompletableFuture<EnvelopeResult> waiter, long now) {
    boolean changed = false;
    if (open == null || open.bytes + frame.length > settings.batchBytesMax()) {
      changed = true;
      hasten(now);
      open = new Batch(now + Nanos.of(settings.linger()));
      untaken.add(open);
      unfinished.add(open);
    }
    open.add(frame, waiter);
    bytes += frame.length;
    if (open.frames.size() >= settings.batchEnvelopesMax()) {
      changed = true;
      hasten(now);
      open = null;
    }
    return changed;
  }

  /** Makes the open batch due now, without its linger. It still accepts frames until it is taken. */
  void hasten(long now) {
    if (open != null && open.due - now > 0) {
      open.due = now;
    }
  }

  /** Returns the next batch that is due, in the order in which they were filled; null: none is. */
  Batch take(long now) {
    Batch next = untaken.peek();
    if (next == null || next.due - now > 0) {
      return null;
    }
    untaken.remove();
    if (next == open) {
      open = null;
    }
    return next;
  }

  /** Returns how many nanoseconds remain until a batch is due; empty: there is no batch to take. */
  OptionalLong dueIn(long now) {
    Batch next = untaken.peek();
    return next == null ? OptionalLong.empty() : OptionalLong.of(next.due - now);
  }

  /** Frees the room of a batch whose frames all have their results. */
  void settle(Batch batch) {
    unfinished.remove(batch);
    bytes -= batch.bytes;
  }

  /** Returns the batches that have frames without a result. */
  Collection<Batch> unfinished() {
    return new ArrayList<>(unfinished);
  }

  boolean isUnfinished(Batch batch) {
    return unfinished.contains(batch);
  }

  /** Ends the wait of all callers. */
  void fail(PublishException failure) {
    for (Batch batch : unfinished) {
      batch.fail(failure);
    }
  }

  /** Returns the frames without a result, in their order. */
  List<byte[]> unanswered() {
    List<byte[]> frames = new ArrayList<>();
    for (Batch batch : unfinished) {
      frames.addAll(batch.unanswered());
    }
    return frames;
  }
}
