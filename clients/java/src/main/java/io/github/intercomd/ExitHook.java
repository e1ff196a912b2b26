package io.github.intercomd;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/** Flushes publishers that were not closed when the JVM ends. */
final class ExitHook {
  /** How long a JVM that ends sends the envelopes of publishers that were not closed. */
  private static final Duration EXIT_MAX = Duration.ofSeconds(5);

  private static final System.Logger LOGGER = System.getLogger("io.github.intercomd");
  private static final ReentrantLock LOCK = new ReentrantLock();
  private static final Set<Publisher> OPEN = new LinkedHashSet<>();
  private static Thread hook;

  private ExitHook() {}

  /** Registers a publisher that opens its connection: from now on it is flushed when the JVM ends. */
  static void opened(Publisher publisher) {
    LOCK.lock();
    try {
      OPEN.add(publisher);
      if (hook == null) {
        Thread thread = new Thread(ExitHook::flush, "intercomd-exit");
        Runtime.getRuntime().addShutdownHook(thread);
        hook = thread;
      }
    } catch (IllegalStateException error) {
      OPEN.remove(publisher); // the JVM ends already: its owner has to close it
    } finally {
      LOCK.unlock();
    }
  }

  /** Unregisters a closed publisher. */
  static void closed(Publisher publisher) {
    LOCK.lock();
    try {
      OPEN.remove(publisher);
      if (OPEN.isEmpty() && hook != null) {
        Runtime.getRuntime().removeShutdownHook(hook);
        hook = null;
      }
    } catch (IllegalStateException error) {
      hook = null; // the JVM ends, and the hook finds nothing to flush
    } finally {
      LOCK.unlock();
    }
  }

  private static void flush() {
    long deadline = System.nanoTime() + EXIT_MAX.toNanos();
    int left = 0;
    for (Publisher publisher : publishers()) {
      left += publisher.flushAtExit(Duration.ofNanos(deadline - System.nanoTime()));
    }
    if (left > 0) {
      String text =
          left
              + " envelopes were not sent when the JVM ended. Close the publisher before: close() waits for the results and"
              + " reports the envelopes without one";
      LOGGER.log(Level.WARNING, text);
      // Loggers have hooks of their own, which run at the same time: java.util.logging's removes the handlers.
      System.err.println("intercomd: " + text);
    }
  }

  private static List<Publisher> publishers() {
    LOCK.lock();
    try {
      return List.copyOf(OPEN);
    } finally {
      LOCK.unlock();
    }
  }
}
