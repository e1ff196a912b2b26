import js from "@eslint/js";
import tseslint from "typescript-eslint";

const GLOBALS = ["Buffer", "URL", "console", "process", "window", "document", "intercomd", "mParticle", "Intercom"];

export default tseslint.config(
  { ignores: ["dist", "build"] },
  js.configs.recommended,
  { files: ["src/**/*.ts"], extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked], languageOptions: { parserOptions: { projectService: true } } },
  { files: ["scripts/*.js", "test/*.js"], languageOptions: { globals: Object.fromEntries(GLOBALS.map((name) => [name, "readonly"])) } },
  {
    files: ["src/**/*.ts"],
    // Names and texts may hold control characters, which Intercom refuses.
    rules: { "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }], "no-control-regex": "off" },
  },
);
