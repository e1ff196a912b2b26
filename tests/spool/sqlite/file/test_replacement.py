import os
from collections.abc import Callable
from pathlib import Path

import pytest

from intercomd_daemon.spool.sqlite.file import replacement

NOON = 1_750_000_000.0
ASIDE = "spool.db.damaged-20250615T150640Z"


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A spool whose file, log, and log that was kept before have each their name as content."""
    for name in ("spool.db", "spool.db-wal", "spool.db-wal.damaged", "spool.db.lock"):
        (tmp_path / name).write_text(name)
    return str(tmp_path / "spool.db")


def files(path: str) -> dict[str, str]:
    return {file.name: file.read_text() for file in Path(path).parent.iterdir()}


def rebuilt(path: str, content: str = "new") -> None:
    Path(replacement.unfinished(path)).write_text(content)


def test_rebuilt_file_replaces_the_spool_which_is_kept_with_its_logs(path: str) -> None:
    rebuilt(path)
    assert replacement.replace(path, NOON) == f"{Path(path).parent}/{ASIDE}"
    assert files(path) == {
        "spool.db": "new",
        "spool.db.lock": "spool.db.lock",
        ASIDE: "spool.db",
        f"{ASIDE}-wal": "spool.db-wal",
        f"{ASIDE}-wal.damaged": "spool.db-wal.damaged",
    }


def test_second_replacement_in_the_same_second_keeps_both(path: str) -> None:
    for content in ("one", "two", "three"):
        rebuilt(path, content)
        replacement.replace(path, NOON)
    found = files(path)
    assert (found["spool.db"], found[ASIDE], found[f"{ASIDE}-2"], found[f"{ASIDE}-3"]) == (
        *("three", "spool.db", "one"),
        "two",
    )


@pytest.mark.parametrize("renamed", range(4))
def test_interrupted_replacement_is_completed_from_each_step(path: str, renamed: int) -> None:
    rebuilt(path)
    Path(path + ".rebuilding").rename(path + ".rebuilt-20250615T150640Z")
    for suffix in ("-wal", "-wal.damaged", "")[:renamed]:
        Path(path + suffix).rename(f"{Path(path).parent}/{ASIDE}{suffix}")
    replacement.complete(path)
    once = files(path)
    replacement.complete(path)
    assert files(path) == once
    assert (once["spool.db"], once[ASIDE], once[f"{ASIDE}-wal"]) == ("new", "spool.db", "spool.db-wal")
    assert len(once) == 5


def test_unfinished_replacement_is_abandoned(path: str) -> None:
    before = files(path)
    rebuilt(path)
    replacement.complete(path)
    assert files(path) == {**before, "spool.db.rebuilding": "new"}
    replacement.abandon(path)
    assert files(path) == before


def test_new_files_and_copies_are_readable_by_their_owner_alone(path: str) -> None:
    made = [Path(replacement.unfinished(path)), Path(replacement.copy(path))]
    assert [file.stat().st_mode & 0o777 for file in made] == [0o600, 0o600]
    assert made[1].read_text() == "spool.db"


def test_preserved_log_is_a_copy_that_a_repair_reads(tmp_path: Path) -> None:
    path = str(tmp_path / "spool.db")
    assert replacement.find_wal(path) == ""
    Path(path + "-wal").write_text("log")
    assert replacement.find_wal(path) == path + "-wal"
    assert not replacement.has_preserved_wal(path)
    replacement.preserve_wal(path)
    Path(path + "-wal").write_text("written over")
    assert replacement.has_preserved_wal(path)
    assert Path(replacement.find_wal(path)).read_text() == "log"


def test_files_of_another_spool_are_left_alone(path: str) -> None:
    other = Path(path).parent / "spool.db.damaged-20250615T150640Z.rebuilt-x"
    other.write_text("another one's")
    replacement.complete(path)
    assert other.read_text() == "another one's"


@pytest.mark.parametrize("make", [replacement.unfinished, replacement.copy, replacement.preserve_wal])
def test_new_file_has_the_owner_of_the_spool(path: str, make: Callable[[str], str | None]) -> None:
    """A command of root leaves no file that the daemon's user cannot open."""
    owner = (65_534, 65_533) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    before = files(path)
    make(path)
    (name,) = {*files(path)} - {*before} or {"spool.db-wal.damaged"}
    found = Path(path).with_name(name).stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (*owner, 0o600)


def test_new_file_of_a_missing_spool_belongs_to_the_process(path: str) -> None:
    Path(path).unlink()
    assert Path(replacement.unfinished(path)).stat().st_uid == os.geteuid()
