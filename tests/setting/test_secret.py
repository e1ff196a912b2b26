"""A secret is shown by `reveal` alone."""

import msgspec

from intercomd_daemon.setting.secret import MASK, Secret, without_tokens

TOKEN = "a-token-nobody-may-see"


class Holder(msgspec.Struct, frozen=True):
    token: Secret


def test_reveal_returns_the_text() -> None:
    assert Secret(TOKEN).reveal() == TOKEN


def test_secret_is_never_shown() -> None:
    secret = Secret(TOKEN)
    shown = (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret}",
        repr(Holder(secret)),
        str([secret]),
    )
    assert all(TOKEN not in text and MASK in text for text in shown)


def test_secret_is_true_if_it_is_set() -> None:
    assert Secret(TOKEN)
    assert not Secret("")


def test_absent_secret_is_shown_as_absent() -> None:
    assert (repr(Secret("")), str(Secret(""))) == ("Secret('')", "")


def test_equal_texts_are_equal_secrets() -> None:
    assert Secret(TOKEN) == Secret(TOKEN)
    assert len({Secret(TOKEN), Secret(TOKEN), Secret("another")}) == 2
    assert Secret(TOKEN) != TOKEN


def test_tokens_of_callers_are_masked() -> None:
    assert without_tokens("sent icd_" + "A-_9" * 10 + " twice") == f"sent {MASK} twice"
    assert without_tokens("icd_short and icd_") == "icd_short and icd_"
