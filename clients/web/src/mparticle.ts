/**
 * The mParticle web kit: a drop-in for a self-hosted SDK, and a sideloaded kit.
 *
 * @module
 */
import type { Attributes, IdentifiedUser, Options } from "./client.js";
import type { SessionEnd } from "./attributes.js";
import { client } from "./index.js";
import type { Identity } from "./identity.js";

const NAME = "IntercomEventForwarder";
// mParticle's numbers of message and identity types.
const SESSION_END = 2;
const PAGE_VIEW = 3;
const CUSTOM_EVENT = 4;
const COMMERCE = 16;
const CUSTOMER_ID = 1;
const EMAIL = 7;

/** Settings of a kit: the options of `init`, and the source of the proof of identity. */
export interface KitOptions extends Options {
  /** Returns the proof that your server has signed for this user. */
  readonly proof?: ((user: Identity) => Pick<IdentifiedUser, "userHash" | "userJwt">) | undefined;
}

/** Settings from mParticle's configuration, where every value is a text. */
export type KitSettings = Readonly<Record<string, unknown>>;

/** What the kit reads of mParticle's events. */
export interface KitEvent {
  readonly EventDataType: number;
  readonly EventName?: string | null;
  readonly EventAttributes?: Attributes | null;
  readonly SessionId?: string | null;
  /** Milliseconds. */
  readonly SessionLength?: number | null;
}

/** What the kit reads of mParticle's users. */
export interface KitUser {
  getUserIdentities(): { userIdentities: { customerid?: string | null; email?: string | null } };
  getAllUserAttributes?(): Attributes;
}

/** One identity of mParticle's user. */
export interface KitIdentity {
  readonly Identity: string;
  readonly Type: number;
}

/** mParticle's registry of kits. */
export interface KitConfig {
  kits?: Record<string, unknown>;
}

/** The kit, as mParticle calls it. */
export interface Kit {
  readonly name: string;
  /** mParticle calls it with `new` and uses the result: the same kit. */
  readonly kitConstructor: () => Kit;
  /** Adds the kit to mParticle's configuration. */
  register(config: KitConfig): void;
  /** Boots the Messenger. */
  init(settings: KitSettings, service?: Service, testMode?: boolean, trackerId?: unknown, attributes?: unknown, identities?: readonly KitIdentity[]): string;
  /** Sends an event. */
  process(event: KitEvent): string;
  /** Sets one identity; types other than customer id and email are ignored. */
  setUserIdentity(id: string | null, type: number): void;
  /** Sets an attribute; null is a tag. */
  setUserAttribute(key: string, value: Attributes[string]): void;
  /** Clears an attribute. */
  removeUserAttribute(key: string): void;
  /** The user is known, the same or another one. */
  onUserIdentified(user: KitUser): void;
  /** The user has logged out. */
  onLogoutComplete(): void;
  /** Withdraws or gives consent. */
  setOptOut(isOptingOut: boolean): void;
}

/** Called by the kit with each event that it has sent. */
export type Service = (kit: Kit, event: KitEvent) => void;

function createKit(options?: KitOptions): Kit {
  let reportEvent: Service | undefined;
  let identity: { customerId?: string; email?: string } = {};
  // Whether identities came one by one that are not applied yet.
  let changed = false;

  function identify(attributes?: Attributes): void {
    changed = false;
    let proof;
    try {
      proof = identity.customerId || identity.email ? options?.proof?.(identity) : undefined;
    } finally {
      // Also if `proof` throws: what follows must not count for the last user.
      client.identify({ ...identity, ...proof, attributes });
    }
  }

  function apply(): void {
    if (changed) {
      identify();
    }
  }

  function setUserIdentity(id: string | null, type: number): void {
    const value = id ?? "";
    if (type === CUSTOMER_ID && value !== identity.customerId) {
      // Another user: the email that was set before belongs to the last one.
      identity = { customerId: value };
    } else if (type === EMAIL && value !== identity.email) {
      identity = { ...identity, email: value };
    } else {
      return;
    }
    changed = true;
    // The other identity follows at once.
    queueMicrotask(apply);
  }

  function forward(event: KitEvent): boolean {
    const name = event.EventName ?? "";
    const attributes = event.EventAttributes ?? {};
    switch (event.EventDataType) {
      case CUSTOM_EVENT:
        return client.track(name, attributes);
      case PAGE_VIEW:
        return client.pageView(name, attributes);
      case SESSION_END:
        return client.endSession(sessionOf(event, attributes));
      case COMMERCE:
        client.report("COMMERCE_FROM_WEB", "commerce_event", "send it from a server");
    }
    return false;
  }

  const kit: Kit = {
    name: NAME,
    kitConstructor: function () {
      return kit;
    },
    register: (config) => {
      config.kits = { ...config.kits, [NAME]: { constructor: kit.kitConstructor } };
    },
    init: (settings, service, _testMode, _trackerId, _attributes, identities) => {
      reportEvent = service;
      try {
        client.init(options ?? optionsOf(settings));
      } catch (error) {
        return String(error);
      }
      // The attributes may be those of the last page's user: they are read when mParticle has identified the user.
      identities?.forEach(({ Identity: id, Type: type }) => {
        setUserIdentity(id, type);
      });
      apply();
      return "initialized";
    },
    process: (event) => {
      apply();
      if (!forward(event)) {
        return "not sent";
      }
      reportEvent?.(kit, event);
      return "sent";
    },
    setUserIdentity,
    setUserAttribute: (key, value) => {
      apply();
      client.setAttributes({ [key]: value });
    },
    removeUserAttribute: (key) => {
      apply();
      client.setAttributes({}, [key]);
    },
    onUserIdentified: (user) => {
      const { customerid, email } = user.getUserIdentities().userIdentities;
      identity = { customerId: customerid ?? "", email: email ?? "" };
      identify(user.getAllUserAttributes?.());
    },
    onLogoutComplete: () => {
      identity = {};
      identify();
    },
    setOptOut: (isOptingOut) => {
      client.setConsent(!isOptingOut);
    },
  };
  return kit;
}

/** `new IntercomKit({ appId, … })` is sideloaded; {@link IntercomEventForwarder} gets its settings from mParticle. */
export const IntercomKit = function (options?: KitOptions) {
  return createKit(options);
} as unknown as new (options?: KitOptions) => Kit;

/** The kit for a self-hosted SDK, with the settings `appid` and `widgetid` of mParticle's configuration. */
export const IntercomEventForwarder: Kit = createKit();

function optionsOf(settings: KitSettings): Options {
  const text = (name: string): string | undefined => {
    const value = settings[name];
    return typeof value === "string" && value ? value : undefined;
  };
  return {
    appId: text("appid") ?? "",
    widgetId: text("widgetid"),
    region: text("region")?.toLowerCase() as Options["region"],
    pageViews: text("pageviews")?.toLowerCase() === "true",
  };
}

function sessionOf({ SessionId, SessionLength }: KitEvent, attributes: Attributes): SessionEnd {
  return { sessionId: SessionId ?? "", durationSeconds: SessionLength == null ? undefined : SessionLength / 1000, attributes };
}
