"""The access token: a value, or a file that is read again when it changes."""

import codecs
import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path

FILE_BYTES_MAX = 4096
"""Of a token's file; Intercom's tokens have 60 (I5)."""
# RFC 6750, 2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SETTLED_NANOSECONDS = 1_000_000_000
_ADVICE = "it must hold one line with the access token and nothing else"
# Inode and ctime too: a file may be replaced by one of the same size and mtime.
_Version = tuple[int, int, int, int, int]


class AccessToken:
    """An access token. Its text never appears in messages."""

    def __init__(self, value: str = "", path: str = "", hide: Callable[[str], None] | None = None) -> None:
        """`hide` is called with each value, so that logs can mask it."""
        self._value = value
        self._hide = hide
        if hide is not None and value:
            hide(value)
        self._path = Path(path) if path else None
        self._seen: _Version | None = None
        self.problem = "" if value or path else "there is no access token: name its file in access_token_file"
        """The problem with the file, with its name and the remedy; empty if there is none. Never quotes the file."""

    def __repr__(self) -> str:
        return "AccessToken(…)"

    def current(self) -> str:
        """Returns the token, empty if there is none; if the file is unusable, the last token stays valid."""
        if self._path is not None:
            try:
                self._read_if_changed(self._path)
            except OSError as error:
                self._seen = None
                self.problem = f"{self._path}: {error.strerror}; put the access token there, readable for the daemon"
        return self._value

    def _read_if_changed(self, path: Path) -> None:
        """Reads the file if it was replaced or changed."""
        status = path.stat()
        version = (status.st_dev, status.st_ino, status.st_ctime_ns, status.st_mtime_ns, status.st_size)
        if version == self._seen:
            return
        if not stat.S_ISREG(status.st_mode):  # A pipe would block the event loop.
            self.problem = f"{path} is not a regular file; {_ADVICE}"
            return
        with path.open("rb") as file:
            # Of the open file: the path may name another one by now.
            status = os.fstat(file.fileno())
            content = file.read(FILE_BYTES_MAX + 1)
        version = (status.st_dev, status.st_ino, status.st_ctime_ns, status.st_mtime_ns, status.st_size)
        # Within a tick of the file system's clock a file can change twice with one ctime.
        self._seen = version if time.time_ns() - status.st_ctime_ns > _SETTLED_NANOSECONDS else None
        wrong = wrong_with(content)
        self.problem = wrong and f"{path} {wrong}; {_ADVICE}"
        value = "" if wrong else content.decode().strip()
        if value and value != self._value:
            self._value = value
            if self._hide is not None:
                self._hide(value)


def wrong_with(content: bytes) -> str:  # noqa: PLR0911 - one line for each mistake that editors and tools make
    """Returns why a file's content is not a token; empty if it is one."""
    if content.startswith(_UTF_16):
        return "is UTF-16: save it as ASCII or UTF-8"
    if content.startswith(codecs.BOM_UTF8):
        return "begins with a byte order mark (BOM): save it as UTF-8 without one"
    if len(content) > FILE_BYTES_MAX:
        return f"is larger than {FILE_BYTES_MAX} bytes"
    if b"\0" in content:
        return f"has a NUL byte at position {content.index(0)}: perhaps it is UTF-16"
    try:
        text = content.decode().strip()
    except UnicodeDecodeError as error:
        return f"is not UTF-8 (byte {error.start})"
    if not text:
        return "is empty"
    if len(text.splitlines()) > 1:
        return f"has {len(text.splitlines())} lines"
    if any(character.isspace() for character in text):
        return "holds more than one word"
    if not _TOKEN.fullmatch(text):
        return "has characters that no access token has: only letters, digits and -._~+/= may be in it"
    return ""
