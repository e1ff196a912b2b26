const URL_SCHEME = /^(https?|grpcs?|tcp|wss?):\/\//i;
const RESOLVER = /^(?:dns:(?:\/\/[^/]*\/)?|ipv4:|ipv6:)/i;
/** Resolvers whose targets have a form of their own. */
const OTHER = /^(?:unix|unix-abstract|vsock|xds|passthrough):/i;

/**
 * Accepts "host:port", "unix:/path" and gRPC's other forms. gRPC itself would retry a malformed target for ever.
 *
 * @throws TypeError the target is malformed; the message names the mistake and the fix.
 */
export function checkTarget(target: string): void {
  if (typeof target !== "string" || target === "" || /\s/.test(target)) {
    throw new TypeError(`target "${target}" is empty or has white space: write it as "127.0.0.1:50051"`);
  }
  const url = URL_SCHEME.exec(target)?.[0];
  if (url !== undefined) {
    throw new TypeError(`target "${target}" is a URL: leave "${url}" out, and set tls for TLS`);
  }
  if (OTHER.test(target)) {
    if (target.slice(target.indexOf(":") + 1).replaceAll("/", "") === "") {
      throw new TypeError(`target "${target}" has no path: write it as "unix:/run/intercomd.sock"`);
    }
    return;
  }
  for (const place of places(target)) {
    checkPlace(target, place);
  }
}

/** Checks host:port or [address]:port. */
function checkPlace(target: string, place: string): void {
  const colon = place.lastIndexOf(":");
  const host = place.slice(0, Math.max(colon, 0));
  const port = place.slice(colon + 1);
  if (colon < 0 || (host.includes(":") && !(host.startsWith("[") && host.endsWith("]")))) {
    throw new TypeError(`target "${target}" has no port: write it as "host:50051" or "[address]:50051"`);
  }
  if (host === "") {
    throw new TypeError(`target "${target}" has no host: write it as "host:${port}"`);
  }
  if (place.includes("/")) {
    throw new TypeError(`target "${target}" has a path after the port: write it as "host:port"`);
  }
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) {
    throw new TypeError(`target "${target}" has the port "${port}": a port is a number from 1 to 65535`);
  }
}

/**
 * Returns whether a target is a Unix socket, or only loopback addresses. Such targets never go through a proxy, and a token
 * may travel to them in plain text.
 */
export function isLocal(target: string): boolean {
  return /^unix(-abstract)?:/i.test(target) || places(target.replace(/^passthrough:(\/\/[^/]*\/)?/i, "")).every(isLoopback);
}

function places(target: string): string[] {
  return target.replace(RESOLVER, "").replaceAll("%5B", "[").replaceAll("%5D", "]").split(",");
}

function isLoopback(place: string): boolean {
  const bracketed = /^\[([^\]]*)\]/.exec(place)?.[1];
  const host = (bracketed ?? (place.split(":").length === 2 ? place.slice(0, place.indexOf(":")) : place)).toLowerCase();
  const name = host.replace(/\.$/, "");
  // RFC 6761, 6.3: names that fall within ".localhost." are the loopback.
  return name === "localhost" || name.endsWith(".localhost") || host === "::1" || /^(::ffff:)?127(\.[0-9]{1,3}){3}$/.test(host);
}
