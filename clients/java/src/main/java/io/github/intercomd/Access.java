package io.github.intercomd;

import io.grpc.Metadata;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Supplier;

/** The target of a publisher, and the proof of who calls. Its files are read again before calls. The caller guards it. */
final class Access {
  private static final System.Logger LOGGER = System.getLogger("io.github.intercomd");
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final Target target;
  private final Tls tls;
  private final Path tokenFile;
  private final Set<String> reported = new HashSet<>();
  private String token;
  private PemFiles pem;

  /**
   * Reads the files.
   *
   * @throws IllegalArgumentException a setting can never work; the message names it
   */
  Access(String target, Settings settings) {
    this.target = new Target(target);
    this.tls = settings.tls();
    this.tokenFile = settings.tokenFile();
    if (settings.token() != null && tokenFile != null) {
      throw new IllegalArgumentException("token and tokenFile exclude each other: set one of them");
    }
    if (settings.token() != null) {
      token = checkedToken(settings.token(), "token");
    } else if (tokenFile != null) {
      token = readToken(tokenFile);
    }
    if (tls != null) {
      pem = new PemFiles(tls);
    }
    if (token != null && tls == null && !this.target.isLocal()) {
      LOGGER.log(Level.WARNING, "the token travels to {0} in plain text: set tls", target);
    }
  }

  Target target() {
    return target;
  }

  /** Returns the TLS files that were read last; null: plain text. */
  PemFiles pem() {
    return pem;
  }

  /** Returns the name that the daemon's certificate has; null: that of the target. */
  String serverName() {
    return tls == null ? null : tls.serverName();
  }

  /** Returns the headers of the next call. Reads the token file again; if that fails, its last token stays. */
  Metadata headers() {
    if (tokenFile != null) {
      token = readAgain("tokenFile", () -> readToken(tokenFile), token);
    }
    Metadata headers = new Metadata();
    if (token != null) {
      headers.put(AUTHORIZATION, "Bearer " + token);
    }
    return headers;
  }

  /** Reads the TLS files again; returns whether they changed, so that a new channel is needed. */
  boolean tlsChanged() {
    if (tls == null) {
      return false;
    }
    PemFiles previous = pem;
    pem = readAgain("tls", () -> new PemFiles(tls), previous);
    return !pem.hasSameContent(previous);
  }

  /** Returns what {@code read} returns; if it fails, as during a replacement of the file, {@code last}. Warns once. */
  private <T> T readAgain(String name, Supplier<T> read, T last) {
    try {
      T content = read.get();
      reported.remove(name);
      return content;
    } catch (IllegalArgumentException error) {
      if (reported.add(name)) {
        LOGGER.log(Level.WARNING, "using the last good {0}: {1}", name, error.getMessage());
      }
      return last;
    }
  }

  /** Returns the token in a file: one line, with or without its end and a byte order mark. */
  private static String readToken(Path path) {
    String text = new String(readFile("tokenFile", path), StandardCharsets.UTF_8);
    return checkedToken((text.startsWith("\ufeff") ? text.substring(1) : text).strip(), "tokenFile " + path);
  }

  /** Returns a token that can be the value of a header (RFC 9110, 5.5). Its errors don't quote it. */
  private static String checkedToken(String token, String name) {
    if (token.isEmpty()) {
      throw new IllegalArgumentException(name + " is empty");
    }
    if (!token.matches("[!-~]+")) {
      throw new IllegalArgumentException(name + " must be one line of printable ASCII characters without spaces");
    }
    return token;
  }

  /** Returns the content of a file of a setting. */
  static byte[] readFile(String name, Path path) {
    byte[] content;
    try {
      content = Files.readAllBytes(path);
    } catch (IOException error) {
      throw new IllegalArgumentException(name + " " + path + " cannot be read: " + error, error);
    }
    if (content.length == 0) {
      throw new IllegalArgumentException(name + " " + path + " is empty");
    }
    return content;
  }
}
