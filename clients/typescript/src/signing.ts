/** Signs users for Intercom's Messenger, on a server. The secret is the workspace's Messenger API secret. */
import { createHmac } from "node:crypto";

/** What a token says beside the customer id. */
export interface JwtOptions {
  /** Until when the token is valid; an hour is usual. */
  readonly expires: Date;
  readonly email?: string | undefined;
}

/**
 * Returns the hexadecimal HMAC-SHA256 of the customer id, or of the email of a user without one: the Messenger's
 * `user_hash`. White space around the customer id is not signed, since the page does not send it either.
 *
 * @throws RangeError the customer id or the secret is empty.
 */
export function userHash(customerId: string, secret: string): string {
  return sign(checked(customerId), secret).toString("hex");
}

/**
 * Returns a JSON Web Token (HS256) for the user: the Messenger's `intercom_user_jwt`.
 *
 * @throws RangeError the customer id or the secret is empty, or the expiry is not a date.
 */
export function userJwt(customerId: string, secret: string, options: JwtOptions): string {
  const exp = Math.floor(options.expires.getTime() / 1000);
  if (Number.isNaN(exp)) {
    throw new RangeError("expires is an invalid date: a token must expire");
  }
  const claims = { user_id: checked(customerId), ...(options.email ? { email: options.email } : {}), exp };
  const unsigned = [{ alg: "HS256", typ: "JWT" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${unsigned}.${sign(unsigned, secret).toString("base64url")}`;
}

function checked(customerId: string): string {
  const trimmed = customerId.trim();
  if (!trimmed) {
    throw new RangeError("customerId is empty: sign the id of a signed-in user");
  }
  return trimmed;
}

function sign(message: string, secret: string): Buffer {
  if (!secret) {
    throw new RangeError("secret is empty: set the Messenger API secret of the workspace");
  }
  return createHmac("sha256", secret).update(message).digest();
}
