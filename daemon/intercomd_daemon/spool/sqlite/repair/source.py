"""A spool's file as far as it can be read: by SQLite table by table, and where that breaks off, page by page."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

from intercomd_daemon.spool.maintenance import Damage
from intercomd_daemon.spool.sqlite import schema
from intercomd_daemon.spool.sqlite.database import connect
from intercomd_daemon.spool.sqlite.file.cells import Value, leaf_rows
from intercomd_daemon.spool.sqlite.file.pages import Pages
from intercomd_daemon.spool.sqlite.repair.tables import CONNECTIONS, COUNTED, PRECIOUS, TABLES, Table, TableRow


class CheckedRow(NamedTuple):
    """A row as it was read."""

    row: TableRow
    error: str
    """What is wrong with it; empty if nothing is."""


class SourceFile:
    """A file that is read and not changed."""

    def __init__(self, path: str) -> None:
        """Opens the file, whatever state it is in; the caller holds the spool's lock.

        Raises:
            OSError: the file cannot be opened.
        """
        self._path = path
        self.broken: dict[str, str] = {}
        """The tables that SQLite cannot read to their end, and why."""
        self._database: sqlite3.Connection | None = None
        try:
            self._database = connect(path)
            differing = schema.differing_definitions(self._database)
            self.broken = {
                table.name: "its definition is not the one that it was created with"
                for table in TABLES
                if table.name in differing
            }
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self.close()
            self.broken = dict.fromkeys((table.name for table in TABLES), str(error))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; `scan_pages` still works."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def rows(self, table: Table) -> Iterator[CheckedRow]:
        """Returns what SQLite can read of a table; if that is not all, the table is marked broken."""
        for row in self.query(table.name, f"SELECT {', '.join(table.columns)} FROM {table.name} NOT INDEXED"):  # noqa: S608 - our own names
            yield CheckedRow(row, table.error(row))

    def query(self, name: str, statement: str) -> Iterator[tuple[Value, ...]]:
        """Returns what SQLite can read by a statement; if that is not all, `name` is marked broken."""
        if self._database is None:
            return
        try:
            yield from self._database.execute(statement)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self.broken[name] = str(error)

    def integrity_errors(self) -> list[str]:
        """Returns what SQLite's own integrity check finds."""
        if self._database is None:
            return list(set(self.broken.values()))
        found = [str(row[0]) for row in self.query("integrity", "PRAGMA integrity_check")]
        return [*([] if found == ["ok"] else found), *filter(None, [self.broken.pop("integrity", "")])]

    def quarantined(self) -> Iterator[Damage]:
        """Returns the records that a daemon has quarantined."""
        for table, key, lane, reason in self.query("damaged", "SELECT place, key, lane, reason FROM damaged"):
            texts = [text if isinstance(text, str) else "?" for text in (table, lane, reason)]
            yield Damage(texts[0], key if isinstance(key, int) else 0, texts[1], f"quarantined: {texts[2]}")

    def names(self) -> dict[int, str]:
        """Returns the connections' names by number, as their index has them: a second copy of the table."""
        index = f"sqlite_autoindex_{CONNECTIONS.name}_1"
        found = self.query(CONNECTIONS.name, f"SELECT number, name FROM {CONNECTIONS.name} INDEXED BY {index}")  # noqa: S608 - our own names
        return {number: name for number, name in found if isinstance(number, int) and isinstance(name, str)}

    @property
    def needs_page_scan(self) -> bool:
        """Whether SQLite cannot read all precious rows."""
        return any(table.name in self.broken for table in (*PRECIOUS, *COUNTED))

    def scan_pages(self) -> Iterator[tuple[Table, TableRow]]:
        """Returns the sound rows of the precious tables and the counters in any page; some may be outdated."""
        with Pages(self._path) as pages:
            free = pages.free()
            for number in range(1, pages.count + 1):
                if number not in free:
                    yield from _sound_rows(pages, number)


def _sound_rows(pages: Pages, number: int) -> Iterator[tuple[Table, TableRow]]:
    # A page does not name its table: a row belongs to the first one whose checks it passes.
    for key, columns in leaf_rows(pages.read(number), number, pages.read):
        for table in (*PRECIOUS, *COUNTED):
            row = _row_of(table, key, columns)
            if row is not None and not table.error(row):
                yield table, row
                break


def _row_of(table: Table, key: int, columns: Sequence[Value]) -> TableRow | None:
    """Returns the row as one of a table; None if it has too few columns."""
    if len(columns) < len(table.columns):
        return None
    row = [key, *columns[1 : len(table.columns)]]
    for real in table.reals:
        value = row[real]
        row[real] = float(value) if isinstance(value, int) else value
    return row
