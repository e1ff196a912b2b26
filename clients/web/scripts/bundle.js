// Bundles the package: ES modules with a shared part, and scripts for pages without a bundler.
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";
import { minify } from "terser";

const entryPoints = { intercomd: "src/page.ts", "intercomd-mparticle": "src/page-mparticle.ts" };

// Names of properties that no caller sees are shortened.
const common = { bundle: true, minify: true, target: "es2022", outdir: "dist", mangleProps: /^(reject|adjust|drop|violations|adjustments|mobile|report|load|call|wait|take)$/ };
await build({ ...common, entryPoints: ["src/index.ts", "src/mparticle.ts"], format: "esm", splitting: true, chunkNames: "shared" });
const { outputFiles } = await build({ ...common, entryPoints, format: "iife", write: false });
for (const { path, text } of outputFiles) {
  // It makes the script another twentieth smaller.
  const { code = "" } = await minify(text, { ecma: 2020, compress: { passes: 4, pure_getters: true, keep_fargs: false } });
  writeFileSync(path, code);
  const size = gzipSync(code, { level: 9 }).length;
  console.log(`${path}: ${size} bytes gzipped`);
}
