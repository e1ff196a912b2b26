package io.github.intercomd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.Gson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class SignaturesTest {
  private record Case(String kind, String customerId, String secret, String email, long expires, String signed, boolean refused) {
    String sign() {
      return kind.equals("user_hash")
          ? Signatures.userHash(customerId, secret)
          : Signatures.userJwt(customerId, email == null ? "" : email, secret, Instant.ofEpochSecond(expires, 999_999_999));
    }
  }

  /** The cases are those of the other languages. */
  @Test
  void userIsSigned() throws IOException {
    Case[] cases = new Gson().fromJson(Files.readString(Path.of("../cases/signing.json")), Case[].class);
    assertTrue(cases.length > 0);
    for (Case each : cases) {
      if (each.refused()) {
        assertThrows(IllegalArgumentException.class, each::sign, each.toString());
      } else {
        assertEquals(each.signed(), each.sign(), each.toString());
      }
    }
  }
}
