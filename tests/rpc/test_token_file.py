"""Files with tokens: what is valid, and what stays valid when a file cannot be used."""

from pathlib import Path

import pytest

from intercomd_daemon.rpc.callers import hash_of
from intercomd_daemon.rpc.settings import CallerSettings
from intercomd_daemon.rpc.token_file import FILE_BYTES_MAX, TokenFiles
from intercomd_daemon.watched_file import FileUnusable

ONE, TWO, THREE = "1" * 32, "2" * 32, "3" * 32


def files(*callers: CallerSettings) -> TokenFiles:
    return TokenFiles({caller.name: caller for caller in callers})


def test_each_line_is_a_token(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"{ONE}\n\n  {TWO}  \r\n")
    tokens = files(CallerSettings(name="billing", token_file=str(path)), CallerSettings(name="shop"))
    tokens.load()
    assert tokens.hashes == {"billing": (hash_of(ONE), hash_of(TWO))}


def test_rotated_tokens_are_valid_at_once(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(ONE)
    tokens = files(CallerSettings(name="billing", token_file=str(path)))
    tokens.load()
    assert not tokens.refresh()
    path.write_text(f"{ONE}\n{TWO}\n")
    assert tokens.refresh()
    path.write_text(f"{TWO}\n")
    assert tokens.refresh()
    assert tokens.hashes == {"billing": (hash_of(TWO),)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "callers.billing.token_file: .* is empty; put its content there"),
        (b"\n \n", "is empty"),
        (ONE.encode() + b"\n" + b"2" * 31, "line 2 of .* is not a token of 32 or more characters"),
        (b"two words are not a token, however long they are", "line 1 of"),
        ("é".encode() * 40, "is not ASCII text"),
        (ONE.encode() + b"\0", "line 1 of"),
        (THREE.encode(), "line 1 of .* is a token of caller shop too"),
        (ONE.encode().rjust(FILE_BYTES_MAX + 1), "is larger than 65536 bytes"),
    ],
)
@pytest.mark.fills("rpc.token_file.FILE_BYTES_MAX")
def test_unusable_file_keeps_the_previous_tokens(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "tokens"
    shop = CallerSettings(name="shop", token_sha256=(hash_of(THREE),))
    billing = CallerSettings(name="billing", token_file=str(path))
    path.write_bytes(content)
    with pytest.raises(FileUnusable, match=message) as refused:
        files(shop, billing).load()
    assert ONE not in str(refused.value)
    path.write_text(TWO)
    tokens = files(shop, billing)
    tokens.load()
    path.write_bytes(content)
    assert not tokens.refresh()
    assert tokens.problem
    assert tokens.hashes == {"billing": (hash_of(TWO),)}
    path.unlink()
    assert not tokens.refresh()
    assert "No such file" in tokens.problem


def test_two_files_share_no_token(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(ONE)
    (tmp_path / "two").write_text(f"{TWO}\n{ONE}")
    both = files(
        CallerSettings(name="billing", token_file=str(tmp_path / "one")),
        CallerSettings(name="shop", token_file=str(tmp_path / "two")),
    )
    with pytest.raises(FileUnusable, match=r"line 2 of .*two is a token of caller billing too"):
        both.load()


def test_caller_without_a_token_file_has_no_token() -> None:
    tokens = files(CallerSettings(name="billing"))
    tokens.load()
    assert (tokens.hashes, tokens.any) == ({}, False)
