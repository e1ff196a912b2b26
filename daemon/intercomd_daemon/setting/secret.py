"""Secret text: repr, str and format are masked; only `reveal` returns it."""

import re

MASK = "********"

# Intercom's access tokens are the base64 of "tok:..."; other secrets follow "Bearer", or are registered by their owner.
TOKEN_HEAD = "dG9rO"  # noqa: S105  # how they begin
_TOKEN = re.compile(TOKEN_HEAD + r"[A-Za-z0-9+/_-]{8,}=*")
# Tokens of our own callers, as `intercomd token` makes them.
_CALLER_TOKEN = re.compile(r"icd_[A-Za-z0-9_-]{20,}")
_BEARER = re.compile(r"(?i)\b(bearer) +[A-Za-z0-9._~+/-]+=*")


def without_tokens(text: str) -> str:
    """Returns the text with access tokens of Intercom, tokens of callers, and what follows "Bearer", masked."""
    return _BEARER.sub(rf"\1 {MASK}", _CALLER_TOKEN.sub(MASK, _TOKEN.sub(MASK, text)))


class Secret:
    """An access token in memory."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """`text` is the secret; empty: none is set."""
        self._text = text

    def reveal(self) -> str:
        """The secret itself, for the one place that sends it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({MASK!r})" if self._text else "Secret('')"

    def __str__(self) -> str:
        return MASK if self._text else ""
