import assert from "node:assert/strict";
import { test } from "node:test";

import { context, trace } from "@opentelemetry/api";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

import { Publisher } from "../index.js";
import { currentTraceparent } from "../trace.js";

test("without OpenTelemetry there is no trace context", () => {
  assert.equal(currentTraceparent(), "");
});

test("an envelope carries the trace context of the span in which it is published", async () => {
  const provider = new NodeTracerProvider();
  provider.register();
  try {
    const publisher = new Publisher("127.0.0.1:1");
    await publisher.publish({ envelopeId: "outside" });
    const span = trace.getTracer("test").startSpan("sign up");
    await context.with(trace.setSpan(context.active(), span), async () => {
      await publisher.publish({ envelopeId: "inside" });
      await publisher.publish({ envelopeId: "own", traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" });
    });
    span.end();
    const left = await publisher.close({ timeoutMs: 1 });
    const { traceId, spanId } = span.spanContext();
    assert.deepEqual(
      left.map(({ envelopeId, traceparent }) => [envelopeId, traceparent]),
      [
        ["outside", ""],
        ["inside", `00-${traceId}-${spanId}-01`],
        ["own", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
      ],
    );
  } finally {
    await provider.shutdown();
    trace.disable();
    context.disable();
  }
});
