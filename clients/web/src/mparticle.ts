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

/** mParticle's registry of kits. */
export interface KitConfig {
  kits?: Record<string, unknown>;
}

/** The kit. `new IntercomKit({ appId, … })` is sideloaded; {@link IntercomEventForwarder} gets its settings from mParticle. */
export class IntercomKit {
  readonly name = NAME;
  /** mParticle calls it with `new` and uses the result: the same kit. */
  readonly kitConstructor: () => IntercomKit;
  readonly #options: KitOptions | undefined;
  #service: ((kit: unknown, event: KitEvent) => void) | undefined;
  #identity: { customerId?: string; email?: string } = {};
  /** Whether identities came one by one that are not applied yet. */
  #changed = false;

  constructor(options?: KitOptions) {
    this.#options = options;
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- `this` in the function is the object that `new` makes
    const kit = this;
    this.kitConstructor = function () {
      return kit;
    };
  }

  /** Adds the kit to mParticle's configuration. */
  register(config: KitConfig): void {
    config.kits = { ...config.kits, [NAME]: { constructor: this.kitConstructor } };
  }

  /** Called by mParticle: boots the Messenger. */
  init(settings: KitSettings, service?: (kit: unknown, event: KitEvent) => void, _testMode?: boolean, _trackerId?: unknown, _attributes?: unknown, identities?: readonly { Identity: string; Type: number }[]): string {
    this.#service = service;
    try {
      client.init(this.#options ?? optionsOf(settings));
    } catch (error) {
      return String(error);
    }
    // The attributes may be those of the last page's user: they are read when mParticle has identified the user.
    identities?.forEach(({ Identity: id, Type: type }) => {
      this.setUserIdentity(id, type);
    });
    this.#apply();
    return "initialized";
  }

  /** Called by mParticle: sends an event. */
  process(event: KitEvent): string {
    this.#apply();
    if (!this.#forward(event)) {
      return "not sent";
    }
    this.#service?.(this, event);
    return "sent";
  }

  /** Called by mParticle: sets one identity; types other than customer id and email are ignored. */
  setUserIdentity(id: string | null, type: number): void {
    const value = id ?? "";
    if (type === CUSTOMER_ID && value !== this.#identity.customerId) {
      // Another user: the email that was set before belongs to the last one.
      this.#identity = { customerId: value };
    } else if (type === EMAIL && value !== this.#identity.email) {
      this.#identity = { ...this.#identity, email: value };
    } else {
      return;
    }
    this.#changed = true;
    // The other identity follows at once.
    queueMicrotask(() => {
      this.#apply();
    });
  }

  /** Called by mParticle: sets an attribute; null is a tag. */
  setUserAttribute(key: string, value: Attributes[string]): void {
    this.#apply();
    client.setAttributes({ [key]: value });
  }

  /** Called by mParticle: clears an attribute. */
  removeUserAttribute(key: string): void {
    this.#apply();
    client.setAttributes({}, [key]);
  }

  /** Called by mParticle: the user is known, the same or another one. */
  onUserIdentified(user: KitUser): void {
    const { customerid, email } = user.getUserIdentities().userIdentities;
    this.#identity = { customerId: customerid ?? "", email: email ?? "" };
    this.#identify(user.getAllUserAttributes?.());
  }

  /** Called by mParticle: the user has logged out. */
  onLogoutComplete(): void {
    this.#identity = {};
    this.#identify();
  }

  /** Called by mParticle: withdraws or gives consent. */
  setOptOut(isOptingOut: boolean): void {
    client.setConsent(!isOptingOut);
  }

  #apply(): void {
    if (this.#changed) {
      this.#identify();
    }
  }

  #identify(attributes?: Attributes): void {
    this.#changed = false;
    const { customerId, email } = this.#identity;
    const proof = customerId || email ? this.#options?.proof?.({ customerId, email }) : undefined;
    client.identify({ customerId, email, ...proof, attributes });
  }

  #forward(event: KitEvent): boolean {
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
        return false;
      default:
        return false;
    }
  }
}

/** The kit for a self-hosted SDK, with the settings `appid` and `widgetid` of mParticle's configuration. */
export const IntercomEventForwarder = new IntercomKit();

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
