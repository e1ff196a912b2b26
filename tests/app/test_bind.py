"""Addresses that cannot be listened on: the check before a start, and the error with its fix."""

import errno
import os
import socket
from pathlib import Path

import pytest

from intercomd_daemon.app.bind import ListenerUnavailable, bind_error, check_address
from intercomd_daemon.unix_socket import SocketPermissions

TAKEN = "stop the process that listens there, perhaps a running daemon, or choose another address"


def refused(address: str, access: SocketPermissions | None = None) -> ListenerUnavailable:
    with pytest.raises(ListenerUnavailable) as raised:
        check_address(address, access or SocketPermissions())
    return raised.value


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "0.0.0.0:0", "[::1]:0"])
def test_free_address_passes_and_stays_free(address: str) -> None:
    check_address(address, SocketPermissions())


def test_free_path_passes_and_nothing_is_created(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "stale"))
    for name in ("new", "stale"):
        check_address(f"unix:{tmp_path / name}", SocketPermissions(0o660, str(os.getegid())))
    assert [path.name for path in tmp_path.iterdir()] == ["stale"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_port_in_use_is_taken(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"{host}:{server.getsockname()[1]}"
        error = refused(address)
        assert bind_error(f"127.0.0.1:{server.getsockname()[1]}").errno == errno.EADDRINUSE
    assert (error.taken, str(error)) == (
        True,
        f"cannot listen on {address}: Address already in use; {TAKEN}",
    )


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.0.2.1:50051", "Cannot assign requested address; write an address of this host"),
        ("no-such-host.invalid:50051", "; write an address of this host"),
        ("unix:/nowhere/ingest.sock", "No such file or directory; correct the path, its folder or unix_group"),
        ("unix:/dev/null/ingest.sock", "/dev/null is not a folder; correct the path, its folder or unix_group"),
        ("unix:/dev/null", "a file that is not a socket is there, which the daemon leaves alone; "),
        (f"unix:/{'d' * 100}/ingest", "the path of its folder is too long for a socket; "),
    ],
)
def test_address_that_cannot_be_used_is_named_with_the_fix(address: str, reason: str) -> None:
    error = refused(address)
    assert not error.taken
    assert f"cannot listen on {address}: " in str(error)
    assert reason in str(error)


def test_unknown_group_is_named(tmp_path: Path) -> None:
    error = refused(f"unix:{tmp_path}/ingest", SocketPermissions(0o660, "no-such-group"))
    assert "unknown group 'no-such-group'" in str(error)


def test_bind_error_of_a_free_address_names_no_cause() -> None:
    assert str(bind_error("127.0.0.1:0")) == "gRPC names no cause"
    assert bind_error("no-such-host.invalid:1").errno != 0


@pytest.mark.parametrize(
    ("path", "error"), [("missing/a", errno.ENOENT), ("file/a", errno.ENOTDIR), ("file", errno.EADDRINUSE)]
)
def test_bind_error_of_a_path_is_that_of_the_system(tmp_path: Path, path: str, error: int) -> None:
    (tmp_path / "file").touch()
    assert bind_error(f"unix:{tmp_path / path}").errno == error


def test_privileged_port_names_the_fix() -> None:
    error = ListenerUnavailable("0.0.0.0:443", PermissionError(errno.EACCES, "Permission denied"))
    assert "choose a port from 1024 on" in str(error)
