"""Unix sockets: replaced only if nothing listens, and with their final permissions from the first moment."""

import errno
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from intercomd_daemon.unix_socket import PATH_BYTES_MAX, SocketPermissions, check, listening_socket, publish

MINE = SocketPermissions(0o600)
NOBODY = 65534


def identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino


def stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(path))
        crashed.listen()


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_socket_appears_with_its_mode_and_group_and_is_removed(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.sock"
    listening, file = listening_socket(f"unix:{path}", SocketPermissions(mode, str(os.getgid())))
    with listening:
        status = path.lstat()
        assert (stat.S_IMODE(status.st_mode), status.st_gid) == (mode, os.getgid())
        assert connects(path)
        assert list(tmp_path.iterdir()) == [path]
        file.remove()
    assert list(tmp_path.iterdir()) == []
    file.remove()


def test_socket_cannot_be_opened_by_others_before_it_appears(tmp_path: Path) -> None:
    modes = []

    def listen(temporary: str) -> None:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(temporary)
        modes.append(stat.S_IMODE(Path(temporary).lstat().st_mode))
        assert not (tmp_path / "a.sock").exists()

    before = os.umask(0)
    try:
        publish(f"unix:{tmp_path / 'a.sock'}", SocketPermissions(0o666), listen)
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    assert modes == [0o600]


def test_live_socket_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    listening, _ = listening_socket(f"unix:{path}", MINE)
    with listening:
        before = identity(path)
        with pytest.raises(OSError, match="in use") as refused:
            listening_socket(f"unix:{path}", MINE)
        assert refused.value.filename == f"unix:{path}"
        assert identity(path) == before
        assert connects(path)


def test_live_socket_whose_queue_is_full_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(path))
        busy.listen(0)
        waiting.connect(str(path))
        with pytest.raises(OSError, match="in use"):
            listening_socket(f"unix:{path}", MINE)


def test_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    stale(path)
    assert not connects(path)
    listening, file = listening_socket(f"unix:{path}", MINE)
    with listening:
        assert connects(path)
        assert list(tmp_path.iterdir()) == [path]
    file.remove()


@pytest.mark.parametrize("kind", ["file", "folder", "symlink", "fifo"])
def test_file_that_is_not_a_socket_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.sock"
    if kind == "file":
        path.write_text("kept")
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        (tmp_path / "elsewhere").write_text("kept")
        path.symlink_to(tmp_path / "elsewhere")
    before = identity(path)
    with pytest.raises(OSError, match="not a socket"):
        listening_socket(f"unix:{path}", MINE)
    assert identity(path) == before


def test_socket_that_another_process_published_meanwhile_is_kept(tmp_path: Path) -> None:
    """Both found the stale one; the one that comes second fails."""
    path, other = tmp_path / "a.sock", tmp_path / "other"
    stale(path)

    def listen(temporary: str) -> None:
        stale(Path(temporary))
        stale(other)
        other.rename(path)

    with pytest.raises(OSError, match="another process has created the path") as refused:
        publish(f"unix:{path}", MINE, listen)
    assert refused.value.errno == errno.EADDRINUSE
    assert list(tmp_path.iterdir()) == [path]


def test_close_removes_only_its_own_socket(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    listening, file = listening_socket(f"unix:{path}", MINE)
    listening.close()
    successor, of_successor = listening_socket(f"unix:{path}", MINE)
    with successor:
        file.remove()
        assert connects(path)
    of_successor.remove()
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "access", "said"),
    [
        ("missing/a.sock", MINE, "No such file"),
        ("a.sock", SocketPermissions(0o600, "no-such-group"), "unknown group 'no-such-group'"),
        ("a.sock", SocketPermissions(0o600, "4294967295"), "unknown group '4294967295'"),
        ("a.sock", SocketPermissions(0o600, "9" * 30), "unknown group '9999"),
        ("d" * PATH_BYTES_MAX + "/a", MINE, "too long"),
    ],
)
def test_failure_is_reported_and_leaves_nothing(
    tmp_path: Path, name: str, access: SocketPermissions, said: str
) -> None:
    with pytest.raises(OSError, match=said) as refused:
        listening_socket(f"unix:{tmp_path}/{name}", access)
    assert refused.value.filename == f"unix:{tmp_path}/{name}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "access", "said"),
    [
        ("missing/a.sock", MINE, "No such file"),
        ("file/a.sock", MINE, "Not a directory|is not a folder"),
        ("file", MINE, "not a socket"),
        ("a.sock", SocketPermissions(0o600, "no-such-group"), "unknown group 'no-such-group'"),
        ("a.sock", SocketPermissions(0o600, "4294967295"), "unknown group '4294967295'"),
        ("a.sock", SocketPermissions(0o600, "9" * 30), "unknown group '9999"),
        ("d" * PATH_BYTES_MAX + "/a", MINE, "too long"),
    ],
)
def test_check_fails_as_publish_would_and_changes_nothing(
    tmp_path: Path, name: str, access: SocketPermissions, said: str
) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OSError, match=said) as refused:
        check(f"unix:{tmp_path}/{name}", access)
    assert refused.value.filename == f"unix:{tmp_path}/{name}"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_check_passes_for_a_free_path_and_a_stale_socket_and_fails_for_a_live_one(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    mine = SocketPermissions(0o660, str(os.getegid()))
    check(f"unix:{path}", mine)
    listening, _ = listening_socket(f"unix:{path}", MINE)
    with listening, pytest.raises(OSError, match="in use"):
        check(f"unix:{path}", mine)
    check(f"unix:{path}", mine)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Makes the process one of an ordinary user, if it is root."""
    groups = os.getgroups()
    if os.geteuid() != 0:
        yield
        return
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def test_check_names_a_folder_and_a_group_that_the_user_may_not_use() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        with unprivileged():
            check(f"unix:{folder}/a.sock", SocketPermissions(0o660, str(os.getegid())))
            with pytest.raises(PermissionError, match="not a member of the group 0"):
                check(f"unix:{folder}/a.sock", SocketPermissions(0o660, "0"))
            with pytest.raises(PermissionError, match="may not write to the folder /:"):
                check("unix:/a.sock", MINE)
