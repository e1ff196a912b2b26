import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Access } from "../access.js";
import { withDefaults } from "../options.js";

test("a file of authorities that cannot be read is an error that names it", () => {
  const folder = mkdtempSync(join(tmpdir(), "intercomd-"));
  const begin = "-----BEGIN CERTIFICATE-----\n";
  for (const [content, expected] of [
    ["", /tls\.caFile .+ is empty/],
    ["no certificate", /tls\.caFile .+ holds no certificate in PEM form/],
    [`${begin}MIIB`, /tls\.caFile .+ holds a certificate that cannot be read/],
    [`${begin}AAAA\n-----END CERTIFICATE-----\n`, /tls\.caFile .+ holds a certificate that cannot be read/],
  ] as const) {
    const caFile = join(folder, "ca.pem");
    writeFileSync(caFile, content);
    assert.throws(() => new Access("127.0.0.1:1", withDefaults({ tls: { caFile } })), expected);
  }
  rmSync(folder, { recursive: true });
});
