/** Names of attributes and events: replaces the characters that Intercom refuses, and recognizes the reserved names. */
import type { Findings } from "./findings.js";
import { cut, trim } from "./text.js";

const NAME_CHARACTERS_MAX = 190;
const EVENT_NAME_CHARACTERS_MAX = 255;
// Intercom: a name has none of `.`, `$`, NUL and ~`!@#%^&*'{}|\"; other control characters are replaced, too.
const REFUSED_IN_KEYS = /[.$~`!@#%^&*'{}|\\"\x00-\x1f\x7f]/g;
// Intercom: in event names "`.` and `$` become `-`".
const REFUSED_IN_EVENTS = /[.$\x00-\x1f\x7f]/g;
const IDENTITY = /^(id|email|user_id|external_id|role)$/i;
// The platform's reserved names, "matched without regard to case, with or without `$`".
const RESERVED = new Map([
  ["firstname", "$first_name"],
  ["lastname", "$last_name"],
  ["mobile", "phone"],
]);

/** An attribute's name as Intercom accepts it. */
export interface Name {
  readonly name: string;
  /** Whether it is `Mobile`, which gives way to a plain `phone`. */
  readonly mobile: boolean;
}

/** Returns the name of a user's attribute; undefined, with a finding, if it is not sent. */
export function attributeName(given: string, path: string, found: Findings): Name | undefined {
  const lower = bare(given).toLowerCase();
  const reserved = RESERVED.get(lower);
  if (reserved !== undefined) {
    return { name: reserved, mobile: lower === "mobile" };
  }
  const name = normalize(given);
  if (IDENTITY.test(name)) {
    found.drop(path, "use identify");
    return undefined;
  }
  return checked(name, given, path, found) ? { name, mobile: false } : undefined;
}

/** Returns the name of an event's attribute; undefined, with a finding, if it is not sent. */
export function keyName(given: string, path: string, found: Findings): string | undefined {
  const name = normalize(given);
  return checked(name, given, path, found) ? name : undefined;
}

/** Returns the name of a time in an event's metadata: "date = key ending in _date". */
export function dateName(name: string, path: string, found: Findings): string {
  if (name.endsWith("_date")) {
    return name;
  }
  const dated = `${cut(name, NAME_CHARACTERS_MAX - 5)}_date`;
  reportRenamed(dated, path, found);
  return dated;
}

/** Returns an event's name: 1 to 255 characters, `-` for `.` and `$`; otherwise with a violation. */
export function eventName(given: string, path: string, found: Findings): string {
  const name = trim(given).replace(REFUSED_IN_EVENTS, "-");
  const length = Array.from(name).length;
  if (!length) {
    found.reject("EVENT_NAME_REQUIRED", path, "empty");
  } else if (length > EVENT_NAME_CHARACTERS_MAX) {
    found.reject("EVENT_NAME_TOO_LONG", path, `${length} characters, limit ${EVENT_NAME_CHARACTERS_MAX}`);
  } else if (name !== given) {
    found.adjust("EVENT_NAME_CHANGED", path, `became "${name}"`);
  }
  return name;
}

function normalize(given: string): string {
  return trim(cut(bare(given), NAME_CHARACTERS_MAX).replace(REFUSED_IN_KEYS, "-"));
}

function bare(name: string): string {
  return trim(trim(name).replace(/^\$+/, ""));
}

function checked(name: string, given: string, path: string, found: Findings): boolean {
  if (!name) {
    found.reject("INVALID_ATTRIBUTE_NAME", path, "empty");
  } else if (name !== given) {
    reportRenamed(name, path, found);
  }
  return !!name;
}

function reportRenamed(name: string, path: string, found: Findings): void {
  found.adjust("ATTRIBUTE_RENAMED", path, `became "${name}"`);
}
