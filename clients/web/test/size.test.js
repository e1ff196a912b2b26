// The size of the built scripts, as a server sends them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

for (const [name, limit] of /** @type {const} */ ([["intercomd", 5_000], ["intercomd-mparticle", 5_650]])) {
  test(`${name}.js is smaller than ${limit} bytes gzipped`, () => {
    const size = gzipSync(readFileSync(`dist/${name}.js`), { level: 9 }).length;
    assert.ok(size < limit, `${size} bytes`);
  });
}
