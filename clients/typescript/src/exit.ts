import type { PublishError } from "./errors.js";
import type { Envelope } from "./gen/intercomd/v1/envelope_pb.js";

/** How long a process that ends sends the envelopes of publishers that were not closed. */
const EXIT_MAX_MS = 5_000;

/** An open publisher. */
export interface Closable {
  readonly pending: number;
  readonly failure: PublishError | undefined;
  close(options: { timeoutMs: number }): Promise<Envelope[]>;
}

const open = new Set<Closable>();

/** Registers a publisher that opens its connection: from now on it is flushed when the process ends by itself. */
export function opened(publisher: Closable): void {
  if (open.size === 0) {
    process.on("beforeExit", flush);
    process.on("exit", report);
  }
  open.add(publisher);
}

/** Unregisters a closed publisher. */
export function closed(publisher: Closable): void {
  open.delete(publisher);
  if (open.size === 0) {
    process.off("beforeExit", flush);
    process.off("exit", report);
  }
}

function flush(): void {
  void Promise.all([...open].map((publisher) => publisher.close({ timeoutMs: EXIT_MAX_MS }))).then((left) => {
    warn(left.flat().length);
  });
}

/** process.exit runs no more of the event loop: only the count can be said. */
function report(): void {
  warn([...open].reduce((sum, publisher) => sum + publisher.pending, 0));
}

function warn(count: number): void {
  if (count > 0) {
    console.error(
      `intercomd: ${count} envelopes were not sent when the process ended. Close the publisher before: close() waits for ` +
        "the results and returns the envelopes without one",
    );
  }
}
