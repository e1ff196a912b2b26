package io.github.intercomd;

import io.grpc.netty.GrpcSslContexts;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;

/** The contents of the TLS files, and the context that they make. */
final class PemFiles {
  private static final Pattern CERTIFICATE =
      Pattern.compile("-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\\s]+)-----END CERTIFICATE-----");

  private final byte[] ca;
  private final byte[] certificate;
  private final byte[] key;
  private final SslContext context;

  /**
   * Reads the files, and checks that they make usable credentials: a half-written file or pair is an error.
   *
   * @throws IllegalArgumentException a file cannot be used; the message names it
   */
  PemFiles(Tls tls) {
    ca = tls.caFile() == null ? new byte[0] : Access.readFile("tls.caFile", tls.caFile());
    certificate = tls.certificateFile() == null ? new byte[0] : Access.readFile("tls.certificateFile", tls.certificateFile());
    key = tls.keyFile() == null ? new byte[0] : Access.readFile("tls.keyFile", tls.keyFile());
    SslContextBuilder builder = GrpcSslContexts.forClient();
    if (tls.caFile() != null) {
      builder.trustManager(certificates("tls.caFile " + tls.caFile(), ca));
    }
    if (tls.certificateFile() != null) {
      X509Certificate[] chain = certificates("tls.certificateFile " + tls.certificateFile(), certificate);
      PrivateKey privateKey = PrivateKeys.read("tls.keyFile " + tls.keyFile(), key);
      if (!PrivateKeys.match(privateKey, chain[0].getPublicKey())) {
        throw new IllegalArgumentException(
            "tls.keyFile " + tls.keyFile() + " is not the key of the certificate in tls.certificateFile " + tls.certificateFile());
      }
      builder.keyManager(privateKey, chain);
    }
    try {
      context = builder.build();
    } catch (SSLException error) {
      throw new IllegalArgumentException("the files of " + tls + " are not usable: " + error, error);
    }
  }

  SslContext context() {
    return context;
  }

  boolean hasSameContent(PemFiles other) {
    return Arrays.equals(ca, other.ca) && Arrays.equals(certificate, other.certificate) && Arrays.equals(key, other.key);
  }

  private static X509Certificate[] certificates(String name, byte[] pem) {
    List<X509Certificate> certificates = new ArrayList<>();
    Matcher block = CERTIFICATE.matcher(new String(pem, StandardCharsets.ISO_8859_1));
    try {
      CertificateFactory factory = CertificateFactory.getInstance("X.509");
      while (block.find()) {
        byte[] encoded = Base64.getMimeDecoder().decode(block.group(1));
        certificates.add((X509Certificate) factory.generateCertificate(new ByteArrayInputStream(encoded)));
      }
    } catch (GeneralSecurityException | IllegalArgumentException error) {
      throw new IllegalArgumentException(name + " holds a certificate that cannot be read: " + error, error);
    }
    if (certificates.isEmpty()) {
      throw new IllegalArgumentException(name + " holds no certificate in PEM form");
    }
    return certificates.toArray(X509Certificate[]::new);
  }
}
