package io.github.intercomd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Timestamp;
import io.github.intercomd.v1.Attribute;
import io.github.intercomd.v1.AttributeValue;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class AttributesTest {
  private static final Instant MOMENT = Instant.parse("1969-12-31T23:59:59.500Z");
  private static final Timestamp TIME = Timestamp.newBuilder().setSeconds(-1).setNanos(500_000_000).build();

  private static AttributeValue.Builder value() {
    return AttributeValue.newBuilder();
  }

  @SuppressWarnings("JavaUtilDate")
  static Stream<Arguments> values() {
    return Stream.of(
        Arguments.of("", value().setStringValue("")),
        Arguments.of(true, value().setBooleanValue(true)),
        Arguments.of((byte) 1, value().setIntegerValue(1)),
        Arguments.of((short) 1, value().setIntegerValue(1)),
        Arguments.of(1, value().setIntegerValue(1)),
        Arguments.of(Long.MIN_VALUE, value().setIntegerValue(Long.MIN_VALUE)),
        Arguments.of(BigInteger.valueOf(Long.MAX_VALUE), value().setIntegerValue(Long.MAX_VALUE)),
        Arguments.of(0.5f, value().setNumberValue(0.5)),
        Arguments.of(-0.0, value().setNumberValue(-0.0)),
        Arguments.of(Double.NaN, value().setNumberValue(Double.NaN)),
        Arguments.of(MOMENT, value().setTimeValue(TIME)),
        Arguments.of(MOMENT.atZone(ZoneOffset.ofHours(2)), value().setTimeValue(TIME)),
        Arguments.of(MOMENT.atOffset(ZoneOffset.ofHours(2)), value().setTimeValue(TIME)),
        Arguments.of(new Date(-500), value().setTimeValue(TIME)),
        Arguments.of(Attributes.money(new BigDecimal("1E+2"), "USD"), value().setMoneyValue(Attributes.money("100", "USD"))),
        Arguments.of(Attributes.link("https://example.com/"), value().setLinkValue(Attributes.link("https://example.com/", ""))),
        Arguments.of(Attributes.tag(), value().setTagValue(Attributes.tag())),
        Arguments.of(value().setIntegerValue(3).build(), value().setIntegerValue(3)));
  }

  @ParameterizedTest
  @MethodSource("values")
  void attributeHoldsAValue(Object given, AttributeValue.Builder expected) {
    assertEquals(Attribute.newBuilder().setName("a").setValue(expected).build(), Attributes.of("a", given));
  }

  static Stream<Arguments> wrongValues() {
    return Stream.of(
        Arguments.of(LocalDateTime.of(2026, 1, 2, 3, 4), "time zone"),
        Arguments.of(LocalDate.of(2026, 1, 2), "time zone"),
        Arguments.of(LocalTime.of(3, 4), "time zone"),
        Arguments.of(BigInteger.ONE.shiftLeft(63), "64 bits"),
        Arguments.of(new BigDecimal("19.99"), "money()"),
        Arguments.of(Arrays.asList("a", 1), "item 1"),
        Arguments.of(Collections.singletonList(null), "item 0"),
        Arguments.of(new Object(), "java.lang.Object"),
        Arguments.of('x', "java.lang.Character"),
        Arguments.of(null, "tag()"));
  }

  @ParameterizedTest
  @MethodSource("wrongValues")
  void attributeRefusesAValueAndNamesItself(Object given, String expected) {
    String message = assertThrows(IllegalArgumentException.class, () -> Attributes.of("plan", given)).getMessage();
    assertTrue(message.contains("\"plan\"") && message.contains(expected), message);
  }

  @Test
  void attributesKeepTheOrderOfTheMap() {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("z", 1);
    values.put("a", List.of("x"));
    assertEquals(List.of("z", "a"), Events.custom("e", values).getAttributesList().stream().map(Attribute::getName).toList());
  }
}
