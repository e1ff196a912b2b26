"""What a log line may hold, and what replaces the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.telemetry.redaction import (
    EMAIL_MARK,
    SECRETS_MAX,
    TOKEN_MARK,
    VALUE_MARK,
    Redaction,
    lane_name,
    shown_field,
    without_tokens,
)

KEY = b"a key of the daemon's"
TOKEN = "dG9rOmFiY2RlZjEyMzQ1Njc4OTA="


def test_lane_by_customer_id_is_named_by_it() -> None:
    assert lane_name("c:user-1", KEY) == "c:user-1"


def test_lane_by_email_is_named_by_a_hash_that_needs_the_key() -> None:
    name = lane_name("e:alice@example.com", KEY)
    assert name == lane_name("e:alice@example.com", KEY)
    assert name.startswith("e:")
    assert len(name) == 2 + 16
    assert name != lane_name("e:bob@example.com", KEY)
    assert name != lane_name("e:alice@example.com", b"another key")


def test_customer_id_that_is_an_email_is_hashed_too() -> None:
    assert "alice" not in lane_name("c:alice@example.com", KEY)
    assert lane_name("c:alice@example.com", KEY).startswith("c:")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (TOKEN, TOKEN_MARK),
        (f"token={TOKEN}.", f"token={TOKEN_MARK}."),
        ("Authorization: Bearer abc.def-1", f"Authorization: Bearer {TOKEN_MARK}"),
        ("bearer  xyz==", f"bearer {TOKEN_MARK}"),
        ("dG9rO", "dG9rO"),
        ("nothing of the kind", "nothing of the kind"),
    ],
)
def test_text_like_a_token_is_redacted(text: str, clean: str) -> None:
    assert without_tokens(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("alice@example.com", EMAIL_MARK),
        ("to alice@example.com, bob@example.org.", f"to {EMAIL_MARK}, {EMAIL_MARK}"),
        ("<o'brien+x=1{y}@example.com>", f"<{EMAIL_MARK}>"),
        ("GET /contacts?email=alice%40example.com", f"GET {EMAIL_MARK}"),
        ("müller@exämple.de", EMAIL_MARK),
        ('"alice@localhost"', f'"{EMAIL_MARK}"'),
        ("at 5 @ noon", "at 5 @ noon"),
    ],
)
def test_text_like_an_email_is_redacted(text: str, clean: str) -> None:
    redaction = Redaction()
    assert redaction.clean(text, emails=True) == clean
    assert redaction.clean(text, emails=False) == text


def test_registered_secret_is_redacted_everywhere() -> None:
    redaction = Redaction()
    redaction.hide("open-sesame")
    assert redaction.suspects('{"a":"xopen-sesamey"}', emails=False)
    assert redaction.clean("xopen-sesamey", emails=False) == f"x{TOKEN_MARK}y"


def test_short_secret_is_not_redacted() -> None:
    redaction = Redaction()
    redaction.hide("info")
    redaction.hide("")
    assert not redaction.suspects('{"level":"info"}', emails=True)


@pytest.mark.fills("telemetry.redaction.SECRETS_MAX")
def test_newest_secrets_are_remembered() -> None:
    redaction = Redaction()
    for number in range(SECRETS_MAX + 1):
        redaction.hide(f"secret-{number:03}")
    assert redaction.clean(f"secret-{SECRETS_MAX:03}", emails=True) == TOKEN_MARK
    assert redaction.clean("secret-001", emails=True) == TOKEN_MARK
    assert redaction.clean("secret-000", emails=True) == "secret-000"


@given(st.text(), st.emails(), st.text())
def test_line_with_an_email_is_always_suspect(before: str, email: str, after: str) -> None:
    assert Redaction().suspects(before + email + after, emails=True)


@given(st.emails())
def test_email_is_redacted_completely(email: str) -> None:
    assert Redaction().clean(f"lane {email} waits", emails=True) == f"lane {EMAIL_MARK} waits"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("attempts", 3, 3),
        ("reason", "EXPIRED", "EXPIRED"),
        ("share", 0.5, 0.5),
        ("nothing", None, None),
        ("email", "x", VALUE_MARK),
        ("metadata", "{}", VALUE_MARK),
        ("update", {"plan": "gold"}, VALUE_MARK),
        ("things", ["a"], VALUE_MARK),
        ("raw", b"abc", VALUE_MARK),
        ("error", ValueError("bad"), "ValueError: bad"),
        ("token", "x", TOKEN_MARK),
        ("authorization", "x", TOKEN_MARK),
    ],
)
def test_log_field_is_one_scalar_without_user_values(name: str, value: object, shown: object) -> None:
    assert shown_field(name, value, values=False) == shown


def test_secrets_are_redacted_even_where_values_are_shown() -> None:
    assert shown_field("update", {"plan": "gold"}, values=True) == {"plan": "gold"}
    assert shown_field("email", "alice@example.com", values=True) == "alice@example.com"
    assert shown_field("access_token", "x", values=True) == TOKEN_MARK
