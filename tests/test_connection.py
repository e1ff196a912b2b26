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


def test_connections_are_grouped_by_api_and_app_id() -> None:
    """Without an App ID nothing says that two connections share a workspace."""
    given = {
        name: ConnectionSettings(name=name, app_id=app_id, region=region)
        for name, app_id, region in (
            ("d", "x", "us"), ("b", "x", "us"), ("c", "x", "eu"), ("e", "", "us"), ("a", "", "us"), ("f", "y", "us")
        )
    }  # fmt: skip
    assert sorted(by_workspace(given).values()) == [["a"], ["b", "d"], ["c"], ["e"], ["f"]]
