/** Values of attributes as Intercom accepts them: flat, text of at most 255 characters. */
import type { Findings } from "./findings.js";
import { cut, trim } from "./text.js";

/**
 * The value of an attribute. A Date is a moment, an array becomes a comma-separated text, and null is a tag ("the user has
 * this"), which is sent as true. To clear an attribute, name it in `removed` of `setAttributes`.
 */
export type Value = string | number | boolean | Date | readonly string[] | null;
/** A value for Intercom; null clears the attribute. */
export type Scalar = string | number | boolean | null;

const CHARACTERS_MAX = 255;
const LIST_VALUES_MAX = 1_000;
// The years 1 to 9999.
const EARLIEST = -62_135_596_800;
const LATEST = 253_402_300_799;
// Intercom: a link is http or https; it has a host and no white space.
const LINK = /^https?:\/\/[^\s/?#\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*$/i;
export const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]/g;
// 10^11 seconds are the year 5138, 10^11 milliseconds are 1973, and so on: the magnitude implies the unit.
const UNITS: readonly (readonly [number, number])[] = [[1e11, 1], [1e14, 1e3], [1e17, 1e6], [9e18, 1e9]];
const ISO = /^(?:(\d{4})-(\d\d)-(\d\d)|((?:19|20|21)\d\d)(\d\d)(\d\d))(?:[T ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,]\d+)?)?)?(?:Z|([+-])(\d\d):?(\d\d)?)?)?$/i;
const TRUTH = new Map([["true", true], ["1", true], ["false", false], ["0", false]]);

/** Returns the value for Intercom; undefined, with a finding, if the attribute is dropped. */
export function scalar(value: unknown, path: string, found: Findings): string | number | boolean | undefined {
  const field = `${path}.value`;
  if (typeof value === "string") {
    return textOrLink(value, field, found);
  }
  if (typeof value === "boolean" || value === null) {
    return value ?? true;
  }
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) {
    return joined(value, field, found);
  }
  const number = value instanceof Date ? Math.floor(value.getTime() / 1000) : value;
  if (Number.isFinite(number) && (number === value || inRange(number as number))) {
    return number as number;
  }
  found.drop(field, "invalid value");
  return undefined;
}

/** Returns the text; undefined for a link above the limit, which does not work when it is cut. */
function textOrLink(value: string, field: string, found: Findings): string | undefined {
  const length = Array.from(value).length;
  if (length > CHARACTERS_MAX && LINK.test(value)) {
    found.drop(field, `link of ${length} characters, limit ${CHARACTERS_MAX}`);
    return undefined;
  }
  return text(value, field, found);
}

/** Returns the value in the type of a contact field of Intercom's; undefined, with a finding, if that is not possible. */
export function fieldValue(name: string, value: Scalar, path: string, found: Findings): Scalar | undefined {
  const converted = convert(name, value);
  const label = name.replace("$", "");
  if (converted === undefined) {
    found.drop(`${path}.value`, `invalid ${label}`);
  } else if (converted !== value) {
    found.adjust("VALUE_CONVERTED", `${path}.value`, `became ${typeof converted}`);
  }
  return converted;
}

/** Returns the text without control characters, cut to 255 characters. */
export function text(value: string, field: string, found: Findings): string {
  const clean = value.replace(CONTROL, "");
  if (clean !== value) {
    found.adjust("VALUE_CONVERTED", field, "control characters");
  }
  const short = cut(clean, CHARACTERS_MAX);
  if (short !== clean) {
    found.adjust("VALUE_TRUNCATED", field, `limit ${CHARACTERS_MAX}`);
  }
  return short;
}

function joined(values: readonly string[], field: string, found: Findings): string {
  const all = values.slice(0, LIST_VALUES_MAX).join(",");
  if (values.length <= LIST_VALUES_MAX) {
    return text(all, field, found);
  }
  found.adjust("VALUE_TRUNCATED", field, `limit ${LIST_VALUES_MAX}`);
  return text(cut(all, CHARACTERS_MAX), field, found);
}

function convert(name: string, value: Scalar): Scalar | undefined {
  switch (name) {
    case "avatar":
      return typeof value === "string" && LINK.test(value) ? value : undefined;
    case "signed_up_at":
      return toSeconds(value);
    case "unsubscribed_from_emails":
      return TRUTH.get(typeof value === "boolean" ? String(value) : trim(String(value)).toLowerCase());
    default:
      return typeof value === "boolean" ? undefined : String(value);
  }
}

function toSeconds(value: Scalar): number | undefined {
  let seconds = typeof value === "number" ? scaled(value) : undefined;
  if (typeof value === "string") {
    const bare = trim(value);
    seconds = isoSeconds(bare) ?? (/^-?\d+(\.\d+)?$/.test(bare) ? scaled(Number(bare)) : undefined);
  }
  return seconds !== undefined && inRange(seconds) ? seconds : undefined;
}

function scaled(number: number): number | undefined {
  const unit = UNITS.find(([below]) => Math.abs(number) < below)?.[1];
  return unit && Math.floor(Math.floor(number) / unit);
}

/** Converts ISO 8601 text to Unix seconds; without an offset it counts as UTC. */
function isoSeconds(value: string): number | undefined {
  const match = ISO.exec(value);
  if (!match) {
    return undefined;
  }
  const [, year = match[4], month = match[5], day = match[6], , , , hour = "00", minute = "00", second = "00", sign, hours, minutes = "00"] = match;
  const date = `${year}-${month}-${day}T`;
  // Date.parse takes the 30th of February, as the 2nd of March.
  const valid = new Date(`${date}00:00Z`).getUTCDate() === Number(day) && hour < "24";
  const seconds = Math.floor(Date.parse(`${date}${hour}:${minute}:${second}${sign ? `${sign}${hours}:${minutes}` : "Z"}`) / 1000);
  return valid && !Number.isNaN(seconds) ? seconds : undefined;
}

function inRange(seconds: number): boolean {
  return seconds >= EARLIEST && seconds <= LATEST;
}
