/** What the Messenger calls the daemon's fields. */
import type { Pairs } from "./attributes.js";
import type { Findings } from "./findings.js";

const FIRST = "$first_name";
const LAST = "$last_name";
// Settings of the Messenger, which a user's attribute of the same name would change, and the fields of Intercom's that are
// written through the REST API only (owner_id, last_seen_at).
const RESERVED =
  /^(app_id|api_base|user_hash|intercom_user_jwt|custom_launcher_selector|hide_default_launcher|alignment|(action|background)_color|(horizontal|vertical)_padding|z_index|theme_mode|language_override|session_duration|installation_type|widget|company|companies|created_at|page_title|owner_id|last_seen_at)$/;

/** Removes the attributes that the Messenger would take for something else, with a finding for each. */
export function dropReserved(update: Pairs, found: Findings): void {
  for (const name of update.keys()) {
    if (RESERVED.test(name)) {
      update.delete(name);
      found.drop(`user_attributes[${name}]`, "reserved");
    }
  }
}

/** Returns the Messenger's fields for `values`; `known` has all values of the user, for the parts of the name. */
export function payloadOf(values: Pairs, known: Pairs): Record<string, unknown> {
  const payload = new Map<string, unknown>(values);
  if (payload.has(FIRST) || payload.has(LAST)) {
    payload.set("name", [known.get(FIRST), known.get(LAST)].filter(Boolean).join(" ") || null);
    payload.delete(FIRST);
    payload.delete(LAST);
  }
  if (payload.has("signed_up_at")) {
    payload.set("created_at", payload.get("signed_up_at"));
    payload.delete("signed_up_at");
  }
  const avatar = payload.get("avatar");
  if (avatar) {
    payload.set("avatar", { type: "avatar", image_url: avatar });
  }
  return Object.fromEntries(payload);
}
