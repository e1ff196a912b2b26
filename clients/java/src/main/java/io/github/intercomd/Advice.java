package io.github.intercomd;

/** What the publisher does after a failed call. */
enum Advice {
  /** Sends the same request again, after a pause. */
  REPEAT,
  /** Sends the envelopes in smaller requests; this request would be refused again. */
  DIVIDE,
  /** Rejects the envelopes of one connection, and sends the others again. */
  REJECT_CONNECTION,
  /** Stops: repeating helps only after a change of the configuration. */
  STOP
}
