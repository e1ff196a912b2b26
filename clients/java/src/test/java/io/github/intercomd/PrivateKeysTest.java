package io.github.intercomd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.util.Arrays;
import java.util.Base64;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PrivateKeysTest {
  /** The key of RFC 9500, 2.3: "testECCP256". */
  private static final String EC =
      """
      -----BEGIN EC PRIVATE KEY-----
      MHcCAQEEIObLW92AqkWunJXowVR2Z5/+yVPBaFHnEedDk5WJxk/BoAoGCCqGSM49
      AwEHoUQDQgAEQiVI+I+3gv+17KN0RFLHKh5Vj71vc75eSOkyMsxFxbFsTNEMTLjV
      uKFxOelIgsiZJXKZNCX0FBmrfpCkKklCcg==
      -----END EC PRIVATE KEY-----
      """;

  private static PrivateKey read(String pem) {
    return PrivateKeys.read("tls.keyFile k", pem.getBytes(StandardCharsets.UTF_8));
  }

  private static String pem(String type, byte[] content) {
    String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content);
    return "-----BEGIN " + type + "-----\n" + text + "\n-----END " + type + "-----\n";
  }

  @ParameterizedTest
  @ValueSource(strings = {"RSA", "EC", "Ed25519"})
  void keysInPkcs8AreRead(String algorithm) throws GeneralSecurityException {
    KeyPair pair = KeyPairGenerator.getInstance(algorithm).generateKeyPair();
    PrivateKey key = read(pem("PRIVATE KEY", pair.getPrivate().getEncoded()));
    assertEquals(pair.getPrivate(), key);
    assertTrue(PrivateKeys.match(key, pair.getPublic()));
    assertFalse(PrivateKeys.match(key, KeyPairGenerator.getInstance(algorithm).generateKeyPair().getPublic()));
    assertFalse(PrivateKeys.match(read(EC), pair.getPublic()));
  }

  @ParameterizedTest
  @ValueSource(ints = {1_024, 2_048, 4_096})
  void olderRsaKeysAreRead(int bits) throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
    generator.initialize(bits);
    KeyPair pair = generator.generateKeyPair();
    byte[] encoded = pair.getPrivate().getEncoded();
    // PKCS#8 begins with 26 bytes of headers: two lengths in 3 bytes each, version, algorithm.
    byte[] older = Arrays.copyOfRange(encoded, 26, encoded.length);
    assertEquals(pair.getPrivate(), read(pem("RSA PRIVATE KEY", older)));
  }

  @Test
  void olderEllipticKeysAreRead() {
    assertEquals("EC", read("text before\n" + EC).getAlgorithm());
  }

  @ParameterizedTest
  @ValueSource(strings = {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "CERTIFICATE"})
  void otherContentIsAnErrorThatNamesTheFile(String type) {
    String message =
        assertThrows(IllegalArgumentException.class, () -> read(pem(type, new byte[] {0x30, (byte) 0x82, 1, 0, 2}))).getMessage();
    assertTrue(message.startsWith("tls.keyFile k"), message);
  }
}
