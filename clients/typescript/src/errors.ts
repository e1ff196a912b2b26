import type { Envelope } from "./gen/intercomd/v1/envelope_pb.js";

/**
 * The publisher is closed, or has stopped because the daemon refuses its requests and repeating does not help: a refused
 * credential, a target that is not intercomd, or the end of `repeatMaxMs`.
 */
export class PublishError extends Error {
  override readonly name: string = "PublishError";

  constructor(
    message: string,
    /** The status that ended it, such as "UNAUTHENTICATED"; undefined if no call had a response. */
    readonly code?: string,
    /** The envelopes without a result, if leaving an `await using` scope threw the error. */
    readonly unanswered: readonly Envelope[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The publisher was closed by its owner. */
export class PublisherClosedError extends PublishError {
  override readonly name = "PublisherClosedError";

  constructor() {
    super("the publisher is closed");
  }
}

/** No result came in time. The publisher still sends the envelope. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}
