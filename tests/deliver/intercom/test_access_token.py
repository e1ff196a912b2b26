"""The access token of a file: read again when the file changes, and never used where the file is not right."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from delivery.worker import settings_for
from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.access_token import FILE_BYTES_MAX, AccessToken
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.sandbox import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


WRONG = {
    "bom": (b"\xef\xbb\xbfsandbox-token", "byte order mark"),
    "empty": (b"", "is empty"),
    "white space": (b" \n\t\n", "is empty"),
    "utf-16": ("sandbox-token".encode("utf-16"), "UTF-16"),
    "utf-16 big endian": (b"\xfe\xff" + "sandbox-token".encode("utf-16-be"), "UTF-16"),
    "utf-16 without a mark": ("sandbox-token".encode("utf-16-le"), "NUL byte at position 1"),
    "two lines": (b"sandbox-token\nanother\n", "2 lines"),
    "old Mac lines": (b"sandbox-token\ranother", "2 lines"),
    "nul": (b"sandbox-token\0", "NUL byte at position 13"),
    "two words": (b"Bearer sandbox-token", "more than one word"),
    "quotes": (b'"sandbox-token"', "characters that no access token has"),
    "a dash of a word processor": ("sandbox\u2013token".encode(), "characters that no access token has"),
    "latin-1": (b"sandbox-tok\xe9n", "not UTF-8 (byte 11)"),
}


def test_token_is_read_again_when_its_file_changes(tmp_path: Path) -> None:
    """The last one stays valid while the file is gone, and each is reported for masking."""
    path, values = tmp_path / "token", []
    token = AccessToken("", str(path), values.append)
    assert token.current() == ""
    path.write_text(" first\n")
    assert token.current() == "first"
    path.write_text("second-and-longer")
    assert token.current() == "second-and-longer"
    path.unlink()
    assert token.current() == "second-and-longer"
    assert values == ["first", "second-and-longer"]
    assert "second" not in repr(token)


def test_token_given_as_a_value_is_reported_at_once() -> None:
    values = []
    assert AccessToken("value", "", values.append).current() == "value"
    assert values == ["value"]


@pytest.mark.parametrize("name", WRONG)
async def test_file_that_holds_no_token_is_named_and_no_call_leaves(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    content, wrong = WRONG[name]
    path, values = tmp_path / "token", []
    path.write_bytes(content)
    token = AccessToken("", str(path), values.append)
    async with IntercomClient(settings_for(sandbox), token, 1) as session:
        answer = await session.call(requests.ME)
        assert answer.status == 0
        assert answer.failure.startswith(f"{path} ")
        assert wrong in answer.failure
        assert "sandbox" not in answer.failure.removeprefix(str(path))
        assert (sandbox.calls, values) == ([], [])
        path.write_text("sandbox-token\r\n")
        assert (await session.call(requests.ME)).status == 200
    assert token.problem == ""


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
async def test_token_path_that_is_not_a_file_is_reported_without_a_call(
    sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "token"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    async with IntercomClient(settings_for(sandbox), AccessToken("", str(path)), 1) as session:
        answer = await session.call(requests.ME)
    assert (answer.status, str(path) in answer.failure, sandbox.calls) == (0, True, [])


async def test_without_a_token_no_call_leaves(sandbox: Sandbox) -> None:
    async with IntercomClient(settings_for(sandbox), AccessToken(), 1) as session:
        answer = await session.call(requests.ME)
    assert (answer.status, "access_token_file" in answer.failure, sandbox.calls) == (0, True, [])


@pytest.mark.parametrize("how", ["replaced", "in place", "linked"])
def test_token_of_the_same_size_and_mtime_is_read(tmp_path: Path, how: str) -> None:
    """As `cp -p`, `rsync -t` and a mounted secret make them."""
    path, other = tmp_path / "token", tmp_path / "other"
    times = (1_700_000_000, 1_700_000_000)
    for file, value in ((other, "second-token"), (path, "first--token")):
        file.write_text(value)
        os.utime(file, times)
    token = AccessToken("", str(path))
    assert token.current() == "first--token"
    if how == "replaced":
        other.rename(path)
    elif how == "linked":
        path.unlink()
        path.symlink_to(other)
    else:
        path.write_text("second-token")
        os.utime(path, times)
    assert token.current() == "second-token"


@pytest.mark.parametrize("name", WRONG)
def test_file_that_becomes_unusable_leaves_the_last_token_in_use(tmp_path: Path, name: str) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    token = AccessToken("", str(path))
    assert token.current() == "first"
    path.write_bytes(WRONG[name][0])
    assert token.current() == "first"
    assert WRONG[name][1] in token.problem


@pytest.mark.fills("deliver.intercom.access_token.FILE_BYTES_MAX")
def test_oversized_token_file_is_not_read_completely(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("x" * FILE_BYTES_MAX)
    token = AccessToken("", str(path))
    assert token.current() == "x" * FILE_BYTES_MAX
    path.write_text("y" * (FILE_BYTES_MAX + 1))
    assert token.current() == "x" * FILE_BYTES_MAX
    assert "larger than" in token.problem
