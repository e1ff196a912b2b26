package io.github.intercomd;

import java.nio.file.Path;

/**
 * TLS to the daemon, from PEM files. They are read again before each call, so that they may be replaced.
 *
 * @param caFile the authorities that the daemon's certificate is checked against; null: those of the JVM
 * @param certificateFile the client's certificate chain, for daemons that request one; needs {@code keyFile}; or null
 * @param keyFile the private key of {@code certificateFile}, without a password; or null
 * @param serverName the name that the daemon's certificate has, if the target has another one; or null
 */
public record Tls(Path caFile, Path certificateFile, Path keyFile, String serverName) {
  /** Checks that a certificate has its key. */
  public Tls {
    if ((certificateFile == null) != (keyFile == null)) {
      throw new IllegalArgumentException("certificateFile and keyFile belong together: set both or neither");
    }
  }

  /** Returns TLS with the authorities of the JVM. */
  public static Tls ofSystem() {
    return new Tls(null, null, null, null);
  }

  /** Returns TLS with the authorities in a file. */
  public static Tls ofCa(Path caFile) {
    return new Tls(caFile, null, null, null);
  }

  /** Returns the same with a certificate of the client and its key. */
  public Tls withCertificate(Path certificateFile, Path keyFile) {
    return new Tls(caFile, certificateFile, keyFile, serverName);
  }

  /** Returns the same for a daemon whose certificate has another name than the target. */
  public Tls withServerName(String serverName) {
    return new Tls(caFile, certificateFile, keyFile, serverName);
  }
}
