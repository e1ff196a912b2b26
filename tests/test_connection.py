"""The settings of one connection."""

import pytest

from intercomd_daemon.connection import ConnectionSettings, by_workspace


@pytest.mark.parametrize(
    ("region", "base_url", "url"),
    [
        ("us", "", "https://api.intercom.io"),
        ("eu", "", "https://api.eu.intercom.io"),
        ("au", "", "https://api.au.intercom.io"),
        ("eu", "http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
    ],
)
def test_base_url_overrides_the_region_s_host(region: str, base_url: str, url: str) -> None:
    assert ConnectionSettings(name="main", region=region, base_url=base_url).url == url


@pytest.mark.parametrize(("version", "text"), [("2.7", False), ("2.15", False), ("2.16", True), ("3.0", True)])
def test_owner_ids_are_text_from_2_16_on(version: str, text: bool) -> None:
    assert ConnectionSettings(name="main", api_version=version).owner_id_is_text is text


def test_connections_that_write_are_grouped_by_api_and_app_id() -> None:
    """Without an App ID nothing says that two connections share a workspace."""
    given = [
        ConnectionSettings(name="d", app_id="x"),
        ConnectionSettings(name="b", app_id="x"),
        ConnectionSettings(name="c", app_id="x", region="eu"),
        ConnectionSettings(name="e"),
        ConnectionSettings(name="a"),
        ConnectionSettings(name="f", app_id="y"),
        ConnectionSettings(name="g", app_id="x", dry_run=True),
        ConnectionSettings(name="h", app_id="x", active=False),
    ]
    grouped = by_workspace({each.name: each for each in given})
    assert sorted(grouped.values()) == [["a"], ["b", "d"], ["c"], ["e"], ["f"]]
