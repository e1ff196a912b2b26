package io.github.intercomd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.InvalidProtocolBufferException;
import io.github.intercomd.v1.Envelope;
import io.github.intercomd.v1.Identity;
import io.github.intercomd.v1.PublishRequest;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.context.Scope;
import java.io.ByteArrayOutputStream;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class FrameTest {
  private static final Pattern UUID7 = Pattern.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  private static final String TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

  @Test
  void envelopeIdsIncreaseEvenIfTheClockIsSetBack() {
    EnvelopeIds ids = new EnvelopeIds();
    String last = "";
    for (long now : new long[] {1_000, 1_000, 1_001, 5, 1_001, 2_000, 1_999}) {
      String id = ids.next(now);
      assertTrue(UUID7.matcher(id).matches() && id.compareTo(last) > 0, id + " after " + last);
      last = id;
    }
    assertTrue(last.startsWith("00000000-07d0-7"), last);
  }

  @Test
  void envelopeIdsAreUniqueAcrossThreads() {
    Set<String> ids = IntStream.range(0, 8_000).parallel().mapToObj(number -> EnvelopeIds.next()).collect(Collectors.toSet());
    assertEquals(8_000, ids.size());
  }

  @Test
  void frameKeepsTheEnvelope() {
    Envelope given =
        Envelope.newBuilder()
            .setEnvelopeId("a")
            .setIdentity(Identity.newBuilder().setCustomerId("42 ? Zoë 🎉"))
            .setCustomEvent(Events.custom("e", Attributes.of("list", List.of("?", "b"))))
            .build();
    assertEquals(given, Frame.envelope(Frame.of(given, "")));
    Envelope traced = given.toBuilder().setTraceparent(TRACEPARENT).build();
    assertEquals(traced, Frame.envelope(Frame.of(given, TRACEPARENT)));
    assertEquals(traced, Frame.envelope(Frame.of(traced, "00-11111111111111111111111111111111-2222222222222222-01")));
  }

  @Test
  void framesJoinedAreOneRequest() throws InvalidProtocolBufferException {
    ByteArrayOutputStream joined = new ByteArrayOutputStream();
    for (String id : List.of("a", "", "c")) {
      joined.writeBytes(Frame.of(Envelope.newBuilder().setEnvelopeId(id).build(), ""));
    }
    PublishRequest request = PublishRequest.parseFrom(joined.toByteArray());
    assertEquals(3, request.getEnvelopesCount());
    assertEquals("a", request.getEnvelopes(0).getEnvelopeId());
    assertTrue(UUID7.matcher(request.getEnvelopes(1).getEnvelopeId()).matches());
  }

  @Test
  void frameRefusesNull() {
    assertThrows(NullPointerException.class, () -> Frame.of(null, ""));
  }

  @Test
  void frameRefusesTextThatIsNotUnicodeAndNamesTheField() {
    Envelope.Builder id = Envelope.newBuilder().setIdentity(Identity.newBuilder().setCustomerId("\udcff"));
    Envelope.Builder item =
        Envelope.newBuilder()
            .addUserAttributes(Attributes.of("a", "?"))
            .addUserAttributes(Attributes.of("b", List.of("x", "half \ud83c")));
    assertTrue(refusal(id.build()).startsWith("identity.customer_id "));
    assertTrue(refusal(item.build()).startsWith("user_attributes[1].value.list_value.values[1] "));
  }

  private static String refusal(Envelope envelope) {
    return assertThrows(IllegalArgumentException.class, () -> Frame.of(envelope, "")).getMessage();
  }

  @Test
  void traceContextIsThatOfOpenTelemetry() {
    assertEquals("", TraceContext.current());
    SpanContext context =
        SpanContext.create("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", TraceFlags.getSampled(), TraceState.getDefault());
    try (Scope scope = Span.wrap(context).makeCurrent()) {
      assertTrue(scope != null);
      assertEquals(TRACEPARENT, TraceContext.current());
    }
  }
}
