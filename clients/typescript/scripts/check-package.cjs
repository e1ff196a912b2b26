// Loads the package as programs do, by `require` and by `import`.
const assert = require("node:assert");

const { Publisher, attributes } = require("@intercomd/client");
const { EnvelopeSchema } = require("@intercomd/client/v1");

assert.equal(typeof Publisher, "function");
assert.equal(attributes({ plan: "pro" }).length, 1);
assert.equal(EnvelopeSchema.typeName, "intercomd.v1.Envelope");
import("@intercomd/client").then((module) => {
  assert.equal(typeof module.Publisher, "function");
});
