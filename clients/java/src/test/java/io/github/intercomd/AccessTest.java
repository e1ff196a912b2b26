package io.github.intercomd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Metadata;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class AccessTest {
  private static final String SECRET = "a secret";

  @TempDir private Path folder;

  private Path write(String name, String content) throws IOException {
    return Files.writeString(folder.resolve(name), content);
  }

  private static PublisherBuilder builder() {
    return Publisher.builder("127.0.0.1:1");
  }

  @Test
  void tokenFileIsReadAgain() throws IOException {
    Path path = write("token", "\ufefffirst\r\n");
    Access access = new Access("127.0.0.1:1", builder().tokenFile(path).settings());
    Map<String, String> expected =
        Map.of("\ufefffirst\r\n", "first", "second", "second", "third\n", "third");
    for (Map.Entry<String, String> each : expected.entrySet()) {
      write("token", each.getKey());
      assertEquals("Bearer " + each.getValue(), authorization(access));
    }
    String last = authorization(access);
    for (String unusable : new String[] {"", "two words"}) {
      write("token", unusable);
      assertEquals(last, authorization(access));
    }
  }

  private static String authorization(Access access) {
    return access.headers().get(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER));
  }

  @Test
  void wrongAccessIsAnErrorThatNamesTheSetting() throws IOException {
    Path text = write("text.pem", "no certificate");
    Path empty = write("empty", "");
    Path missing = folder.resolve("missing");
    refuses("exclude each other", () -> builder().token("a").tokenFile(text).build());
    refuses("token must be one line", () -> builder().token(SECRET).build());
    refuses("token is empty", () -> builder().token("").build());
    refuses("missing", () -> builder().tokenFile(missing).build());
    refuses("empty", () -> builder().tokenFile(empty).build());
    refuses("belong together", () -> Tls.ofSystem().withCertificate(text, null));
    refuses("text.pem", () -> builder().tls(Tls.ofCa(text)).build());
    refuses("missing", () -> builder().tls(Tls.ofCa(missing)).build());
    refuses("text.pem", () -> builder().tls(Tls.ofSystem().withCertificate(text, text)).build());
    refuses("batchEnvelopesMax", () -> builder().batchEnvelopesMax(0));
    refuses("bufferBytesMax", () -> builder().bufferBytesMax(-1));
    refuses("callTimeout", () -> builder().callTimeout(Duration.ofMillis(-1)));
    assertThrows(NullPointerException.class, () -> builder().linger(null));
  }

  private static void refuses(String expected, Executable action) {
    String message = assertThrows(IllegalArgumentException.class, action).getMessage();
    assertTrue(message.contains(expected), message);
    assertFalse(message.contains(SECRET), message);
  }

  @Test
  void publisherThatWasNeverUsedClosesAtOnce() {
    Publisher publisher = builder().build();
    publisher.close();
    assertTrue(publisher.close(Duration.ofSeconds(1)).isEmpty());
    assertTrue(publisher.failure().orElseThrow() instanceof PublisherClosedException);
  }
}
