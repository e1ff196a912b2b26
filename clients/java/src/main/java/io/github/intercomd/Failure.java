package io.github.intercomd;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.security.cert.CertificateException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The error status of a call.
 *
 * @param message the description, and the causes that gRPC keeps apart, in one line
 * @param pause how long the daemon asks to wait, at most a minute; null: it does not ask. One of zero would repeat in a busy
 *     loop: the publisher uses its own
 * @param forbidden the connection of an ErrorInfo CONNECTION_NOT_ALLOWED; null without one
 */
record Failure(Status.Code code, String message, Duration pause, String forbidden, Throwable cause) {
  /** The longest pause that a target may request: a wrong header must not stop publishing for hours. */
  static final Duration PUSHBACK_MAX = Duration.ofSeconds(60);

  /** Numbers of milliseconds with more digits exceed the longest pause by far. */
  private static final int PUSHBACK_DIGITS_MAX = 9;

  static final String CONNECTION_NOT_ALLOWED = "CONNECTION_NOT_ALLOWED";

  private static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);

  /** Netty's description of a server that does not speak HTTP/2. */
  private static final String NO_SETTINGS = "First received frame was not SETTINGS. Hex dump for first 5 bytes: ";

  /** The same for a record of TLS, such as an alert (RFC 8446, 5.1): types 20 to 23, then the version 0x03nn. */
  private static final Pattern TLS_RECORD = Pattern.compile(Pattern.quote(NO_SETTINGS) + "1[4-7]03");

  /** Netty's descriptions where a server with TLS closes a connection in plain text, or without a client certificate. */
  private static final Pattern CLOSED = Pattern.compile("Network closed for unknown reason|Connection reset");

  private static final int CAUSES_MAX = 8;

  /** Reads a status and its trailers. grpc-retry-pushback-ms goes before RetryInfo. */
  static Failure of(Status status, Metadata trailers) {
    Duration pause = null;
    String forbidden = null;
    for (Any detail : details(status, trailers)) {
      try {
        if (detail.is(RetryInfo.class)) {
          com.google.protobuf.Duration delay = detail.unpack(RetryInfo.class).getRetryDelay();
          pause = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
        } else if (detail.is(ErrorInfo.class)) {
          ErrorInfo info = detail.unpack(ErrorInfo.class);
          forbidden = info.getReason().equals(CONNECTION_NOT_ALLOWED) ? info.getMetadataMap().get("connection") : forbidden;
        }
      } catch (InvalidProtocolBufferException error) {
        // A damaged detail counts as absent.
      }
    }
    Duration pushback = pushback(trailers);
    return new Failure(status.getCode(), messageOf(status), bounded(pushback == null ? pause : pushback), forbidden, status.getCause());
  }

  private static List<Any> details(Status status, Metadata trailers) {
    if (trailers == null) {
      return List.of();
    }
    com.google.rpc.Status details;
    try {
      details = StatusProto.fromStatusAndTrailers(status, trailers);
    } catch (IllegalArgumentException error) {
      return List.of(); // the trailer and the status differ in their codes
    }
    return details == null ? List.of() : details.getDetailsList();
  }

  private static Duration pushback(Metadata trailers) {
    String value = trailers == null ? null : trailers.get(PUSHBACK);
    if (value == null || !value.matches("[0-9]+")) {
      return null;
    }
    return value.length() > PUSHBACK_DIGITS_MAX ? PUSHBACK_MAX : Duration.ofMillis(Long.parseLong(value));
  }

  private static Duration bounded(Duration pause) {
    if (pause == null || pause.isNegative()) {
      return pause == null ? null : Duration.ZERO;
    }
    return pause.compareTo(PUSHBACK_MAX) > 0 ? PUSHBACK_MAX : pause;
  }

  /** Returns the description with all causes: gRPC's own is often only "io exception". */
  private static String messageOf(Status status) {
    List<String> parts = new ArrayList<>();
    if (status.getDescription() != null) {
      parts.add(status.getDescription());
    }
    List<Throwable> causes =
        Stream.iterate(status.getCause(), Objects::nonNull, Throwable::getCause).limit(CAUSES_MAX).toList();
    if (causes.stream().anyMatch(CertificateException.class::isInstance)) {
      parts.add("the daemon's certificate is not accepted");
    }
    for (Throwable cause : causes) {
      String text = cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
      if (parts.stream().noneMatch(part -> part.contains(text))) {
        parts.add(text);
      }
    }
    return String.join(": ", parts).replaceAll("\\s+", " ");
  }

  /**
   * Returns what to do.
   *
   * <p>The daemon itself sends UNAVAILABLE only; the other repeated statuses come from proxies and lost connections. A repeat
   * with the same ids does no harm: accepted envelopes are then duplicates. RESOURCE_EXHAUSTED with a pause is a quota; without
   * one it may be gRPC's own limit of a message's size.
   */
  Advice advice() {
    return switch (code) {
      case UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED, INTERNAL, UNKNOWN -> isNotHttp2() ? Advice.STOP : Advice.REPEAT;
      case INVALID_ARGUMENT -> Advice.DIVIDE;
      case RESOURCE_EXHAUSTED -> pause == null ? Advice.DIVIDE : Advice.REPEAT;
      case PERMISSION_DENIED -> forbidden == null ? Advice.STOP : Advice.REJECT_CONNECTION;
      default -> Advice.STOP;
    };
  }

  /**
   * Returns the status in one line, with the fix if repeating does not help.
   *
   * @param hasTls calls are secured
   * @param hasSucceeded one has succeeded
   */
  String explain(String target, boolean hasTls, boolean hasSucceeded) {
    String text = message.isEmpty() ? code.name() : code.name() + ": " + message;
    if (isNotHttp2()) {
      return target
          + " answers HTTP/1 or another protocol, not gRPC: set the target to the ingest address, by default port 50051 ("
          + text
          + ")";
    }
    boolean isClosed = (code == Status.Code.UNAVAILABLE && CLOSED.matcher(message).find()) || isTls();
    if (!hasSucceeded && isClosed) {
      String fix = hasTls ? "requires a client certificate, set tls to one that it accepts" : "expects TLS, set tls";
      return target + " closed the connection: if it " + fix + " (" + text + ")";
    }
    return switch (code) {
      case UNIMPLEMENTED -> target
          + " does not serve intercomd.v1.IngestService: set the target to the ingest address, by default port 50051, not the"
          + " operations address ("
          + text
          + ")";
      case UNAUTHENTICATED -> target
          + " refuses the credential: set token or tokenFile to a token that it accepts ("
          + text
          + ")";
      case PERMISSION_DENIED -> target
          + " does not allow this caller to publish: ask for the permission or use another token ("
          + text
          + ")";
      default -> text;
    };
  }

  private boolean isNotHttp2() {
    return message.contains(NO_SETTINGS) && !isTls();
  }

  private boolean isTls() {
    return TLS_RECORD.matcher(message).find();
  }
}
