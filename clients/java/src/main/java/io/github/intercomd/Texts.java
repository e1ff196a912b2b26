package io.github.intercomd;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.util.List;
import java.util.Map;

/** Finds texts that UTF-8 cannot hold. Protobuf would replace their unpaired surrogates by "?" and log a warning. */
final class Texts {
  private Texts() {}

  /**
   * Checks all texts of a message.
   *
   * @param encoded the encoded message. Without a "?" in it no text was changed, which saves the search.
   * @throws IllegalArgumentException a text is not Unicode; the message names the field
   */
  static void check(Message message, byte[] encoded) {
    for (byte each : encoded) {
      if (each == '?') {
        checkFields(message, "");
        return;
      }
    }
  }

  private static void checkFields(Message message, String prefix) {
    for (Map.Entry<FieldDescriptor, Object> entry : message.getAllFields().entrySet()) {
      String path = prefix + entry.getKey().getName();
      if (entry.getValue() instanceof List<?> values) {
        for (int place = 0; place < values.size(); place++) {
          checkValue(values.get(place), path + "[" + place + "]");
        }
      } else {
        checkValue(entry.getValue(), path);
      }
    }
  }

  private static void checkValue(Object value, String path) {
    if (value instanceof Message message) {
      checkFields(message, path + ".");
    } else if (value instanceof String text && !isUnicode(text)) {
      throw new IllegalArgumentException(path + " holds an unpaired surrogate, which UTF-8 cannot hold");
    }
  }

  private static boolean isUnicode(String text) {
    // "codePoints: ... Any surrogate pairs encountered in the sequence are combined ... Any other code units, including ordinary
    // BMP characters, unpaired surrogates, and undefined code units, are zero-extended"
    return text.codePoints().noneMatch(point -> point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE);
  }
}
