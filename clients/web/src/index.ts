/**
 * Boots Intercom's Messenger in a page, and sends it users, attributes and events by the rules of intercomd, the daemon.
 *
 * @module
 */
import { createClient, type Attributes, type IdentifiedUser, type Options } from "./client.js";
import type { SessionEnd } from "./attributes.js";

export type { Attributes, IdentifiedUser, Options } from "./client.js";
export type { SessionEnd } from "./attributes.js";
export type { Finding } from "./findings.js";
export type { Identity } from "./identity.js";
export type { Value } from "./values.js";

/** The client of the page. @internal */
export const client = createClient();

/**
 * Loads the Messenger's script and boots the Messenger, for a visitor until {@link identify}.
 *
 * @throws TypeError the App ID is missing or the region unknown.
 */
export const init: (options: Options) => void = client.init;

/**
 * Sets the user. For another user, or none (`identify({})`), the session is shut down and booted again, so that nobody reads
 * the last user's conversations.
 *
 * @returns whether the identity is valid; after an invalid one there is no user.
 */
export const identify: (user: IdentifiedUser) => boolean = client.identify;

/**
 * Sets attributes of the user, and clears those of the names in `removed`. Updates are merged; at most 20 leave in 30
 * minutes. @returns whether they are accepted.
 */
export const setAttributes: (attributes: Attributes, removed?: readonly string[]) => boolean = client.setAttributes;

/** Sends an event of the user, with at most 5 attributes. @returns whether it is accepted. */
export const track: (name: string, attributes?: Attributes) => boolean = client.track;

/** Sends the event `Page View`, if the option `pageViews` is set. @returns whether it is accepted. */
export const pageView: (name: string, attributes?: Attributes) => boolean = client.pageView;

/** Sends the event `Session End`. @returns whether it is accepted. */
export const endSession: (session?: SessionEnd) => boolean = client.endSession;

/** Gives or withdraws consent. Without it nothing is loaded or sent, events are dropped, and an open session is shut down. */
export const setConsent: (consent: boolean) => void = client.setConsent;

/** Shuts the Messenger down and forgets the user; {@link identify} boots it again. */
export const shutdown: () => void = client.shutdown;
