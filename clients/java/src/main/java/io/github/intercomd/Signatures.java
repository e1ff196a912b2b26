package io.github.intercomd;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Signs users for Intercom's Messenger, with the workspace's Messenger API secret. */
public final class Signatures {
  private static final String HEADER = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
  private static final Pattern OUTER_SPACE =
      Pattern.compile("^[\\s\\ufeff]+|[\\s\\ufeff]+$", Pattern.UNICODE_CHARACTER_CLASS);

  private Signatures() {}

  /**
   * Returns the hexadecimal HMAC-SHA256 of the customer id, or of the email of a user without one, for a page to pass to the
   * Messenger as user_hash.
   *
   * <p>White space around the customer id is not signed, since the page does not send it either.
   *
   * @throws IllegalArgumentException the customer id or the secret is empty
   */
  public static String userHash(String customerId, String secret) {
    return HexFormat.of().formatHex(sign(trimmed(customerId), secret));
  }

  /**
   * Returns a JSON Web Token (HS256) with the claims user_id, exp and, if it is set, email, for a page to pass to the Messenger
   * as intercom_user_jwt. An hour is a usual expiry.
   *
   * @param email "": none
   * @throws IllegalArgumentException the customer id or the secret is empty
   */
  public static String userJwt(String customerId, String email, String secret, Instant expires) {
    StringBuilder claims = new StringBuilder("{\"user_id\":").append(quoted(trimmed(customerId)));
    if (!email.isEmpty()) {
      claims.append(",\"email\":").append(quoted(email));
    }
    claims.append(",\"exp\":").append(expires.getEpochSecond()).append('}');
    String unsigned = encoded(HEADER.getBytes(StandardCharsets.UTF_8)) + "." + encoded(claims.toString().getBytes(StandardCharsets.UTF_8));
    return unsigned + "." + encoded(sign(unsigned, secret));
  }

  private static String trimmed(String customerId) {
    String trimmed = OUTER_SPACE.matcher(customerId).replaceAll("");
    if (trimmed.isEmpty()) {
      throw new IllegalArgumentException("customer id is empty: sign the id of a signed-in user");
    }
    return trimmed;
  }

  private static byte[] sign(String message, String secret) {
    if (secret.isEmpty()) {
      throw new IllegalArgumentException("secret is empty: set the Messenger API secret of the workspace");
    }
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
      return mac.doFinal(message.getBytes(StandardCharsets.UTF_8));
    } catch (GeneralSecurityException error) {
      throw new IllegalStateException(error); // "Every implementation of the Java platform is required to support" HmacSHA256
    }
  }

  /** Returns a JSON string (RFC 8259, 7). */
  private static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    text.chars()
        .forEach(
            each -> {
              if (each == '"' || each == '\\') {
                quoted.append('\\').append((char) each);
              } else if (each < ' ') {
                quoted.append(String.format("\\u%04x", each));
              } else {
                quoted.append((char) each);
              }
            });
    return quoted.append('"').toString();
  }

  private static String encoded(byte[] content) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(content);
  }
}
