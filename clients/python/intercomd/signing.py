"""Signs users for Intercom's Messenger, on a server: the proof of identity that a page passes to `identify`.

Intercom: "`user_hash` = hex HMAC-SHA256 of `user_id`, or of `email` if there is no `user_id`", and "JWT (HS256, claim
`user_id`, optional `email`, `exp`)". The secret is the workspace's Messenger API secret, not its access token.
"""

import base64
import hashlib
import hmac
import json
from datetime import datetime

_HEADER = {"alg": "HS256", "typ": "JWT"}


def user_hash(customer_id: str, secret: str) -> str:
    """Returns the hexadecimal HMAC-SHA256 of the customer id, or of the email of a user without one.

    White space around the customer id is not signed, since the page does not send it either.

    Raises:
        ValueError: the customer id or the secret is empty.
    """
    return _sign(_customer_id(customer_id).encode(), secret).hex()


def user_jwt(customer_id: str, secret: str, expires: datetime, *, email: str = "") -> str:
    """Returns a JSON Web Token for the user that is valid until `expires`; an hour is usual.

    Raises:
        ValueError: the customer id or the secret is empty, or `expires` has no time zone.
    """
    if expires.utcoffset() is None:
        raise ValueError(f"expires: {expires!r} has no time zone, so its moment is unknown: use datetime.now(UTC)")
    claims: dict[str, str | int] = {"user_id": _customer_id(customer_id)}
    if email:
        claims["email"] = email
    claims["exp"] = int(expires.timestamp())
    signed = f"{_part(_HEADER)}.{_part(claims)}"
    return f"{signed}.{_base64(_sign(signed.encode(), secret))}"


def _customer_id(given: str) -> str:
    customer_id = given.strip()
    if not customer_id:
        raise ValueError("customer_id is empty: sign the id of a signed-in user")
    return customer_id


def _sign(message: bytes, secret: str) -> bytes:
    if not secret:
        raise ValueError("secret is empty: set the Messenger API secret of the workspace")
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()


def _part(claims: dict[str, str] | dict[str, str | int]) -> str:
    return _base64(json.dumps(claims, ensure_ascii=False, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
