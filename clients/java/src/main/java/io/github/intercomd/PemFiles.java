package io.github.intercomd;

import io.grpc.netty.GrpcSslContexts;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.util.Arrays;
import javax.net.ssl.SSLException;

/** The contents of the TLS files, and the context that they make. */
final class PemFiles {
  private final byte[] ca;
  private final byte[] certificate;
  private final byte[] key;
  private final SslContext context;

  private PemFiles(Tls tls) throws SSLException {
    ca = tls.caFile() == null ? new byte[0] : Access.readFile("tls.caFile", tls.caFile());
    certificate = tls.certificateFile() == null ? new byte[0] : Access.readFile("tls.certificateFile", tls.certificateFile());
    key = tls.keyFile() == null ? new byte[0] : Access.readFile("tls.keyFile", tls.keyFile());
    SslContextBuilder builder = GrpcSslContexts.forClient();
    if (tls.caFile() != null) {
      builder.trustManager(stream(ca));
    }
    if (tls.certificateFile() != null) {
      builder.keyManager(stream(certificate), stream(key));
    }
    context = builder.build();
  }

  /**
   * Reads the files, and checks that they make usable credentials: a half-written file is an error.
   *
   * @throws IllegalArgumentException a file cannot be used; the message names it
   */
  static PemFiles read(Tls tls) {
    try {
      return new PemFiles(tls);
    } catch (SSLException | IllegalArgumentException error) {
      if (error.getMessage() != null && error.getMessage().startsWith("tls.")) {
        throw new IllegalArgumentException(error.getMessage(), error);
      }
      throw new IllegalArgumentException(
          "the files of " + tls + " are not usable; certificates must be PEM, keys PEM in PKCS#8 without password: " + error, error);
    }
  }

  SslContext context() {
    return context;
  }

  boolean hasSameContent(PemFiles other) {
    return Arrays.equals(ca, other.ca) && Arrays.equals(certificate, other.certificate) && Arrays.equals(key, other.key);
  }

  private static InputStream stream(byte[] content) {
    return new ByteArrayInputStream(content);
  }
}
