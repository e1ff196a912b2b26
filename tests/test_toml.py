"""Tests parsing TOML as people save it."""

import pytest

from intercomd_daemon.toml import TomlInvalid, parse


@pytest.mark.parametrize("content", [b"a = 1\n", b"\xef\xbb\xbfa = 1\n", b"a = 1\r\n", b"# \xc3\xa9\na = 1"])
def test_content_is_parsed(content: bytes) -> None:
    assert parse(content) == {"a": 1}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a", "this is not TOML: "),
        (b"a = 1\0", "this is not TOML: "),
        ("a = 1".encode("utf-16"), "byte 0 is not UTF-8, which TOML is written in; save the file as UTF-8"),
        (b"# caf\xe9", "byte 5 is not UTF-8"),
        (b"a = " + b"[" * 20_000, "this is nested deeper than any settings"),
        (b"a = " + b"{b = " * 20_000, "this is nested deeper than any settings"),
    ],
)
def test_problem_of_invalid_content_is_named(content: bytes, problem: str) -> None:
    with pytest.raises(TomlInvalid) as raised:
        parse(content)
    assert str(raised.value).startswith(problem)
