"""Parses TOML as people save it: with a byte order mark, in another encoding, or broken."""

import codecs
import tomllib
from typing import Any

from intercomd_daemon.errors import IntercomdError


class TomlInvalid(IntercomdError):
    """The content is not TOML; the message is a clause about the file."""


def parse(content: bytes) -> dict[str, Any]:
    """Returns the tables of a file with this content.

    Raises:
        TomlInvalid: it is not TOML.
    """
    try:
        # Windows editors begin UTF-8 files with a byte order mark.
        return tomllib.loads(content.removeprefix(codecs.BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8, which TOML is written in; save the file as UTF-8"
        raise TomlInvalid(problem) from error
    except ValueError as error:
        raise TomlInvalid(f"this is not TOML: {error}") from error
    except RecursionError as error:
        raise TomlInvalid("this is nested deeper than any settings; see README.md for their names") from error
