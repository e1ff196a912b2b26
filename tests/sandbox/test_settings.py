"""The defaults are Intercom's documented figures."""

from intercomd_daemon.sandbox import SandboxSettings


def test_defaults_are_intercoms() -> None:
    settings = SandboxSettings()
    assert settings.versions == ("2.7", "2.8", "2.9", "2.10", "2.11", "2.12", "2.13", "2.14", "2.15", "2.16")
    assert settings.version_default == "2.16"
    assert (settings.custom_attributes_max, settings.event_names_max) == (250, 120)
    assert settings.rate_window_seconds == 10.0
