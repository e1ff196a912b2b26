"""What no log line may hold, and the marks that stand in its place: the last guard, behind those who know better.

It knows the shapes of tokens and emails, the secrets that it was told, and which fields may be shown. Where lines go,
it does not know.
"""

import re
from hashlib import blake2b

from intercomd_daemon.setting.secret import MASK as TOKEN_MARK
from intercomd_daemon.setting.secret import TOKEN_HEAD, without_tokens

EMAIL_MARK = "<email>"
VALUE_MARK = "<hidden>"

SECRET_FIELDS = frozenset({"access_token", "api_key", "authorization", "password", "secret", "token"})
VALUE_FIELDS = frozenset({"answer_body", "body", "email", "json_body", "metadata", "phone", "value", "values"})
GUARDED_FIELDS = SECRET_FIELDS | VALUE_FIELDS
SCALARS = frozenset({str, int, float, bool, type(None)})
"""What a field may hold under any other name without being looked at."""

# Whatever is written around an @, as it is or percent-encoded: a mark too many costs nothing.
# Bounded, as an address is ("254 characters"), so that a long word is looked through in one go.
_EMAIL_PART = r"[^\s@\"<>(),:;\[\]\\]{1,254}"
_EMAIL = re.compile(rf"{_EMAIL_PART}(?:@|%40){_EMAIL_PART}")
# A told secret that is shorter would blot out common words; Intercom's have 60 characters.
_SECRET_CHARACTERS_MIN = 6
# So many told secrets are remembered, the newest: tokens change a few times a year.
SECRETS_MAX = 64
_HASH_BYTES = 8


def lane_name(lane: str, key: bytes) -> str:
    """A lane as logs may show it: a customer id as it is, an email (also one used as an id) as a keyed hash.

    The key, of at most 64 bytes, keeps the hash from being looked up in a list of hashed emails.
    """
    if lane.startswith("c:") and "@" not in lane:
        return lane
    return lane[:2] + blake2b(lane[2:].encode(), key=key, digest_size=_HASH_BYTES).hexdigest()


class Redaction:
    """The guard of one daemon's log."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def hide(self, secret: str) -> None:
        """From now on this very text is masked; one under 6 characters is not, as it would be found everywhere."""
        if len(secret) >= _SECRET_CHARACTERS_MIN and secret not in self._secrets:
            self._secrets = (*self._secrets, secret)[-SECRETS_MAX:]

    def suspects(self, line: str, *, emails: bool) -> bool:
        """Whether a rendered line may hold what it must not; costs less than a microsecond, so that all are asked."""
        if emails and ("@" in line or "%40" in line):
            return True
        return TOKEN_HEAD in line or "earer " in line or any(secret in line for secret in self._secrets)

    def clean(self, text: str, *, emails: bool) -> str:
        """The text with marks where tokens, and with `emails` also where emails stood."""
        for secret in self._secrets:
            text = text.replace(secret, TOKEN_MARK)
        text = without_tokens(text)
        return _EMAIL.sub(EMAIL_MARK, text) if emails else text


def shown_field(name: str, value: object, *, values: bool) -> object:
    """A field's value as a line may show it.

    A field holds one scalar: whatever holds more could hold a user's values, and is shown only where `values` may be.
    """
    if name in SECRET_FIELDS:
        return TOKEN_MARK
    if values:
        return value
    if name in VALUE_FIELDS:
        return VALUE_MARK
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    return VALUE_MARK
