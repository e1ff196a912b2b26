"""Redacts log lines: replaces secrets, tokens, emails and users' values by marks.

It is the last guard: callers already leave such values out. It recognizes tokens and emails by their form, secrets by
registration (`Redaction.hide`), and values by the names of their fields.
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
"""Types that a field with any other name may hold without being checked."""

# Any text around an @, plain or percent-encoded: a false match costs nothing.
# Bounded like an address ("254 characters"), so that a long word is scanned in linear time.
_EMAIL_PART = r"[^\s@\"<>(),:;\[\]\\]{1,254}"
_EMAIL = re.compile(rf"{_EMAIL_PART}(?:@|%40){_EMAIL_PART}")
# A shorter secret would mask common words; Intercom's tokens have 60 characters (I5).
_SECRET_CHARACTERS_MIN = 6
SECRETS_MAX = 64
"""Registered secrets, the newest: tokens change a few times a year."""
_HASH_BYTES = 8


def lane_name(lane: str, key: bytes) -> str:
    """Returns a lane for log lines: a customer id unchanged, an email (also one used as an id) as a keyed hash.

    The key, of at most 64 bytes, prevents a look-up in a list of hashed emails.
    """
    if lane.startswith("c:") and "@" not in lane:
        return lane
    return lane[:2] + blake2b(lane[2:].encode(), key=key, digest_size=_HASH_BYTES).hexdigest()


class Redaction:
    """Redacts the lines of one log."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def hide(self, secret: str) -> None:
        """Masks this text from now on, unless it has fewer than 6 characters."""
        if len(secret) >= _SECRET_CHARACTERS_MIN and secret not in self._secrets:
            self._secrets = (*self._secrets, secret)[-SECRETS_MAX:]

    def suspects(self, line: str, *, emails: bool) -> bool:
        """Returns whether a rendered line may hold a secret or an email. Takes under 1 µs: every line is checked."""
        if emails and ("@" in line or "%40" in line):
            return True
        for secret in self._secrets:
            if secret in line:
                return True
        return TOKEN_HEAD in line or "earer " in line

    def clean(self, text: str, *, emails: bool) -> str:
        """Returns the text with secrets and tokens replaced by marks, and with `emails` emails too."""
        for secret in self._secrets:
            text = text.replace(secret, TOKEN_MARK)
        text = without_tokens(text)
        return _EMAIL.sub(EMAIL_MARK, text) if emails else text


def shown_field(name: str, value: object, *, values: bool) -> object:
    """Returns the value of a field as a line may show it.

    Fields hold one scalar. Other values could hold a user's data and are shown only with `values`.
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
