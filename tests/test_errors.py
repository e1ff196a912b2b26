"""Each error carries what its reader needs."""

from intercomd_daemon.errors import (
    IntercomdError,
    RequestRefused,
    RetryLater,
    SettingsInvalid,
    ShuttingDown,
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


def test_wrong_settings_are_reported_together() -> None:
    error = SettingsInvalid(["first", "second"])
    assert (error.problems, str(error)) == (["first", "second"], "first\nsecond")


def test_all_errors_have_one_base_class() -> None:
    for kind in (RequestRefused, RetryLater, SpoolLocked, SpoolUnusable, SettingsInvalid):
        assert issubclass(kind, IntercomdError)


def test_quoted_name_is_cut_and_has_no_control_characters() -> None:
    assert quoted("a\x1b[31m\u202eb") == "'a\\x1b[31m\\u202eb'"
    assert len(quoted("x" * 500)) == 63
