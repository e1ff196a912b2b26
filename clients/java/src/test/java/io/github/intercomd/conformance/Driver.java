package io.github.intercomd.conformance;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import io.github.intercomd.Attributes;
import io.github.intercomd.EnvelopeIds;
import io.github.intercomd.Events;
import io.github.intercomd.PublishException;
import io.github.intercomd.Publisher;
import io.github.intercomd.PublisherBuilder;
import io.github.intercomd.Tls;
import io.github.intercomd.v1.Adjustment;
import io.github.intercomd.v1.Attribute;
import io.github.intercomd.v1.Envelope;
import io.github.intercomd.v1.EnvelopeResult;
import io.github.intercomd.v1.Identity;
import io.github.intercomd.v1.IngestServiceGrpc;
import io.github.intercomd.v1.PublishRequest;
import io.github.intercomd.v1.PublishResponse;
import io.github.intercomd.v1.Violation;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Performs the commands of the conformance scenarios: one JSON object a line on the standard input, one reply a line on the
 * standard output, and the client's log on the standard error. clients/conformance/README.md describes the commands.
 */
final class Driver {
  private static final Instant FIRST_EVENT = Instant.parse("2026-01-01T00:00:00Z");
  private static final Gson GSON = new Gson();

  private final List<Map<String, Object>> results = Collections.synchronizedList(new ArrayList<>());
  private final List<String> rejected = Collections.synchronizedList(new ArrayList<>());
  private Publisher publisher;
  private long resourcesBefore;

  private Driver() {}

  public static void main(String[] arguments) throws IOException {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream replies = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    SocketChannel.open().close(); // the JDK opens a socket with the first one, and keeps it
    Driver driver = new Driver();
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonObject command = JsonParser.parseString(line).getAsJsonObject();
      if (text(command, "do").equals("exit")) {
        return;
      }
      replies.println(GSON.toJson(driver.reply(command)));
    }
  }

  @SuppressWarnings("CatchingUnchecked") // every exception of the client is a reply
  private Object reply(JsonObject command) {
    try {
      return perform(command);
    } catch (Exception error) {
      return Map.of("error", textOf(error));
    }
  }

  private Object perform(JsonObject command) throws Exception {
    switch (text(command, "do")) {
      case "open" -> {
        open(text(command, "target"), command.has("options") ? command.getAsJsonObject("options") : new JsonObject());
        return Map.of();
      }
      case "publish" -> {
        return publish(command);
      }
      case "publish_many" -> {
        return publishMany(command);
      }
      case "publish_and_wait" -> {
        Envelope envelope = envelope(command.get("envelope"));
        EnvelopeResult result =
            command.has("timeout_ms")
                ? publisher.publishAndWait(envelope, milliseconds(command, "timeout_ms"))
                : publisher.publishAndWait(envelope);
        return Map.of("result", summary(result));
      }
      case "flush" -> {
        if (command.has("timeout_ms")) {
          publisher.flush(milliseconds(command, "timeout_ms"));
        } else {
          publisher.flush();
        }
        return Map.of();
      }
      case "results" -> {
        return Map.of("results", List.copyOf(results), "rejected", List.copyOf(rejected));
      }
      case "close" -> {
        return close(command);
      }
      case "leaks" -> {
        return Map.of("left", resourcesLeft());
      }
      case "build" -> {
        return Map.of("envelope", JsonParser.parseString(JsonFormat.printer().print(build())));
      }
      case "misuse" -> {
        return misuse(text(command, "case"));
      }
      case "rate" -> {
        return rate(command);
      }
      case "ends_by_itself" -> {
        return Map.of();
      }
      case "fork" -> {
        return notApplicable("the JVM does not fork");
      }
      default -> {
        return notApplicable("unknown command " + text(command, "do"));
      }
    }
  }

  private void open(String target, JsonObject options) {
    results.clear();
    rejected.clear();
    resourcesBefore = resources();
    boolean raises = options.has("callback_raises") && options.get("callback_raises").getAsBoolean();
    PublisherBuilder builder =
        Publisher.builder(target)
            .onResults(
                each -> {
                  each.forEach(result -> results.add(summary(result)));
                  raise(raises);
                })
            .onRejected(
                (envelope, result) -> {
                  rejected.add(envelope.getEnvelopeId());
                  raise(raises);
                });
    for (String name : options.keySet()) {
      set(builder, name, options);
    }
    if (options.has("tls") || options.has("ca_file")) {
      builder.tls(
          new Tls(path(options, "ca_file"), path(options, "certificate_file"), path(options, "key_file"), optional(options, "server_name")));
    }
    publisher = builder.build();
  }

  private static void set(PublisherBuilder builder, String name, JsonObject options) {
    switch (name) {
      case "token" -> builder.token(text(options, name));
      case "token_file" -> builder.tokenFile(path(options, name));
      case "linger_ms" -> builder.linger(milliseconds(options, name));
      case "batch_envelopes_max" -> builder.batchEnvelopesMax(options.get(name).getAsInt());
      case "batch_bytes_max" -> builder.batchBytesMax(options.get(name).getAsInt());
      case "buffer_bytes_max" -> builder.bufferBytesMax(options.get(name).getAsLong());
      case "calls_in_flight_max" -> builder.callsInFlightMax(options.get(name).getAsInt());
      case "call_timeout_ms" -> builder.callTimeout(milliseconds(options, name));
      case "repeat_max_ms" -> builder.repeatMax(milliseconds(options, name));
      case "validate_only" -> builder.validateOnly(options.get(name).getAsBoolean());
      default -> {} // `open` reads the others
    }
  }

  private static void raise(boolean raises) {
    if (raises) {
      throw new IllegalStateException("a callback that raises");
    }
  }

  private Object publish(JsonObject command) throws InterruptedException, InvalidProtocolBufferException {
    int taken = 0;
    for (JsonElement fields : command.getAsJsonArray("envelopes")) {
      try {
        publisher.publish(envelope(fields));
      } catch (PublishException error) {
        return Map.of("taken", taken, "error", textOf(error));
      }
      taken += 1;
    }
    return Map.of("taken", taken);
  }

  private Object publishMany(JsonObject command) throws InterruptedException {
    int count = command.get("count").getAsInt();
    int users = command.has("users") ? command.get("users").getAsInt() : 1;
    boolean padded = command.has("padded") && command.get("padded").getAsBoolean();
    Attribute[] padding =
        IntStream.range(0, padded ? 5 : 0)
            .mapToObj(place -> Attributes.of("p" + place, "x".repeat(250)))
            .toArray(Attribute[]::new);
    for (int number = 0; number < count; number++) {
      publisher.publish(
          Envelope.newBuilder()
              .setEnvelopeId(text(command, "prefix") + number)
              .setIdentity(Identity.newBuilder().setCustomerId("user-" + number % users))
              .setEventTime(Events.time(FIRST_EVENT.plusSeconds(number)))
              .setCustomEvent(Events.custom("counted", padding))
              .build());
    }
    return Map.of("taken", count);
  }

  /** Publishes new events, with the client or with bare stubs in batches of 200. */
  private static Object rate(JsonObject command) throws InterruptedException {
    String target = text(command, "target");
    int count = command.get("count").getAsInt();
    List<Envelope> envelopes =
        IntStream.range(0, count)
            .mapToObj(
                number ->
                    Envelope.newBuilder()
                        .setEnvelopeId(EnvelopeIds.next())
                        .setIdentity(Identity.newBuilder().setCustomerId("user-" + number % 1000))
                        .setCustomEvent(
                            Events.custom("counted", Attributes.of("number", (long) number)))
                        .build())
            .toList();
    long start = System.nanoTime();
    if (text(command, "case").equals("stubs")) {
      publishByStubs(target, envelopes);
    } else {
      try (Publisher one = Publisher.builder(target).build()) {
        for (Envelope envelope : envelopes) {
          one.publish(envelope);
        }
      }
    }
    return Map.of("per_second", count / ((System.nanoTime() - start) / 1e9));
  }

  private static void publishByStubs(String target, List<Envelope> envelopes) {
    ManagedChannel channel = ManagedChannelBuilder.forTarget(target).usePlaintext().build();
    IngestServiceGrpc.IngestServiceBlockingStub stub = IngestServiceGrpc.newBlockingStub(channel);
    for (int first = 0; first < envelopes.size(); first += 200) {
      List<Envelope> batch = envelopes.subList(first, Math.min(first + 200, envelopes.size()));
      PublishResponse response =
          stub.publish(PublishRequest.newBuilder().addAllEnvelopes(batch).build());
      if (response.getResultsCount() != batch.size()) {
        throw new IllegalStateException("results are missing");
      }
    }
    channel.shutdownNow();
  }

  private Object close(JsonObject command) {
    List<Envelope> left;
    String error = "";
    if (command.has("timeout_ms")) {
      left = publisher.close(milliseconds(command, "timeout_ms"));
      error = left.size() + " envelopes: " + publisher.failure().map(Driver::textOf).orElse("");
    } else {
      left = publisher.unanswered();
      error = left.size() + " envelopes, of the first close";
      try {
        publisher.close();
      } catch (PublishException thrown) {
        left = thrown.unanswered();
        error = textOf(thrown);
      }
    }
    List<String> ids = left.stream().map(Envelope::getEnvelopeId).toList();
    return ids.isEmpty() ? Map.of("unanswered", ids) : Map.of("unanswered", ids, "error", error);
  }

  private static Envelope build() {
    return Envelope.newBuilder()
        .setEnvelopeId("built")
        .setIdentity(Identity.newBuilder().setCustomerId("42").setEmail("ada@example.com"))
        .addUserAttributes(Attributes.of("text", "Zoë 🎉"))
        .addUserAttributes(Attributes.of("empty", ""))
        .addUserAttributes(Attributes.of("largest", Long.MAX_VALUE))
        .addUserAttributes(Attributes.of("smallest", BigInteger.valueOf(Long.MIN_VALUE)))
        .addUserAttributes(Attributes.of("number", 0.5))
        .addUserAttributes(Attributes.of("whole number", 3.0f))
        .addUserAttributes(Attributes.of("yes", true))
        .addUserAttributes(Attributes.of("no", false))
        .addUserAttributes(Attributes.of("moment", Instant.parse("2026-01-02T03:04:05Z")))
        .addUserAttributes(Attributes.of("list", List.of("a", "b")))
        .addUserAttributes(Attributes.of("price", Attributes.money("19.99", "USD")))
        .addUserAttributes(Attributes.of("page", Attributes.link("https://example.com/", "Page")))
        .addUserAttributes(Attributes.of("tagged", Attributes.tag()))
        .setCustomEvent(Events.custom("built", Attributes.of("seats", 12)))
        .build();
  }

  /** Does what the client must refuse at once. */
  private Object misuse(String name) throws InterruptedException {
    switch (name) {
      case "no_envelope" -> publisher.publish(null);
      case "invalid_text" -> publisher.publish(
          Envelope.newBuilder().setIdentity(Identity.newBuilder().setCustomerId("\udcff")).build());
      case "naive_time" -> Attributes.of("seen_at", LocalDateTime.of(2026, 1, 2, 3, 4));
      case "wrong_type" -> Attributes.of("plan", new Object());
      default -> {
        return notApplicable("unknown case " + name);
      }
    }
    return Map.of();
  }

  /** Returns the number of threads and sockets since `open`. A thread that ends may still be listed for a moment. */
  private long resourcesLeft() throws InterruptedException {
    for (int tries = 0; tries < 200 && resources() > resourcesBefore; tries++) {
      Thread.sleep(10);
    }
    return Math.max(0, resources() - resourcesBefore);
  }

  private static long resources() {
    return Thread.getAllStackTraces().size() + sockets();
  }

  private static long sockets() {
    try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
      return files.map(Driver::targetOf).filter(name -> name.startsWith("socket:") || name.startsWith("anon_inode:")).count();
    } catch (IOException error) {
      return 0; // an operating system without /proc
    }
  }

  private static String targetOf(Path link) {
    try {
      return Files.readSymbolicLink(link).toString();
    } catch (IOException error) {
      return ""; // closed meanwhile, as the descriptor of the listing itself
    }
  }

  private static Map<String, Object> summary(EnvelopeResult result) {
    return Map.of(
        "id", result.getEnvelopeId(),
        "disposition", result.getDisposition().name().replace("DISPOSITION_", ""),
        "reasons", result.getViolationsList().stream().map(Violation::getReason).toList(),
        "adjustments", result.getAdjustmentsList().stream().map(Adjustment::getReason).toList());
  }

  private static Envelope envelope(JsonElement fields) throws InvalidProtocolBufferException {
    Envelope.Builder builder = Envelope.newBuilder();
    JsonFormat.parser().merge(GSON.toJson(fields), builder);
    return builder.build();
  }

  private static Map<String, Object> notApplicable(String reason) {
    return Map.of("not_applicable", reason);
  }

  private static String textOf(Exception error) {
    return Objects.requireNonNullElse(error.getMessage(), error.getClass().getName());
  }

  private static String text(JsonObject fields, String name) {
    return fields.has(name) ? fields.get(name).getAsString() : "";
  }

  private static String optional(JsonObject fields, String name) {
    return fields.has(name) ? text(fields, name) : null;
  }

  private static Path path(JsonObject fields, String name) {
    return fields.has(name) ? Path.of(text(fields, name)) : null;
  }

  private static Duration milliseconds(JsonObject fields, String name) {
    return Duration.ofMillis(fields.get(name).getAsLong());
  }
}
