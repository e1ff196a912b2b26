import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { userHash, userJwt } from "../signing.js";

interface SigningCase {
  kind: "user_hash" | "user_jwt";
  customerId: string;
  secret: string;
  email?: string;
  expires?: number;
  signed?: string;
}

// Those of the other languages.
const cases = JSON.parse(readFileSync(new URL("../../../../cases/signing.json", import.meta.url), "utf8")) as SigningCase[];

function sign({ kind, customerId, secret, email, expires = 0 }: SigningCase): string {
  return kind === "user_hash" ? userHash(customerId, secret) : userJwt(customerId, secret, { email, expires: new Date(expires * 1000 + 999) });
}

test("users are signed", () => {
  for (const given of cases.filter(({ signed }) => signed !== undefined)) {
    assert.equal(sign(given), given.signed);
  }
});

test("nothing is signed without a customer id or a secret", () => {
  const refused = cases.filter(({ signed }) => signed === undefined);
  assert.equal(refused.length, 6);
  for (const given of refused) {
    assert.throws(() => sign(given), /RangeError.*is empty/);
  }
});

test("a token without an expiry is not signed", () => {
  assert.throws(() => userJwt("42", "secret", { expires: new Date(NaN) }), /RangeError.*expires/);
});
