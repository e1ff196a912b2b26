import sqlite3
from pathlib import Path

import pytest

from intercomd_daemon.spool.sqlite.soundness import Malformed, is_malformed


def error_of(path: Path, statement: str) -> sqlite3.Error:
    database = sqlite3.connect(path)
    with pytest.raises(sqlite3.Error) as raised:
        database.execute(statement)
    database.close()
    return raised.value


def test_the_file_is_told_from_the_disk_and_from_the_program(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no database, but somebody's notes\n" * 100)
    assert is_malformed(Malformed("a row is not what was written"))
    assert is_malformed(error_of(notes, "SELECT * FROM sqlite_schema"))
    assert not is_malformed(error_of(tmp_path / "new.db", "SELECT * FROM nowhere"))
    assert not is_malformed(ValueError("a fault of ours"))
