"""Whether the file is what was written; where it is not, nothing is to be read from it before it has been rebuilt.

At the opening it looks at what every operation rests on, and at what waits if that is little; a large backlog is looked
at where it is read. What is then to be done, it does not know.
"""

import sqlite3

from intercomd_daemon.errors import IntercomdError

_OF_THE_FILE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PRIMARY = 0xFF


class Malformed(IntercomdError):
    """The file is not what was written, in a way that makes more of it doubtful than one record."""


def is_malformed(error: BaseException) -> bool:
    """Whether the file, and neither the disk nor the program, is what is wrong."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, Malformed) or (code is not None and code & _PRIMARY in _OF_THE_FILE)
