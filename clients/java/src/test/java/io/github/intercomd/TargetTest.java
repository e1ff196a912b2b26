package io.github.intercomd;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TargetTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "127.0.0.1:50051",
        "[::1]:50051",
        "intercomd:1",
        "dns:///intercomd:50051",
        "dns:intercomd:50051",
        "dns://8.8.8.8/intercomd:50051",
        "ipv4:10.0.0.1:50051",
        "ipv6:%5B::1%5D:50051",
        "unix:/run/intercomd.sock",
        "unix:///run/intercomd.sock",
        "unix:intercomd.sock"
      })
  void targetAcceptsAnAddress(String text) {
    assertDoesNotThrow(() -> new Target(text));
  }

  @ParameterizedTest
  @CsvSource({
    "'', empty",
    "' 127.0.0.1:50051', white space",
    "http://127.0.0.1:50051, URL",
    "grpcs://127.0.0.1:50051, URL",
    "127.0.0.1, no port",
    "::1, no port",
    ":50051, no host",
    "intercomd:50051/path, path",
    "intercomd:0, 1 to 65535",
    "intercomd:65536, 1 to 65535",
    "intercomd:port, 1 to 65535",
    "unix:, no path",
    "unix://, no path",
    "unix-abstract:name, unix-abstract",
    "xds:///intercomd, xds",
    "'ipv4:10.0.0.1:50051,10.0.0.2:50051', several addresses"
  })
  void targetRefusesWithTheMistake(String text, String expected) {
    String message = assertThrows(IllegalArgumentException.class, () -> new Target(text)).getMessage();
    assertTrue(message.contains(expected), message);
  }

  @Test
  void targetRefusesNull() {
    assertThrows(IllegalArgumentException.class, () -> new Target(null));
  }

  @ParameterizedTest
  @CsvSource({
    "127.0.0.1:50051, true",
    "127.9.9.9:1, true",
    "[::1]:50051, true",
    "[::ffff:127.0.0.1]:50051, true",
    "localhost:50051, true",
    "a.localhost.:50051, true",
    "unix:/run/x, true",
    "unix-abstract:x, true",
    "dns:///localhost:50051, true",
    "'ipv4:127.0.0.1:1,127.0.0.2:1', true",
    "passthrough:///127.0.0.1:1, true",
    "10.0.0.1:50051, false",
    "'ipv4:127.0.0.1:1,10.0.0.1:1', false",
    "localhost.example:50051, false",
    "dns:///intercomd:50051, false"
  })
  void targetIsLocal(String text, boolean expected) {
    assertEquals(expected, Target.isLocal(text));
  }

  @ParameterizedTest
  @CsvSource({
    "127.0.0.1:50051, dns:///127.0.0.1:50051",
    "[::1]:50051, dns:///%5B::1%5D:50051",
    "ipv6:%5B::1%5D:50051, dns:///%5B::1%5D:50051",
    "dns://8.8.8.8/intercomd:50051, dns:///intercomd:50051"
  })
  void targetIsResolvableByGrpc(String text, String expected) {
    assertEquals(expected, new Target(text).resolvable());
  }

  @ParameterizedTest
  @CsvSource({"unix:/run/x, /run/x", "unix:///run/x, /run/x", "unix:x, x", "UNIX:/run/x, /run/x"})
  void targetOfASocketHasItsPath(String text, String expected) {
    assertEquals(Path.of(expected), new Target(text).socket());
  }
}
