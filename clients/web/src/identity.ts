/** The identity gate: nothing is sent for a user without a customer id and an email. */
import type { Findings } from "./findings.js";
import { trim } from "./text.js";
import { CONTROL } from "./values.js";

/** Who the user is. */
export interface Identity {
  /** Intercom's `user_id`, the daemon's `customer_id`. */
  readonly customerId?: string | number | null | undefined;
  readonly email?: string | null | undefined;
}

/** A valid identity; empty text stands for a missing part. */
export interface User {
  readonly customerId: string;
  readonly email: string;
}

const CUSTOMER_ID_CHARACTERS_MAX = 255;
const EMAIL_CHARACTERS_MAX = 254;
const PLACEHOLDERS = /^(null|undefined|nan|none|nil|\(null\)|\[object object\]|true|false)$/i;

/** Returns the identity trimmed, the email in lower case. Blank text counts as absent. */
export function userOf(identity: Identity, found: Findings): User {
  // The customer id of Intercom is a text, also where the page has a number.
  const given = String(identity.customerId ?? "");
  const customerId = trim(given);
  const email = trim(identity.email ?? "").toLowerCase();
  if (given.search(CONTROL) >= 0) {
    found.reject("INVALID_CUSTOMER_ID", "identity.customer_id", "control characters");
  }
  if (!customerId && !email) {
    found.reject("IDENTITY_REQUIRED", "identity", "no customer id or email");
  }
  if (Array.from(customerId).length > CUSTOMER_ID_CHARACTERS_MAX) {
    found.reject("IDENTITY_TOO_LONG", "identity.customer_id", `limit ${CUSTOMER_ID_CHARACTERS_MAX}`);
  } else if (PLACEHOLDERS.test(customerId)) {
    found.reject("PLACEHOLDER_ID", "identity.customer_id", "placeholder");
  }
  if (Array.from(email).length > EMAIL_CHARACTERS_MAX) {
    found.reject("IDENTITY_TOO_LONG", "identity.email", `limit ${EMAIL_CHARACTERS_MAX}`);
  } else if (email && !/^[^@\p{C}\p{Z}]+@[^@\p{C}\p{Z}]+$/u.test(email)) {
    found.reject("INVALID_EMAIL", "identity.email", "expected local@domain");
  }
  return { customerId, email };
}
