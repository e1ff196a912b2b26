/**
 * Publishes customer events, identities and attributes to intercomd, the daemon that forwards them to Intercom. The daemon
 * holds the Intercom token and handles Intercom's limits.
 *
 * @module
 */
export { newEnvelopeId } from "./envelope-id.js";
export { PublisherClosedError, PublishError, TimeoutError } from "./errors.js";
export type { EnvelopeInit } from "./frame.js";
export { Environment, Priority, Source, type Envelope } from "./gen/intercomd/v1/envelope_pb.js";
export { Disposition, type EnvelopeResult, type Violation } from "./gen/intercomd/v1/ingest_pb.js";
export type { Logger, PublisherOptions, Tls } from "./options.js";
export { Publisher, type TimeLimit } from "./publisher.js";
export { userHash, userJwt, type JwtOptions } from "./signing.js";
export { attributes, customEvent, float, link, money, tag, type Value } from "./values.js";
