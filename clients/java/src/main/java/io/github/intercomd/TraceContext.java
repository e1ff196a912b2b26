package io.github.intercomd;

import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import java.util.HashMap;
import java.util.Map;

/** Reads the W3C trace context of the caller from OpenTelemetry's API, if it is on the class path. */
final class TraceContext {
  private static final boolean IS_PRESENT = isPresent();

  private TraceContext() {}

  /** Returns the traceparent of the current context; "": there is none. */
  static String current() {
    return IS_PRESENT ? OpenTelemetry.current() : "";
  }

  private static boolean isPresent() {
    try {
      Class.forName("io.opentelemetry.context.Context", false, TraceContext.class.getClassLoader());
      return OpenTelemetry.current() != null;
    } catch (ClassNotFoundException | LinkageError error) {
      return false; // no OpenTelemetry, or one without these methods
    }
  }

  /** Loaded only if OpenTelemetry is there. */
  private static final class OpenTelemetry {
    static String current() {
      Map<String, String> carrier = new HashMap<>();
      W3CTraceContextPropagator.getInstance().inject(Context.current(), carrier, Map::put);
      return carrier.getOrDefault("traceparent", "");
    }
  }
}
