"""A spool's file as it can be read: by SQLite table by table, and where that breaks off, page by page.

Every row is given with what is wrong with it. What a sound row is good for, it does not know.
"""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple, Self

from intercomd_daemon.spool.sqlite import layout, schema
from intercomd_daemon.spool.sqlite.file.cells import Value, leaf_rows
from intercomd_daemon.spool.sqlite.file.pages import Pages
from intercomd_daemon.spool.sqlite.repair.findings import Damage
from intercomd_daemon.spool.sqlite.repair.tables import CONNECTIONS, COUNTED, PRECIOUS, TABLES, Row, Table

_MISDESCRIBED = "it is not described as it was made"


class Judged(NamedTuple):
    """A row as it was read."""

    row: Row
    wrong: str
    """What is wrong with it; empty if nothing is."""


class Source:
    """A file whose rows are read and not written."""

    def __init__(self, path: str) -> None:
        """Nothing need be readable; the lock is the caller's concern.

        Raises:
            OSError: the file cannot be opened.
        """
        self._path = path
        self.broken: dict[str, str] = {}
        """Tables that SQLite could not read to their end, and why."""
        self._database: sqlite3.Connection | None = None
        try:
            self._database = schema.connect(path)
            misdescribed = layout.misdescribed(self._database)
            self.broken = {table.name: _MISDESCRIBED for table in TABLES if table.name in misdescribed}
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self.close()
            self.broken = dict.fromkeys((table.name for table in TABLES), str(error))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file, but for `by_pages`."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def rows(self, table: Table) -> Iterator[Judged]:
        """What SQLite can read of a table; if that is not all, the table is broken."""
        for row in self.query(table.name, f"SELECT {', '.join(table.columns)} FROM {table.name} NOT INDEXED"):  # noqa: S608 - our own names
            yield Judged(row, table.wrong(row))

    def query(self, name: str, statement: str) -> Iterator[tuple[Value, ...]]:
        """What SQLite can read by a statement; if that is not all, `name` is broken."""
        if self._database is None:
            return
        try:
            yield from self._database.execute(statement)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self.broken[name] = str(error)

    def findings(self) -> list[str]:
        """What SQLite itself finds wrong with the file."""
        if self._database is None:
            return list(set(self.broken.values()))
        found = [str(row[0]) for row in self.query("integrity", "PRAGMA integrity_check")]
        return [*([] if found == ["ok"] else found), *filter(None, [self.broken.pop("integrity", "")])]

    def set_aside(self) -> Iterator[Damage]:
        """What a daemon has set aside as damaged."""
        for place, key, lane, reason in self.query("damaged", "SELECT place, key, lane, reason FROM damaged"):
            said = [text if isinstance(text, str) else "?" for text in (place, lane, reason)]
            yield Damage(said[0], key if isinstance(key, int) else 0, said[1], f"set aside: {said[2]}")

    def names(self) -> dict[int, str]:
        """The connections' names by number, as their index has them: the second place where they stand."""
        index = f"sqlite_autoindex_{CONNECTIONS.name}_1"
        found = self.query(CONNECTIONS.name, f"SELECT number, name FROM {CONNECTIONS.name} INDEXED BY {index}")  # noqa: S608 - our own names
        return {number: name for number, name in found if isinstance(number, int) and isinstance(name, str)}

    @property
    def needs_pages(self) -> bool:
        """Whether there is something precious that SQLite does not show."""
        return any(table.name in self.broken for table in (*PRECIOUS, *COUNTED))

    def by_pages(self) -> Iterator[tuple[Table, Row]]:
        """The sound rows of the precious tables and the counters, in whatever page they are; some may be outdated."""
        with Pages(self._path) as pages:
            free = pages.free()
            for number in range(1, pages.count + 1):
                if number not in free:
                    yield from _sound(pages, number)


def _sound(pages: Pages, number: int) -> Iterator[tuple[Table, Row]]:
    for key, columns in leaf_rows(pages.read(number), number, pages.read):
        for table in (*PRECIOUS, *COUNTED):
            if len(columns) >= len(table.columns):
                row = [key, *columns[1 : len(table.columns)]]
                for real in table.reals:
                    value = row[real]
                    row[real] = float(value) if isinstance(value, int) else value
                if not table.wrong(row):
                    yield table, row
                    break
