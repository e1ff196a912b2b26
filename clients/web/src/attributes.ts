/** Attributes of users and events: the first of each name, up to the limit. */
import type { Findings } from "./findings.js";
import { attributeName, dateName, keyName } from "./names.js";
import { fieldValue, scalar, text, type Scalar } from "./values.js";

/** Attributes by name. The order is the priority: a limit keeps the first ones. */
export type Pairs = Map<string, Scalar>;

const USER_ATTRIBUTES_MAX = 100;
const EVENT_ATTRIBUTES_MAX = 5;
const SESSION_SECONDS_MAX = 315_576_000_000;
const CONTACT_FIELDS = /^(name|phone|avatar|signed_up_at|unsubscribed_from_emails|\$.*)$/;

/** Returns the update of a user: values by the daemon's names, removals last as null. */
export function updateOf(given: readonly (readonly [string, unknown])[], removed: readonly string[], found: Findings): Pairs {
  const update: Pairs = new Map();
  let mobile = -1;
  given.forEach(([label, value], index) => {
    const path = `user_attributes[${index}]`;
    const name = attributeName(label, path, found);
    const normal = name && normalValue(name.name, value, path, found);
    if (!name || normal === undefined) {
      return;
    }
    if (!update.has(name.name)) {
      if (hasRoom(update.size, USER_ATTRIBUTES_MAX, path, found)) {
        update.set(name.name, normal);
        mobile = name.mobile ? index : mobile;
      }
    } else if (name.name === "phone" && !name.mobile && mobile >= 0) {
      // A plain `phone` replaces the number of `$mobile`.
      update.set("phone", normal);
      reportDuplicate(`user_attributes[${mobile}]`, found);
      mobile = -1;
    } else {
      reportDuplicate(path, found);
    }
  });
  removed.forEach((label, index) => {
    const path = `removed_user_attributes[${index}]`;
    const name = attributeName(label, path, found)?.name;
    if (name !== undefined && !update.has(name)) {
      if (hasRoom(update.size, USER_ATTRIBUTES_MAX, path, found)) {
        update.set(name, null);
      }
    } else if (name !== undefined && update.get(name) !== null) {
      found.drop(path, "also set");
    }
  });
  return update;
}

/** Returns the metadata of a custom event. */
export function metadataOf(given: readonly (readonly [string, unknown])[], found: Findings): Pairs {
  return normalized(given, "custom_event.attributes", EVENT_ATTRIBUTES_MAX, found);
}

/** What a session end reports. */
export interface SessionEnd {
  readonly sessionId?: string | undefined;
  readonly durationSeconds?: number | undefined;
  readonly attributes?: Readonly<Record<string, unknown>> | undefined;
}

/** Returns the metadata of a session end: duration and id of the session, then the sender's attributes. */
export function sessionMetadataOf(session: SessionEnd, given: readonly (readonly [string, unknown])[], found: Findings): Pairs {
  const path = "session_end_event";
  const pairs: Pairs = new Map();
  const { durationSeconds, sessionId } = session;
  if (durationSeconds !== undefined) {
    if (!(durationSeconds >= 0 && durationSeconds <= SESSION_SECONDS_MAX)) {
      found.reject("INVALID_TIME", `${path}.duration`, `limit ${SESSION_SECONDS_MAX}`);
    }
    pairs.set("session_duration_seconds", durationSeconds);
  }
  if (sessionId) {
    pairs.set("session_id", text(sessionId, `${path}.session_id`, found));
  }
  const own = normalized(given, `${path}.attributes`, Infinity, found);
  const total = pairs.size + own.size;
  for (const [name, value] of own) {
    if (pairs.size < EVENT_ATTRIBUTES_MAX && !pairs.has(name)) {
      pairs.set(name, value);
    }
  }
  if (pairs.size < total) {
    found.drop(path, `${total} attributes, limit ${EVENT_ATTRIBUTES_MAX}`);
  }
  return pairs;
}

function normalValue(name: string, value: unknown, path: string, found: Findings): Scalar | undefined {
  const normal = scalar(value, path, found);
  return normal !== undefined && CONTACT_FIELDS.test(name) ? fieldValue(name, normal, path, found) : normal;
}

function normalized(given: readonly (readonly [string, unknown])[], base: string, maximum: number, found: Findings): Pairs {
  const pairs: Pairs = new Map();
  given.forEach(([label, value], index) => {
    const path = `${base}[${index}]`;
    const key = keyName(label, path, found);
    const final = key === undefined ? undefined : scalar(value, path, found);
    if (key === undefined || final === undefined) {
      return;
    }
    const name = value instanceof Date ? dateName(key, path, found) : key;
    if (pairs.has(name)) {
      reportDuplicate(path, found);
    } else if (hasRoom(pairs.size, maximum, path, found)) {
      pairs.set(name, final);
    }
  });
  return pairs;
}

function hasRoom(size: number, maximum: number, path: string, found: Findings): boolean {
  if (size >= maximum) {
    found.drop(path, `limit ${maximum}`);
  }
  return size < maximum;
}

function reportDuplicate(path: string, found: Findings): void {
  found.drop(path, "duplicate");
}
