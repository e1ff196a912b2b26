import { create, isMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";

import {
  AttributeSchema,
  AttributeValueSchema,
  LinkSchema,
  MoneySchema,
  StringListSchema,
  TagSchema,
  type Attribute,
  type AttributeValue,
  type Link,
  type Money,
  type Tag,
} from "./gen/intercomd/v1/attribute_pb.js";
import type { EnvelopeSchema } from "./gen/intercomd/v1/envelope_pb.js";

/**
 * What an attribute may hold. Safe integers and bigints are integers, other numbers are numbers, a Date is a moment, an
 * array of strings is a list. See {@link money}, {@link link}, {@link tag} and {@link float} for the rest.
 */
export type Value = string | number | bigint | boolean | Date | readonly string[] | Money | Link | Tag | AttributeValue;

const INTEGER_MIN = -(2n ** 63n);
const INTEGER_MAX = 2n ** 63n - 1n;

/**
 * Returns attributes in the order given. Put the most important first: a limit keeps the first ones.
 *
 * @throws TypeError an attribute cannot hold a value of this type; the message names the attribute.
 * @throws RangeError a value is out of its range.
 */
export function attributes(values: Readonly<Record<string, Value>>): Attribute[] {
  return Object.entries(values).map(([name, value]) => create(AttributeSchema, { name, value: attributeValue(name, value) }));
}

/** Returns a number even if it is whole: 3 would be an integer. */
export function float(value: number): AttributeValue {
  return create(AttributeValueSchema, { kind: { case: "numberValue", value } });
}

/** Returns an exact amount in major units: `money("19.99", "USD")`. */
export function money(amount: string, currencyCode: string): Money {
  if (typeof amount !== "string") {
    throw new TypeError(`amount is ${String(amount)}, a ${typeof amount}, which does not hold the exact amount: use a string`);
  }
  return create(MoneySchema, { amount, currencyCode });
}

/** Returns a link; `label` is the text that a reader sees. */
export function link(url: string, label = ""): Link {
  return create(LinkSchema, { url, label });
}

/** Returns the value of an attribute that has no value of its own: the person has it. */
export function tag(): Tag {
  return create(TagSchema);
}

/** Returns the event of an envelope, with a name of your own. Intercom takes its first 5 attributes. */
export function customEvent(
  name: string,
  values: Readonly<Record<string, Value>> = {},
): NonNullable<MessageInitShape<typeof EnvelopeSchema>["event"]> {
  return { case: "customEvent", value: { name, attributes: attributes(values) } };
}

function attributeValue(name: string, value: Value): AttributeValue {
  if (isMessage(value, AttributeValueSchema)) {
    return value;
  }
  return create(AttributeValueSchema, { kind: kindOf(name, value) });
}

function kindOf(name: string, value: Exclude<Value, AttributeValue>): NonNullable<MessageInitShape<typeof AttributeValueSchema>["kind"]> {
  switch (typeof value) {
    case "string":
      return { case: "stringValue", value };
    case "boolean":
      return { case: "booleanValue", value };
    case "bigint":
      if (value < INTEGER_MIN || value > INTEGER_MAX) {
        throw new RangeError(`attribute "${name}": ${value.toString()} does not fit into 64 bits; use a string`);
      }
      return { case: "integerValue", value };
    case "number":
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? { case: "integerValue", value: BigInt(value) }
        : { case: "numberValue", value };
    default:
      return kindOfObject(name, value);
  }
}

function kindOfObject(
  name: string,
  value: Date | readonly string[] | Money | Link | Tag,
): NonNullable<MessageInitShape<typeof AttributeValueSchema>["kind"]> {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) {
      throw new RangeError(`attribute "${name}" holds an invalid Date`);
    }
    return { case: "timeValue", value: timestampFromDate(value) };
  }
  if (Array.isArray(value)) {
    const wrong = (value as unknown[]).findIndex((item) => typeof item !== "string");
    if (wrong >= 0) {
      throw new TypeError(`attribute "${name}": item ${wrong} of the list is not a string: use String(item)`);
    }
    return { case: "listValue", value: create(StringListSchema, { values: [...(value as readonly string[])] }) };
  }
  if (isMessage(value, MoneySchema)) {
    return { case: "moneyValue", value };
  }
  if (isMessage(value, LinkSchema)) {
    return { case: "linkValue", value };
  }
  if (isMessage(value, TagSchema)) {
    return { case: "tagValue", value };
  }
  // Plain JavaScript may pass anything.
  const given: unknown = value;
  const advice =
    given === null || given === undefined
      ? "leave it out, name it in removedUserAttributes, or use tag()"
      : "use a string, number, bigint, boolean, Date, array of strings, money(), link() or tag()";
  throw new TypeError(`attribute "${name}" cannot hold ${given === null ? "null" : `a value of type ${typeof given}`}: ${advice}`);
}
