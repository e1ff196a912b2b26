package io.github.intercomd;

import com.google.protobuf.Timestamp;
import io.github.intercomd.v1.Attribute;
import io.github.intercomd.v1.CustomEvent;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;

/** Makes events, and their times. */
public final class Events {
  private Events() {}

  /**
   * Returns the event of an envelope, with a name of your own. Intercom takes its first 5 attributes (the daemon's setting
   * limits.event_attributes_max).
   */
  public static CustomEvent custom(String name, Attribute... attributes) {
    return CustomEvent.newBuilder().setName(name).addAllAttributes(List.of(attributes)).build();
  }

  /**
   * Returns the event of an envelope, with a name of your own and the attributes of a map, in its order.
   *
   * @throws IllegalArgumentException an attribute cannot hold its value; the message names the attribute
   */
  public static CustomEvent custom(String name, Map<String, ?> attributes) {
    return CustomEvent.newBuilder().setName(name).addAllAttributes(Attributes.of(attributes)).build();
  }

  /** Returns a moment, such as the event_time of an envelope. A local time without a zone is not a moment. */
  public static Timestamp time(Instant moment) {
    return Timestamp.newBuilder().setSeconds(moment.getEpochSecond()).setNanos(moment.getNano()).build();
  }

  /** Returns a moment. */
  public static Timestamp time(ZonedDateTime moment) {
    return time(moment.toInstant());
  }

  /** Returns a moment. */
  public static Timestamp time(OffsetDateTime moment) {
    return time(moment.toInstant());
  }
}
