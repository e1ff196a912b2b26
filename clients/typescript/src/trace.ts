/** The parts of OpenTelemetry's API that {@link currentTraceparent} calls. */
interface OpenTelemetry {
  readonly context?: { active(): unknown };
  readonly propagation?: { inject(context: unknown, carrier: Record<string, string>, setter: unknown): void };
}

const SETTER = {
  set(carrier: Record<string, string>, key: string, value: string): void {
    carrier[key] = value;
  },
};

/**
 * Returns the W3C trace context of the caller, if the program uses OpenTelemetry; else "".
 *
 * `@opentelemetry/api` keeps what is registered under this symbol, so that all copies of it share it. The client therefore
 * needs no dependency on it.
 */
export function currentTraceparent(): string {
  const api = (globalThis as Record<symbol, OpenTelemetry | undefined>)[Symbol.for("opentelemetry.js.api.1")];
  if (api?.context === undefined || api.propagation === undefined) {
    return "";
  }
  const carrier: Record<string, string> = {};
  api.propagation.inject(api.context.active(), carrier, SETTER);
  return carrier["traceparent"] ?? "";
}
