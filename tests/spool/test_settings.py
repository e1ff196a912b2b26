"""What the URL of a spool names."""

import pytest

from intercomd_daemon.spool.settings import SpoolSettings


@pytest.mark.parametrize(
    ("url", "engine", "path"),
    [
        ("sqlite:/var/lib/spool.db", "sqlite", "/var/lib/spool.db"),
        ("sqlite:a:b", "sqlite", "a:b"),
        ("memory:", "memory", ""),
    ],
)
def test_url_names_engine_and_path(url: str, engine: str, path: str) -> None:
    settings = SpoolSettings(url=url)
    assert (settings.engine, settings.path) == (engine, path)
