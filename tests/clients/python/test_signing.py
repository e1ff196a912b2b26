"""Users are signed as Intercom's Messenger expects it, and as in the other languages: the cases are shared."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from intercomd import user_hash, user_jwt

FILE = Path(__file__).parents[3] / "clients" / "cases" / "signing.json"
CASES = json.loads(FILE.read_text(encoding="utf-8"))


def sign(case: dict[str, Any]) -> str:
    if case["kind"] == "user_hash":
        return user_hash(case["customerId"], case["secret"])
    expires = datetime.fromtimestamp(case["expires"], UTC)
    return user_jwt(case["customerId"], case["secret"], expires, email=case["email"])


@pytest.mark.parametrize("case", [case for case in CASES if "signed" in case], ids=str)
def test_user_is_signed(case: dict[str, Any]) -> None:
    assert sign(case) == case["signed"]


@pytest.mark.parametrize("case", [case for case in CASES if case.get("refused")], ids=str)
def test_nothing_is_signed_without_customer_id_or_secret(case: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is empty"):
        sign(case)


def test_hash_of_the_published_example() -> None:
    """RFC 4231, test case 2."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert user_hash("what do ya want for nothing?", "Jefe") == expected


def test_expiry_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        user_jwt("42", "secret", datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake


def test_fraction_of_a_second_does_not_extend_the_token() -> None:
    whole, later = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, microsecond=999_999, tzinfo=UTC)
    assert user_jwt("42", "secret", whole) == user_jwt("42", "secret", later)
