package io.github.intercomd;

import java.io.ByteArrayOutputStream;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads private keys in PEM form. The JDK reads PKCS#8 alone; OpenSSL and cert-manager also write the older forms of RSA (RFC
 * 8017, A.1.2) and of elliptic curves (RFC 5915), which are wrapped here into PKCS#8 (RFC 5208, 5).
 */
final class PrivateKeys {
  private static final Pattern BLOCK =
      Pattern.compile("-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----([A-Za-z0-9+/=\\s]+)-----END \\1-----");
  private static final int INTEGER = 0x02;
  private static final int OCTET_STRING = 0x04;
  private static final int SEQUENCE = 0x30;
  private static final int PARAMETERS = 0xA0;
  private static final byte[] VERSION_0 = {INTEGER, 1, 0};
  private static final byte[] VERSION_1 = {INTEGER, 1, 1};

  /** The object identifier of rsaEncryption, 1.2.840.113549.1.1.1, and its parameters, NULL. */
  private static final byte[] RSA = {0x06, 9, 0x2A, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xF7, 0x0D, 1, 1, 1, 0x05, 0};

  /** The object identifier of id-ecPublicKey, 1.2.840.10045.2.1. */
  private static final byte[] EC = {0x06, 7, 0x2A, (byte) 0x86, 0x48, (byte) 0xCE, 0x3D, 2, 1};

  private PrivateKeys() {}

  /**
   * Returns the first key in a PEM file.
   *
   * @throws IllegalArgumentException there is no key that can be read
   */
  static PrivateKey read(String name, byte[] pem) {
    Matcher block = BLOCK.matcher(new String(pem, StandardCharsets.ISO_8859_1));
    if (!block.find()) {
      throw new IllegalArgumentException(name + " holds no private key in PEM form without a password");
    }
    try {
      byte[] key = Base64.getMimeDecoder().decode(block.group(2));
      return decode(
          switch (block.group(1)) {
            case "RSA PRIVATE KEY" -> wrap(RSA, key);
            case "EC PRIVATE KEY" -> wrapEllipticCurve(key);
            default -> key;
          });
    } catch (GeneralSecurityException | BufferUnderflowException | IllegalArgumentException error) {
      throw new IllegalArgumentException(name + " holds a private key that cannot be read: " + error, error);
    }
  }

  private static PrivateKey decode(byte[] encoded) throws GeneralSecurityException {
    InvalidKeySpecException last = null;
    for (String algorithm : List.of("RSA", "EC", "EdDSA")) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(encoded));
      } catch (InvalidKeySpecException error) {
        last = error;
      }
    }
    throw last;
  }

  /** Returns whether a private and a public key belong together. */
  static boolean match(PrivateKey privateKey, PublicKey publicKey) {
    String algorithm =
        switch (privateKey.getAlgorithm()) {
          case "RSA" -> "SHA256withRSA";
          case "EC" -> "SHA256withECDSA";
          default -> "EdDSA";
        };
    try {
      // Any message will do.
      Signature signature = Signature.getInstance(algorithm);
      signature.initSign(privateKey);
      signature.update(RSA);
      byte[] signed = signature.sign();
      signature.initVerify(publicKey);
      signature.update(RSA);
      return signature.verify(signed);
    } catch (GeneralSecurityException error) {
      return false; // keys of different algorithms
    }
  }

  /** The curve is a parameter of the algorithm in PKCS#8, and of the key in RFC 5915. */
  private static byte[] wrapEllipticCurve(byte[] key) {
    ByteBuffer fields = ByteBuffer.wrap(content(ByteBuffer.wrap(key), SEQUENCE));
    content(fields, INTEGER);
    byte[] secret = content(fields, OCTET_STRING);
    byte[] curve = content(fields, PARAMETERS);
    return wrap(join(EC, curve), element(SEQUENCE, join(VERSION_1, element(OCTET_STRING, secret))));
  }

  private static byte[] wrap(byte[] algorithm, byte[] key) {
    return element(SEQUENCE, join(VERSION_0, element(SEQUENCE, algorithm), element(OCTET_STRING, key)));
  }

  /** Encodes an element of DER (X.690, 8.1). */
  private static byte[] element(int tag, byte[] content) {
    byte[] head =
        content.length < 0x80
            ? new byte[] {(byte) tag, (byte) content.length}
            : new byte[] {(byte) tag, (byte) 0x82, (byte) (content.length >> 8), (byte) content.length};
    return join(head, content);
  }

  /** Reads the content of the next element of DER, and passes it. */
  private static byte[] content(ByteBuffer input, int tag) {
    int found = input.get() & 0xFF;
    if (found != tag) {
      throw new IllegalArgumentException("the tag is " + found + ", expected " + tag);
    }
    int length = input.get() & 0xFF;
    if (length >= 0x80) {
      int bytes = length & 0x7F;
      length = 0;
      for (int each = 0; each < bytes; each++) {
        length = length << 8 | (input.get() & 0xFF);
      }
    }
    if (length < 0 || length > input.remaining()) {
      throw new IllegalArgumentException("the length is beyond the end");
    }
    byte[] content = new byte[length];
    input.get(content);
    return content;
  }

  private static byte[] join(byte[]... parts) {
    ByteArrayOutputStream joined = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      joined.writeBytes(part);
    }
    return joined.toByteArray();
  }
}
