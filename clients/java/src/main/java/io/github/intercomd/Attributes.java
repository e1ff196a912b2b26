package io.github.intercomd;

import com.google.protobuf.Timestamp;
import io.github.intercomd.v1.Attribute;
import io.github.intercomd.v1.AttributeValue;
import io.github.intercomd.v1.Link;
import io.github.intercomd.v1.Money;
import io.github.intercomd.v1.StringList;
import io.github.intercomd.v1.Tag;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZonedDateTime;
import java.util.Collection;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Turns values into attributes. */
public final class Attributes {
  private Attributes() {}

  /**
   * Returns an attribute.
   *
   * <p>Integers of all sizes are integers; {@code float} and {@code double} are numbers; {@code Instant}, {@code ZonedDateTime},
   * {@code OffsetDateTime} and {@code Date} are moments, of which Intercom keeps whole seconds; a collection of strings is a list.
   * See {@link #money(String, String)}, {@link #link(String)} and {@link #tag} for the rest. Intercom has no NaN and no infinity;
   * the daemon leaves such an attribute out and reports ATTRIBUTE_DROPPED.
   *
   * @throws IllegalArgumentException an attribute cannot hold this value; the message names the attribute
   */
  public static Attribute of(String name, Object value) {
    Objects.requireNonNull(name, "the name of the attribute is null");
    return Attribute.newBuilder().setName(name).setValue(valueOf(name, value)).build();
  }

  /**
   * Returns attributes, in the map's order. Put the most important first, as in a {@link java.util.LinkedHashMap}: a limit keeps
   * the first ones.
   *
   * @throws IllegalArgumentException an attribute cannot hold its value; the message names the attribute
   */
  public static List<Attribute> of(Map<String, ?> values) {
    return values.entrySet().stream().map(entry -> of(entry.getKey(), entry.getValue())).toList();
  }

  /** Returns an exact amount in major units: {@code money("19.99", "USD")}. */
  public static Money money(String amount, String currencyCode) {
    return Money.newBuilder().setAmount(amount).setCurrencyCode(currencyCode).build();
  }

  /** Returns an exact amount in major units. */
  public static Money money(BigDecimal amount, String currencyCode) {
    return money(amount.toPlainString(), currencyCode);
  }

  /** Returns a link without a text of its own. */
  public static Link link(String url) {
    return link(url, "");
  }

  /** Returns a link; {@code label} is the text that a reader sees. */
  public static Link link(String url, String label) {
    return Link.newBuilder().setUrl(url).setLabel(label).build();
  }

  /** Returns the value of an attribute that has no value of its own: the person has it. */
  public static Tag tag() {
    return Tag.getDefaultInstance();
  }

  private static AttributeValue valueOf(String name, Object value) {
    AttributeValue.Builder builder = AttributeValue.newBuilder();
    if (value instanceof String text) {
      builder.setStringValue(text);
    } else if (value instanceof Boolean truth) {
      builder.setBooleanValue(truth);
    } else if (value instanceof Number number) {
      setNumber(name, number, builder);
    } else if (value instanceof Collection<?> items) {
      builder.setListValue(listOf(name, items));
    } else if (value instanceof Money money) {
      builder.setMoneyValue(money);
    } else if (value instanceof Link link) {
      builder.setLinkValue(link);
    } else if (value instanceof Tag tag) {
      builder.setTagValue(tag);
    } else if (value instanceof AttributeValue complete) {
      return complete;
    } else {
      builder.setTimeValue(momentOf(name, value));
    }
    return builder.build();
  }

  private static void setNumber(String name, Number value, AttributeValue.Builder builder) {
    if (value instanceof Long || value instanceof Integer || value instanceof Short || value instanceof Byte) {
      builder.setIntegerValue(value.longValue());
    } else if (value instanceof Double || value instanceof Float) {
      builder.setNumberValue(value.doubleValue());
    } else if (value instanceof BigInteger integer) {
      if (integer.bitLength() >= Long.SIZE) {
        throw new IllegalArgumentException("attribute \"" + name + "\": " + integer + " does not fit into 64 bits: use a String");
      }
      builder.setIntegerValue(integer.longValue());
    } else {
      throw wrong(name, value, "use longValue(), doubleValue(), toString() or money()");
    }
  }

  private static StringList listOf(String name, Collection<?> items) {
    StringList.Builder list = StringList.newBuilder();
    for (Object item : items) {
      if (!(item instanceof String text)) {
        throw new IllegalArgumentException(
            "attribute \"" + name + "\": item " + list.getValuesCount() + " of the list is not a String: use String.valueOf");
      }
      list.addValues(text);
    }
    return list.build();
  }

  @SuppressWarnings("JavaUtilDate") // old code has such dates
  private static Timestamp momentOf(String name, Object value) {
    if (value instanceof Instant moment) {
      return Events.time(moment);
    }
    if (value instanceof ZonedDateTime time) {
      return Events.time(time);
    }
    if (value instanceof OffsetDateTime time) {
      return Events.time(time);
    }
    if (value instanceof Date date) {
      return Events.time(Instant.ofEpochMilli(date.getTime()));
    }
    if (value instanceof LocalDateTime || value instanceof LocalDate || value instanceof LocalTime) {
      throw wrong(name, value, "it has no time zone; use an Instant, or atZone(...)");
    }
    if (value == null) {
      throw new IllegalArgumentException(
          "attribute \"" + name + "\" cannot hold null: leave it out, name it in removed_user_attributes, or use tag()");
    }
    throw wrong(
        name, value, "use a String, a number, a Boolean, an Instant, a collection of Strings, money(), link() or tag()");
  }

  private static IllegalArgumentException wrong(String name, Object value, String advice) {
    return new IllegalArgumentException(
        "attribute \"" + name + "\" cannot hold a value of type " + value.getClass().getName() + ": " + advice);
  }
}
