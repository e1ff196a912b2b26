import { isMessage, ScalarType, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";

const INT32_MAX = 2 ** 31 - 1;
const INT64_MAX = 2n ** 63n - 1n;

/**
 * Refuses values that the encoding would change without a word: a number for a text, text with lone surrogates.
 *
 * @throws TypeError a field holds a wrong value; the message names it.
 */
export function checkMessage(schema: DescMessage, message: Message, path: string): void {
  const fields = message as unknown as Record<string, unknown>;
  for (const field of schema.fields) {
    const value = field.oneof === undefined ? fields[field.localName] : valueInOneof(fields[field.oneof.localName], field);
    if (value === undefined) {
      continue;
    }
    const name = path === "" ? field.localName : `${path}.${field.localName}`;
    if (field.fieldKind !== "list") {
      checkValue(field, value, name);
    } else if (Array.isArray(value)) {
      value.forEach((each, place) => {
        checkValue(field, each, `${name}[${place}]`);
      });
    } else {
      throw new TypeError(`${name} is a ${typeof value}: use an array`);
    }
  }
}

function valueInOneof(oneof: unknown, field: DescField): unknown {
  const chosen = oneof as { case?: string; value?: unknown } | undefined;
  return chosen?.case === field.localName ? chosen.value : undefined;
}

function checkValue(field: DescField, value: unknown, name: string): void {
  if (field.message !== undefined) {
    if (!isMessage(value, field.message)) {
      throw new TypeError(`${name} is ${describe(value)}: use a ${field.message.name}`);
    }
    checkMessage(field.message, value, name);
  } else if (field.enum !== undefined) {
    checkNumber(value, name);
  } else {
    checkScalar(field.scalar, value, name);
  }
}

function checkScalar(scalar: ScalarType | undefined, value: unknown, name: string): void {
  switch (scalar) {
    case ScalarType.STRING:
      if (typeof value !== "string") {
        throw new TypeError(`${name} is ${describe(value)}: use a string`);
      }
      // isWellFormed is of ECMAScript 2024; Node has it since version 20.
      if (!(value as string & { isWellFormed(): boolean }).isWellFormed()) {
        throw new TypeError(`${name} is not Unicode text: it has a lone surrogate`);
      }
      return;
    case ScalarType.BOOL:
      if (typeof value !== "boolean") {
        throw new TypeError(`${name} is ${describe(value)}: use true or false`);
      }
      return;
    case ScalarType.INT64:
      if (typeof value !== "bigint" || value > INT64_MAX || value < -INT64_MAX - 1n) {
        throw new TypeError(`${name} is ${describe(value)}: use a bigint of at most 64 bits`);
      }
      return;
    case ScalarType.INT32:
      checkNumber(value, name);
      return;
    case ScalarType.DOUBLE:
      if (typeof value !== "number") {
        throw new TypeError(`${name} is ${describe(value)}: use a number`);
      }
      return;
    default:
      throw new TypeError(`${name} is of a type that envelopes do not have`);
  }
}

function checkNumber(value: unknown, name: string): void {
  if (!Number.isInteger(value) || Math.abs(value as number) > INT32_MAX) {
    throw new TypeError(`${name} is ${describe(value)}: use an integer of at most 32 bits`);
  }
}

function describe(value: unknown): string {
  return typeof value === "number" || typeof value === "boolean" ? String(value) : value === null ? "null" : `a ${typeof value}`;
}
