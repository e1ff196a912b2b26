import assert from "node:assert/strict";
import { test } from "node:test";

import { currentTraceparent } from "../trace.js";

test("without OpenTelemetry there is no trace context", () => {
  assert.equal(currentTraceparent(), "");
});
