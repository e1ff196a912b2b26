/** What the page sends: users, attributes and events, by the daemon's rules. */
import { metadataOf, sessionMetadataOf, updateOf, type Pairs, type SessionEnd } from "./attributes.js";
import { createBudget } from "./budget.js";
import { Findings, type Finding } from "./findings.js";
import { userOf, type Identity, type User } from "./identity.js";
import { createMessenger, type Messenger } from "./messenger.js";
import { eventName } from "./names.js";
import { dropReserved, payloadOf } from "./payload.js";
import type { Value } from "./values.js";

/** Attributes by name. Put the most important first: a limit keeps the first ones. */
export type Attributes = Readonly<Record<string, Value>>;

/** Settings of the page. */
export interface Options {
  /** The App ID of the workspace. */
  readonly appId: string;
  /** The CSS selector of the element that opens the Messenger. @defaultValue `"#IntercomDefaultWidget"` */
  readonly widgetId?: string | undefined;
  /** Where the workspace is hosted. @defaultValue `"us"` */
  readonly region?: "us" | "eu" | "au" | undefined;
  /** Whether the user has consented; without consent nothing is loaded or sent. @defaultValue `true` */
  readonly consent?: boolean | undefined;
  /** Whether `pageView` sends events. @defaultValue `false` */
  readonly pageViews?: boolean | undefined;
  /** The name of the event that `endSession` sends; empty: none is sent. @defaultValue `"Session End"` */
  readonly sessionEndName?: string | undefined;
  /** Called with everything that was dropped, changed or refused. @defaultValue logs it as a warning */
  readonly onFinding?: ((finding: Finding) => void) | undefined;
}

/** A user, with the proof of identity that your server has signed. */
export interface IdentifiedUser extends Identity {
  /** The hexadecimal HMAC-SHA256 of the customer id. */
  readonly userHash?: string | undefined;
  /** The JSON Web Token. */
  readonly userJwt?: string | undefined;
  /** Attributes that are sent with the user. */
  readonly attributes?: Attributes | undefined;
}

const NAME_PARTS = ["$first_name", "$last_name"];
/** A workspace has at most 250 custom attributes. */
const PENDING_MAX = 250;
const UPDATE_ATTRIBUTES_MAX = 100;
const PROOF = /^(email|user_hash|intercom_user_jwt)$/;
const SENT_MAX = 1_000;
const NO_USER = "call identify before";
const PAGE_VIEW_NAME = "Page View";

/** Returns the attributes in their order; none for what is not an object. */
function entries(attributes: object | null | undefined): [string, unknown][] {
  return Object.entries(attributes ?? {});
}

function warn(finding: Finding): void {
  console.warn("intercomd:", finding);
}

/** The client of a page, which has one Messenger. */
export type Client = ReturnType<typeof createClient>;

/** Returns the client of a page. */
export function createClient() {
  let settings: Options | undefined;
  let messenger: Messenger | undefined;
  let consented = false;
  // Whether the Messenger is booted, or will be when it has loaded.
  let active = false;
  let current: User | undefined;
  // Values to send: the email and the proof of identity under the Messenger's names, attributes under the daemon's.
  let pending: Pairs = new Map();
  // Values that the Messenger has; equal ones are not sent again.
  let sent: Pairs = new Map();
  let timer: number | undefined;
  const budget = createBudget();

  function init(options: Options): void {
    if (!options.appId || !/^(us|eu|au)$/.test(options.region ?? "us")) {
      throw new TypeError("set appId, and region to us, eu or au");
    }
    if (settings) {
      // A page that is rendered again: the Messenger is there.
      return;
    }
    settings = options;
    messenger = createMessenger(options.appId, () => {
      report("MESSENGER_NOT_LOADED", "", "allow widget.intercom.io");
    });
    setConsent(options.consent ?? true);
  }

  function setConsent(consent: boolean): void {
    if (consent === consented || !messenger) {
      return;
    }
    consented = consent;
    if (consent) {
      messenger.load();
      boot();
    } else {
      stop();
      pending = new Map([...sent, ...pending]);
      sent = new Map();
    }
  }

  function identify(given: IdentifiedUser): boolean {
    const found = new Findings();
    const user = userOf(given, found);
    const absent = !user.customerId && !user.email;
    if (absent || !accepted(found)) {
      if (current || !active) {
        start(undefined);
      }
      return absent;
    }
    const known = current;
    const proof = { email: user.email, user_hash: given.userHash, intercom_user_jwt: given.userJwt };
    const values = new Map(Object.entries(proof).filter((pair): pair is [string, string] => !!pair[1]));
    if (known && (known.customerId || known.email) === (user.customerId || user.email)) {
      put(values);
      setAttributes(given.attributes);
    } else {
      start(user, () => {
        put(values);
        setAttributes(given.attributes);
      });
    }
    return true;
  }

  function setAttributes(attributes?: Attributes | null, removed: readonly string[] = []): boolean {
    const found = new Findings();
    if (!current) {
      found.reject("IDENTITY_REQUIRED", "identity", NO_USER);
    }
    const update = updateOf(entries(attributes), removed, found);
    dropReserved(update, found);
    return accepted(found) && put(update);
  }

  function track(name: string, attributes?: Attributes | null): boolean {
    const found = new Findings();
    const event = eventName(name, "custom_event.name", found);
    return send(event, metadataOf(entries(attributes), found), found);
  }

  function pageView(name: string, attributes?: Attributes | null): boolean {
    return !!settings?.pageViews && track(PAGE_VIEW_NAME, { page: name, ...attributes });
  }

  function endSession(session: SessionEnd = {}): boolean {
    const found = new Findings();
    const name = settings?.sessionEndName ?? "Session End";
    const metadata = sessionMetadataOf(session, entries(session.attributes), found);
    return !!name && send(eventName(name, "session_end_event", found), metadata, found);
  }

  function shutdown(): void {
    forget(undefined);
    stop();
  }

  /** Ends the session of the last user, and boots for this one, with what `fill` puts. */
  function start(user: User | undefined, fill?: () => void): void {
    // What is due goes with the last user's session.
    flush();
    forget(user);
    active = false;
    fill?.();
    boot();
  }

  function forget(user: User | undefined): void {
    if (active && pending.size) {
      report("ATTRIBUTE_DROPPED", "user_attributes", `${pending.size} waited for the last user`);
    }
    current = user;
    pending = new Map();
    sent = new Map();
  }

  function stop(): void {
    clearTimeout(timer);
    if (active) {
      messenger?.shutdown();
    }
    active = false;
  }

  function boot(): void {
    if (!consented || !messenger || !settings) {
      return;
    }
    const { appId, region, widgetId } = settings;
    const { customerId, email } = current ?? { customerId: "", email: "" };
    active = true;
    const call = {
      ...take(),
      ...(customerId && { user_id: customerId }),
      app_id: appId,
      api_base: `https://api-iam.${!region || region === "us" ? "" : `${region}.`}intercom.io`,
      custom_launcher_selector: widgetId ?? "#IntercomDefaultWidget",
    };
    messenger.boot(call, customerId || email);
    schedule(0);
  }

  /** Adds values to those that wait; they leave together when the page's script has ended, or before the next event. */
  function put(values: Pairs): boolean {
    for (const [name, value] of values) {
      const room = pending.has(name) || pending.size < PENDING_MAX;
      if (sent.get(name) === value) {
        pending.delete(name);
      } else if (room) {
        pending.set(name, value);
      } else {
        report("ATTRIBUTE_DROPPED", `user_attributes[${name}]`, `limit ${PENDING_MAX}`);
      }
    }
    schedule(0);
    return true;
  }

  function send(event: string, metadata: Pairs, found: Findings): boolean {
    if (!current) {
      found.reject("IDENTITY_REQUIRED", "identity", NO_USER);
    } else if (!active) {
      found.reject("CONSENT_REQUIRED", "", "no consent");
    }
    if (!accepted(found)) {
      return false;
    }
    // The user is updated before the user's events.
    flush();
    const values = metadata.size ? [Object.fromEntries(metadata)] : [];
    const sent = messenger?.call("trackEvent", event, ...values) ?? false;
    if (!sent) {
      report("QUEUE_FULL", "", "event dropped");
    }
    return sent;
  }

  function schedule(delay: number): void {
    clearTimeout(timer);
    if (active && pending.size) {
      timer = window.setTimeout(() => {
        flush();
      }, delay);
    }
  }

  /** Sends the waiting updates, as far as Intercom's limit of updates permits. */
  function flush(): void {
    if (!active || !pending.size) {
      return;
    }
    const now = performance.now();
    const wait = budget.wait(now);
    if (wait > 0) {
      schedule(wait);
      return;
    }
    budget.take(now);
    messenger?.call("update", take());
    schedule(0);
  }

  /** Takes the first attributes that wait, and the proof, as the Messenger's fields. */
  function take(): Record<string, unknown> {
    const taken: Pairs = new Map();
    let room = UPDATE_ATTRIBUTES_MAX;
    for (const [name, value] of pending) {
      if (!PROOF.test(name) && --room < 0) {
        continue;
      }
      taken.set(name, value);
      pending.delete(name);
      if (sent.size < SENT_MAX || sent.has(name)) {
        sent.set(name, value);
      }
    }
    const payload = payloadOf(taken, sent);
    // A full name replaces its parts in Intercom, and the parts a full name.
    for (const name of taken.has("name") ? NAME_PARTS : NAME_PARTS.some((part) => taken.has(part)) ? ["name"] : []) {
      sent.delete(name);
    }
    return payload;
  }

  function accepted(found: Findings): boolean {
    const isAccepted = !found.violations.length;
    (isAccepted ? found.adjustments : found.violations).forEach(tell);
    return isAccepted;
  }

  function report(reason: string, field: string, message: string): void {
    tell({ reason, field, message });
  }

  /** Passes a finding to the page. An error of its callback must not stop what the page sends. */
  function tell(finding: Finding): void {
    try {
      (settings?.onFinding ?? warn)(finding);
    } catch (error) {
      console.error("intercomd:", error);
    }
  }

  return { init, identify, setAttributes, track, pageView, endSession, setConsent, shutdown, report };
}
