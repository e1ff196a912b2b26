"""Each error carries what its reader needs."""

import json

import pytest

from intercomd_daemon.errors import (
    IntercomdError,
    RequestRefused,
    RetryLater,
    SettingsInvalid,
    ShuttingDown,
    SpoolClosed,
    SpoolFull,
    SpoolLocked,
    SpoolUnusable,
    quoted,
)


def test_refused_request_names_the_field_and_the_remedy() -> None:
    error = RequestRefused("envelopes", "send fewer")
    assert (error.field, error.message, str(error)) == ("envelopes", "send fewer", "send fewer")


def test_retryable_error_has_a_delay() -> None:
    for kind in (SpoolFull, ShuttingDown):
        error = kind("no room", 2.0)
        assert isinstance(error, RetryLater)
        assert (error.message, error.retry_seconds) == ("no room", 2.0)


def test_closed_spool_names_the_remedy() -> None:
    error = SpoolClosed()
    assert isinstance(error, ShuttingDown)
    assert "send the request again" in error.message
    assert error.retry_seconds == 1.0


def test_wrong_settings_are_reported_together() -> None:
    error = SettingsInvalid(["first", "second"])
    assert (error.problems, str(error)) == (["first", "second"], "first\nsecond")


def test_all_errors_have_one_base_class() -> None:
    for kind in (RequestRefused, RetryLater, SpoolLocked, SpoolUnusable, SettingsInvalid):
        assert issubclass(kind, IntercomdError)


def test_quoted_cuts_after_60_characters() -> None:
    assert quoted("x" * 60) == '"' + "x" * 60 + '"'
    assert quoted("x" * 500) == '"' + "x" * 60 + '…"'


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plan", '"plan"'),
        ("user's plan", '"user\'s plan"'),
        ('a "b" \\', r'"a \"b\" \\"'),
        ("Grüße 😀", '"Grüße 😀"'),
        ("a\x1b[31m\u202eb\n", r'"a\u001b[31m\u202eb\n"'),
        ("\U000e0001", r'"\udb40\udc01"'),
    ],
)
def test_quoted_escapes_as_json_does_and_what_is_not_printable(name: str, expected: str) -> None:
    assert quoted(name) == expected
    assert json.loads(quoted(name)) == name
