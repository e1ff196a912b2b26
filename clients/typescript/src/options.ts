import type { Envelope } from "./gen/intercomd/v1/envelope_pb.js";
import type { EnvelopeResult } from "./gen/intercomd/v1/ingest_pb.js";

/** TLS with PEM files. They are read again before each call, so that they may be replaced. */
export interface Tls {
  /** The authorities that the daemon's certificate is checked against; absent: those of Node. */
  readonly caFile?: string;
  /** The client's certificate chain, for daemons that request one; needs `keyFile`. */
  readonly certificateFile?: string;
  /** The private key of `certificateFile`. */
  readonly keyFile?: string;
  /** The name that the daemon's certificate has, if the target has another one. */
  readonly serverName?: string;
}

/** Gets the publisher's messages. */
export interface Logger {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** The settings of a publisher. The defaults suit a daemon beside the service. */
export interface PublisherOptions {
  /** TLS with your files, or true: with Node's authorities. Absent: plain text. */
  readonly tls?: Tls | boolean;
  /** Sent with every call as "authorization: Bearer ...". */
  readonly token?: string;
  /** A file that holds the token. It is read again before each call, so that the token may be replaced. */
  readonly tokenFile?: string;
  /** Called with the results of each batch, in the order of publishing. It must be quick. */
  readonly onResults?: (results: readonly EnvelopeResult[]) => void | Promise<void>;
  /** Called with each rejected envelope. Without callbacks, the publisher logs how many were rejected, and why. */
  readonly onRejected?: (envelope: Envelope, result: EnvelopeResult) => void | Promise<void>;
  /** Gets warnings; by default they go to the standard error. */
  readonly logger?: Logger;
  /** Envelopes in one call, 200 by default; the daemon accepts at most 500. */
  readonly batchEnvelopesMax?: number;
  /** Bytes in one call, 1 MiB by default; the daemon accepts at most 4 MiB. */
  readonly batchBytesMax?: number;
  /** How long the first envelope of a batch waits for others, 10 ms by default. */
  readonly lingerMs?: number;
  /** Encoded envelopes held in memory, those in flight included, 16 MiB by default; above it `publish` waits. */
  readonly bufferBytesMax?: number;
  /** Calls at a time, 1 by default. Above 1, the daemon may accept envelopes out of order. */
  readonly callsInFlightMax?: number;
  /** How long one call may take, 30 s by default; the daemon answers after a disk sync. */
  readonly callTimeoutMs?: number;
  /** The longest first pause after a failed call, 200 ms by default, unless the daemon requests one; it doubles. */
  readonly backoffMs?: number;
  /** The limit of this growth, 5 s by default. */
  readonly backoffMaxMs?: number;
  /** How long a batch is repeated before the publisher stops with an error; absent: for ever. */
  readonly repeatMaxMs?: number;
  /** How long `close` waits for results, 10 s by default. */
  readonly closeTimeoutMs?: number;
  /** The daemon returns results for the envelopes, but accepts none. */
  readonly validateOnly?: boolean;
}

export type Settings = Required<Omit<PublisherOptions, "tls" | "token" | "tokenFile" | "onResults" | "onRejected">> &
  Pick<PublisherOptions, "tls" | "token" | "tokenFile" | "onResults" | "onRejected">;

const DEFAULTS = {
  batchEnvelopesMax: 200,
  batchBytesMax: 1024 * 1024,
  lingerMs: 10,
  bufferBytesMax: 16 * 1024 * 1024,
  callsInFlightMax: 1,
  callTimeoutMs: 30_000,
  backoffMs: 200,
  backoffMaxMs: 5_000,
  repeatMaxMs: Infinity,
  closeTimeoutMs: 10_000,
};
const COUNTS: ReadonlySet<string> = new Set(["batchEnvelopesMax", "batchBytesMax", "bufferBytesMax", "callsInFlightMax"]);

/** The standard error: the standard output belongs to the program. */
const STANDARD_ERROR: Logger = {
  info(message) {
    console.warn(`intercomd: ${message}`);
  },
  warn(message) {
    console.warn(`intercomd: ${message}`);
  },
  error(message) {
    console.error(`intercomd: ${message}`);
  },
};

/**
 * Returns the options with defaults.
 *
 * @throws RangeError a number can never work; the message names it.
 */
export function withDefaults(options: PublisherOptions): Settings {
  const settings: Settings = { ...DEFAULTS, logger: STANDARD_ERROR, validateOnly: false, ...options };
  for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
    const value = settings[name];
    const smallest = COUNTS.has(name) ? 1 : 0;
    if (typeof value !== "number" || !(value >= smallest)) {
      throw new RangeError(`${name} is ${String(value)}: it must be a number of at least ${smallest}`);
    }
  }
  return settings;
}
