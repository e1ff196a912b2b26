package io.github.intercomd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.net.ConnectException;
import java.security.cert.CertificateExpiredException;
import java.time.Duration;
import java.util.stream.Stream;
import javax.net.ssl.SSLHandshakeException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class FailureTest {
  private static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);
  private static final String HTTP1 =
      "http2 exception: First received frame was not SETTINGS. Hex dump for first 5 bytes: 485454502f";

  private static Failure failure(Status.Code code, String message, String pushback, Message... details) {
    com.google.rpc.Status.Builder status = com.google.rpc.Status.newBuilder().setCode(code.value()).setMessage(message);
    Stream.of(details).map(Any::pack).forEach(status::addDetails);
    StatusRuntimeException error = StatusProto.toStatusRuntimeException(status.build());
    if (pushback != null) {
      error.getTrailers().put(PUSHBACK, pushback);
    }
    return Failure.of(error.getStatus(), error.getTrailers());
  }

  private static Message retryInfo(long milliseconds) {
    return RetryInfo.newBuilder()
        .setRetryDelay(
            com.google.protobuf.Duration.newBuilder()
                .setSeconds(milliseconds / 1000)
                .setNanos((int) (milliseconds % 1000 * 1_000_000)))
        .build();
  }

  private static Message notAllowed(String reason) {
    return ErrorInfo.newBuilder().setReason(reason).putMetadata("connection", "eu").build();
  }

  static Stream<Arguments> advices() {
    return Stream.of(
        Arguments.of(failure(Status.Code.UNAVAILABLE, "connection refused", null), Advice.REPEAT),
        Arguments.of(failure(Status.Code.DEADLINE_EXCEEDED, "", null), Advice.REPEAT),
        Arguments.of(failure(Status.Code.CANCELLED, "", null), Advice.REPEAT),
        Arguments.of(failure(Status.Code.INTERNAL, "", null), Advice.REPEAT),
        Arguments.of(failure(Status.Code.UNKNOWN, "", null), Advice.REPEAT),
        Arguments.of(failure(Status.Code.UNAVAILABLE, HTTP1, null), Advice.STOP),
        Arguments.of(failure(Status.Code.INTERNAL, HTTP1, null), Advice.STOP),
        Arguments.of(failure(Status.Code.INVALID_ARGUMENT, "", null), Advice.DIVIDE),
        Arguments.of(failure(Status.Code.RESOURCE_EXHAUSTED, "", null, retryInfo(1_000)), Advice.REPEAT),
        Arguments.of(failure(Status.Code.RESOURCE_EXHAUSTED, "", null), Advice.DIVIDE),
        Arguments.of(
            failure(Status.Code.PERMISSION_DENIED, "", null, notAllowed("CONNECTION_NOT_ALLOWED")), Advice.REJECT_CONNECTION),
        Arguments.of(failure(Status.Code.PERMISSION_DENIED, "", null), Advice.STOP),
        Arguments.of(failure(Status.Code.PERMISSION_DENIED, "", null, notAllowed("OPERATIONS_NOT_ALLOWED")), Advice.STOP),
        Arguments.of(failure(Status.Code.UNAUTHENTICATED, "", null), Advice.STOP),
        Arguments.of(failure(Status.Code.UNIMPLEMENTED, "", null), Advice.STOP));
  }

  @ParameterizedTest
  @MethodSource("advices")
  void failureHasAnAdvice(Failure failure, Advice expected) {
    assertEquals(expected, failure.advice());
  }

  static Stream<Arguments> pauses() {
    return Stream.of(
        Arguments.of(failure(Status.Code.UNAVAILABLE, "", null), null),
        Arguments.of(failure(Status.Code.UNAVAILABLE, "", null, retryInfo(1_500)), Duration.ofMillis(1_500)),
        Arguments.of(failure(Status.Code.UNAVAILABLE, "", "250", retryInfo(1_000)), Duration.ofMillis(250)),
        Arguments.of(failure(Status.Code.UNAVAILABLE, "", "0"), Duration.ZERO),
        Arguments.of(failure(Status.Code.UNAVAILABLE, "", "3600000"), Duration.ofMinutes(1)),
        Arguments.of(failure(Status.Code.UNAVAILABLE, "", null, retryInfo(3_600_000)), Duration.ofMinutes(1)),
        Arguments.of(failure(Status.Code.UNAVAILABLE, "", "soon"), null),
        Arguments.of(failure(Status.Code.UNAVAILABLE, "", "-5"), null),
        Arguments.of(failure(Status.Code.UNAVAILABLE, "", null, retryInfo(-5_000)), Duration.ZERO),
        Arguments.of(failure(Status.Code.UNAVAILABLE, "", null, retryInfo(Long.MAX_VALUE)), Duration.ofMinutes(1)),
        Arguments.of(failure(Status.Code.UNAVAILABLE, "", "1000000000000"), Duration.ofMinutes(1)),
        Arguments.of(failure(Status.Code.UNAVAILABLE, "", "99999999999999999999"), Duration.ofMinutes(1)));
  }

  @ParameterizedTest
  @MethodSource("pauses")
  void failureHasThePauseThatTheDaemonRequests(Failure failure, Duration expected) {
    assertEquals(expected, failure.pause());
  }

  @Test
  void failureOfAClientHasNoTrailers() {
    Failure failure = Failure.of(Status.CANCELLED, null);
    assertNull(failure.pause());
    assertNull(failure.forbidden());
    assertEquals("CANCELLED", failure.explain("x:1", false, true));
  }

  @Test
  void failureNamesAllCausesInOneLine() {
    Throwable refused = new IllegalStateException("wrapped", new ConnectException("Connection\nrefused"));
    assertEquals(
        "UNAVAILABLE: io exception: wrapped: Connection refused",
        Failure.of(Status.UNAVAILABLE.withDescription("io exception").withCause(refused), null).explain("x:1", false, true));
    Throwable expired = new SSLHandshakeException("handshake").initCause(new CertificateExpiredException("NotAfter: 2020"));
    String text = Failure.of(Status.UNAVAILABLE.withCause(expired), null).explain("x:1", false, true);
    assertTrue(text.contains("certificate") && text.contains("NotAfter"), text);
  }

  @Test
  void failureExplainsTheFix() {
    assertTrue(failure(Status.Code.UNAUTHENTICATED, "no", null).explain("x:1", false, true).contains("set token or tokenFile"));
    assertTrue(failure(Status.Code.UNIMPLEMENTED, "no", null).explain("x:1", false, true).contains("operations address"));
    assertTrue(failure(Status.Code.PERMISSION_DENIED, "no", null).explain("x:1", false, true).contains("permission"));
    assertTrue(failure(Status.Code.UNAVAILABLE, HTTP1, null).explain("x:1", false, true).contains("HTTP/1"));
  }

  @Test
  void firstBytesNameTheProtocol() {
    String bytes = "http2 exception: First received frame was not SETTINGS. Hex dump for first 5 bytes: ";
    Failure mail = failure(Status.Code.INTERNAL, bytes + "323230206d", null);
    assertEquals(Advice.STOP, mail.advice());
    assertTrue(mail.explain("x:1", false, false).contains("another protocol, not gRPC"));
    Failure alert = failure(Status.Code.INTERNAL, bytes + "1503030002", null);
    assertEquals(Advice.REPEAT, alert.advice());
    assertTrue(alert.explain("x:1", false, false).contains("if it expects TLS, set tls"));
  }

  @Test
  void closedConnectionNamesWhatMayBeMissing() {
    Failure closed = failure(Status.Code.UNAVAILABLE, "Network closed for unknown reason", null);
    assertTrue(closed.explain("x:1", false, false).contains("if it expects TLS, set tls"));
    assertTrue(closed.explain("x:1", true, false).contains("if it requires a client certificate"));
    assertEquals("UNAVAILABLE: Network closed for unknown reason", closed.explain("x:1", true, true));
  }
}
