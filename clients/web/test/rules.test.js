// The rules agree with the daemon's, on the cases that both share.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { build } from "esbuild";

const entry = `
  export { metadataOf, sessionMetadataOf, updateOf } from "./src/attributes.js";
  export { createBudget } from "./src/budget.js";
  export { Findings } from "./src/findings.js";
  export { userOf } from "./src/identity.js";
  export { eventName } from "./src/names.js";
  export { dropReserved, payloadOf } from "./src/payload.js";`;
const { outputFiles } = await build({ stdin: { contents: entry, resolveDir: "." }, bundle: true, format: "esm", write: false });
const rules = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0]?.text ?? "").toString("base64")}`);
const cases = JSON.parse(readFileSync(new URL("../../cases/web.json", import.meta.url), "utf8"));

/** @param {any} value */
function decoded(value) {
  if (value === null || typeof value !== "object") {
    return value;
  }
  const [kind, given] = Object.entries(value)[0] ?? [];
  return kind === "number" ? Number(given) : kind === "time" ? new Date(given) : kind === "list" ? given : null;
}

/** @param {[string, any][] | undefined} pairs */
function attributes(pairs = []) {
  return pairs.map(([name, value]) => [name, decoded(value)]);
}

/** @param {readonly { reason: string, field: string }[]} findings */
function brief(findings) {
  return findings.map(({ reason, field }) => `${reason} ${field}`);
}

for (const given of cases) {
  test(given.name, () => {
    const found = new rules.Findings();
    const user = rules.userOf(given.identity, found);
    const update = rules.updateOf(attributes(given.attributes), given.removed ?? [], found);
    let sent = given.sent;
    if (given.event) {
      const name = rules.eventName(given.event.name, "custom_event.name", found);
      sent = { name, metadata: Object.fromEntries(rules.metadataOf(attributes(given.event.attributes), found)) };
    } else if (given.sessionEnd) {
      const metadata = rules.sessionMetadataOf(given.sessionEnd, attributes(given.sessionEnd.attributes), found);
      sent = { name: "Session End", metadata: Object.fromEntries(metadata) };
    }
    assert.deepEqual(brief(found.violations), given.violations);
    if (given.violations.length > 0) {
      return;
    }
    assert.deepEqual(brief(found.adjustments), given.adjustments ?? []);
    if (given.user) {
      assert.deepEqual(user, given.user);
    }
    if (given.update) {
      assert.equal(JSON.stringify(Object.fromEntries(update)), JSON.stringify(given.update));
    }
    if (given.sent) {
      assert.equal(sent.name, given.sent.name);
      assert.equal(JSON.stringify(sent.metadata), JSON.stringify(given.sent.metadata ?? {}));
    }
  });
}

test("values that only a page can give are dropped", () => {
  for (const value of [undefined, {}, [1], new Date(NaN), 10n, Symbol("x"), () => 0, { amount: 1 }]) {
    const found = new rules.Findings();
    assert.equal(rules.updateOf([["a", value]], [], found).size, 0);
    assert.deepEqual(brief(found.adjustments), ["ATTRIBUTE_DROPPED user_attributes[0].value"]);
  }
});

test("a customer id that is a number becomes a text", () => {
  assert.deepEqual(rules.userOf({ customerId: 42 }, new rules.Findings()), { customerId: "42", email: "" });
});

test("fields have the Messenger's names", () => {
  const values = new Map(Object.entries({ $first_name: "Ada", signed_up_at: 5, avatar: "https://x.io/a", plan: "pro", phone: null }));
  assert.deepEqual(rules.payloadOf(values, new Map([...values, ["$last_name", "Lovelace"]])), {
    name: "Ada Lovelace", created_at: 5, avatar: { type: "avatar", image_url: "https://x.io/a" }, plan: "pro", phone: null,
  });
});

test("attributes with the names of the Messenger's settings are dropped", () => {
  for (const name of ["app_id", "api_base", "user_hash", "intercom_user_jwt", "hide_default_launcher", "companies", "owner_id", "last_seen_at"]) {
    const found = new rules.Findings();
    const update = new Map([[name, "x"], ["plan", "pro"]]);
    rules.dropReserved(update, found);
    assert.deepEqual([...update.keys()], ["plan"]);
    assert.deepEqual(brief(found.adjustments), [`ATTRIBUTE_DROPPED user_attributes[${name}]`]);
  }
});

test("20 updates leave in 30 minutes", () => {
  const budget = rules.createBudget();
  const minute = 60_000;
  for (let count = 0; count < 20; count += 1) {
    assert.equal(budget.wait(count * minute), 0);
    budget.take(count * minute);
  }
  assert.equal(budget.wait(20 * minute), 10 * minute);
  assert.equal(budget.wait(30 * minute), 0);
  budget.take(30 * minute);
  assert.equal(budget.wait(30 * minute), 1 * minute);
});
