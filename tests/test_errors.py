"""Each error carries what its reader needs."""

from intercomd_daemon.errors import (
    Draining,
    IntercomdError,
    NotNow,
    RequestRefused,
    SettingsInvalid,
    SpoolFull,
    SpoolLocked,
    SpoolUnusable,
)


def test_a_refused_request_names_the_field_and_the_remedy() -> None:
    error = RequestRefused("envelopes", "send fewer")
    assert (error.field, error.message, str(error)) == ("envelopes", "send fewer", "send fewer")


def test_what_may_be_repeated_says_when() -> None:
    for kind in (SpoolFull, Draining):
        error = kind("no room", 2.0)
        assert isinstance(error, NotNow)
        assert (error.message, error.retry_seconds) == ("no room", 2.0)


def test_wrong_settings_are_told_all_at_once() -> None:
    error = SettingsInvalid(["first", "second"])
    assert (error.problems, str(error)) == (["first", "second"], "first\nsecond")


def test_everything_that_we_raise_on_purpose_has_one_root() -> None:
    for kind in (RequestRefused, NotNow, SpoolLocked, SpoolUnusable, SettingsInvalid):
        assert issubclass(kind, IntercomdError)
