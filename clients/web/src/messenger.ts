/** Intercom's Messenger in the page: loads its script, and queues calls until it has loaded. */

type Call = readonly [method: string, ...values: unknown[]];
interface Stub {
  (...call: unknown[]): void;
  q?: unknown[];
  c?: (call: unknown) => void;
}

declare global {
  interface Window {
    Intercom?: Stub;
  }
}

const WAITING_MAX = 100;
const LAST_USER = "intercomd.user";

/** The Messenger of the page. */
export interface Messenger {
  /** Loads the script, unless the page has it. */
  load(): void;
  /**
   * Ends the session of the last user, of this page or an earlier one, and boots for another.
   *
   * Intercom: "call the shutdown method to clear your users' conversations"; otherwise the next user can read them.
   */
  boot(settings: object, user: string): void;
  /** Ends the session. */
  shutdown(): void;
  /** Makes a call; returns false if the queue is full. */
  call(...call: Call): boolean;
}

/** Returns the Messenger for an App ID; `onFailure` is called if its script does not load. */
export function createMessenger(appId: string, onFailure: () => void): Messenger {
  // Calls until the script has loaded; undefined afterwards.
  let waiting: Call[] | undefined = [];
  let failed = false;
  let loading = false;
  // Whether a boot has been called or waits.
  let booted = false;
  // The fingerprint of the user of the last boot, also that of an earlier page; empty: a visitor.
  let last = "";

  function load(): void {
    if (loading) {
      return;
    }
    loading = true;
    last = remembered();
    if (window.Intercom) {
      waiting = undefined;
      return;
    }
    // The script replaces this function and makes the calls in `q`.
    const stub: Stub = (...call) => stub.c?.(call);
    stub.q = [];
    stub.c = (call) => stub.q?.push(call);
    window.Intercom = stub;
    const script = document.createElement("script");
    script.async = true;
    script.src = `https://widget.intercom.io/widget/${encodeURIComponent(appId)}`;
    script.onload = () => {
      const calls = waiting;
      waiting = undefined;
      calls?.forEach(make);
    };
    script.onerror = () => {
      failed = true;
      waiting = [];
      onFailure();
    };
    document.head.append(script);
  }

  function boot(settings: object, user: string): void {
    const print = user && fingerprint(appId + user);
    if (waiting?.every(([method]) => method === "boot" || method === "shutdown")) {
      // Nothing has been sent: the boots that wait are of no use.
      waiting = [];
      booted = false;
      last = remembered();
    }
    if (booted || (last && last !== print)) {
      shutdown();
    }
    booted = true;
    last = print;
    push(["boot", settings, print]);
  }

  function shutdown(): void {
    push(["shutdown"]);
    booted = false;
    last = "";
  }

  function call(...given: Call): boolean {
    // Updates have a limit of their own.
    const hasRoom = !waiting || waiting.length < WAITING_MAX || given[0] === "update";
    if (hasRoom) {
      push(given);
    }
    return hasRoom;
  }

  function push(given: Call): void {
    if (failed) {
      return;
    }
    if (!waiting) {
      make(given);
      return;
    }
    if (given[0] === "boot" && waiting.length > WAITING_MAX) {
      // Many users in turn, before the Messenger has loaded: the commands of the earlier ones are dropped.
      waiting = [["shutdown"]];
    }
    waiting.push(given);
  }

  function make(given: Call): void {
    const [method, settings, print] = given;
    if (method === "boot") {
      window.Intercom?.(method, settings);
      remember(print as string);
      return;
    }
    window.Intercom?.(...given);
    if (method === "shutdown") {
      deleteCookie(appId);
      remember("");
    }
  }

  return { load, boot, shutdown, call };
}

// Intercom: "cookies are prefixed with intercom- and are created on your domain". Before a boot, shutdown may leave them.
function deleteCookie(appId: string): void {
  const labels = window.location.hostname.split(".");
  labels.forEach((_, index) => {
    document.cookie = `intercom-session-${appId}=; Max-Age=0; path=/; domain=${labels.slice(index).join(".")}`;
  });
}

// The last user must be recognized on the next page, without storing who it was: FNV-1a.
function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (const character of text) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return (hash >>> 0).toString(36);
}

function remembered(): string {
  try {
    return localStorage.getItem(LAST_USER) ?? "";
  } catch {
    return "";
  }
}

function remember(user: string): void {
  try {
    if (user) {
      localStorage.setItem(LAST_USER, user);
    } else {
      localStorage.removeItem(LAST_USER);
    }
  } catch {
    // Without storage, users are told apart within the page only.
  }
}
