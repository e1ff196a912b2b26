"""The access token: a value, or a file that is read again when it changes."""

import codecs
import re
from collections.abc import Callable

from intercomd_daemon.watched_file import FileUnusable, WatchedFile

FILE_BYTES_MAX = 4096
"""Of a token's file; Intercom's tokens have 60 (I5)."""
# RFC 6750, 2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class AccessToken:
    """An access token. Its text never appears in messages."""

    def __init__(self, value: str = "", path: str = "", hide: Callable[[str], None] | None = None) -> None:
        """`hide` is called with each value, so that logs can mask it."""
        self._value = value
        self._hide = hide
        if hide is not None and value:
            hide(value)
        self._file = WatchedFile(path, FILE_BYTES_MAX, "the access token") if path else None
        self.problem = "" if value or path else "there is no access token: name its file in access_token_file"
        """The problem with the file, with its name and the remedy; empty if there is none. Never quotes the file."""

    def __repr__(self) -> str:
        return "AccessToken(…)"

    def current(self) -> str:
        """Returns the token, empty if there is none; if the file is unusable, the last token stays valid."""
        if self._file is not None and self._file.changed():
            self._read(self._file)
        return self._value

    def _read(self, file: WatchedFile) -> None:
        try:
            content = file.read()
        except FileUnusable as error:
            self.problem = str(error)
            return
        wrong = _wrong_with(content)
        self.problem = wrong and f"{file.path} {wrong}; it must hold one line with the access token and nothing else"
        value = "" if wrong else content.decode().strip()
        if value and value != self._value:
            self._value = value
            if self._hide is not None:
                self._hide(value)


def _wrong_with(content: bytes) -> str:
    """Returns why a file's content is not a token; empty if it is one."""
    if content.startswith(_UTF_16):
        return "is UTF-16: save it as ASCII or UTF-8"
    if content.startswith(codecs.BOM_UTF8):
        return "begins with a byte order mark (BOM): save it as UTF-8 without one"
    if b"\0" in content:
        return f"has a NUL byte at position {content.index(0)}: perhaps it is UTF-16"
    try:
        text = content.decode().strip()
    except UnicodeDecodeError as error:
        return f"is not UTF-8 (byte {error.start})"
    if len(text.splitlines()) > 1:
        return f"has {len(text.splitlines())} lines"
    if any(character.isspace() for character in text):
        return "holds more than one word"
    if not _TOKEN.fullmatch(text):
        return "has characters that no access token has: only letters, digits and -._~+/= may be in it"
    return ""
