"""Files that are read again when they change."""

import os
from pathlib import Path

import pytest

from intercomd_daemon.watched_file import FileUnusable, WatchedFile

YEAR_2001 = 1_000_000_000


def settle(path: Path) -> None:
    """Nothing sets a ctime, so a file is settled by waiting; tests look at an old file of the system instead."""
    os.utime(path, (YEAR_2001, YEAR_2001))


def test_unchanged_file_is_not_read_again() -> None:
    file = WatchedFile("/etc/passwd", 1 << 20)
    assert file.changed()
    assert file.read() == Path("/etc/passwd").read_bytes()
    assert not file.changed()


@pytest.mark.parametrize("replace", ["write", "rename", "same size and time", "symlink", "removal"])
def test_change_is_noticed(tmp_path: Path, replace: str) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("one")
    settle(path)
    file = WatchedFile(str(path), 100)
    assert file.read() == b"one"
    other.write_text("two")
    if replace == "write":
        path.write_text("three")
    elif replace == "symlink":
        path.unlink()
        path.symlink_to(other)
    elif replace == "removal":
        path.unlink()
    else:
        settle(other)
        other.rename(path)
    assert file.changed()
    if replace == "removal":
        with pytest.raises(FileUnusable, match=f"{path}: No such file or directory; put it there"):
            file.read()
    else:
        assert file.read() in {b"two", b"three"}


def test_unusable_file_is_named_with_the_cause(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b" \n")
    with pytest.raises(FileUnusable, match="is empty"):
        WatchedFile(str(path), 100).read()
    path.write_bytes(bytes(101).replace(b"\0", b"x"))
    with pytest.raises(FileUnusable, match="is larger than 100 bytes"):
        WatchedFile(str(path), 100).read()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileUnusable, match="is not a regular file"):
        WatchedFile(str(pipe), 100).read()
    with pytest.raises(FileUnusable, match="is not a regular file"):
        WatchedFile(str(tmp_path), 100).read()
