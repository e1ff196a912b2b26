"""Connections of one workspace send every attribute; others keep their settings."""

import pytest

from intercomd_daemon.config import load

TOKEN = {"ACCESS_TOKEN": "hush-token"}


def unchanged_for(**connections: dict[str, str]) -> tuple[dict[str, float], list[str]]:
    """Returns the value in force of each connection, and the connections that a warning names."""
    variables = {
        f"INTERCOMD_CONNECTIONS_{name.upper()}_{key}": value
        for name, given in connections.items()
        for key, value in {"APP_ID": "abc", **TOKEN, **given}.items()
    }
    loaded = load(None, variables)
    values = {name: each.unchanged_for_seconds for name, each in loaded.settings.connections.items()}
    return values, [warning.split(".")[1] for warning in loaded.warnings if ".unchanged_for " in warning]


@pytest.mark.parametrize(
    "other",
    [
        {"APP_ID": "def"},
        {"REGION": "eu"},
        {"BASE_URL": "http://127.0.0.1:1"},
        {"ACTIVE": "false"},
        {"DRY_RUN": "true"},
        {"APP_ID": "", "VERIFY_APP_ID": "false"},
    ],
    ids=str,
)
def test_connection_that_does_not_write_to_the_same_workspace_changes_nothing(other: dict[str, str]) -> None:
    values, warned = unchanged_for(one={"UNCHANGED_FOR": "1h"}, two=other)
    assert (values["one"], warned) == (3600.0, [])


@pytest.mark.parametrize(
    ("given", "warned"),
    [({}, ["one"]), ({"UNCHANGED_FOR": "1h"}, ["one"]), ({"UNCHANGED_FOR": "0s"}, [])],
)
def test_connections_of_one_workspace_always_send(given: dict[str, str], warned: list[str]) -> None:
    assert unchanged_for(one=given, two=given) == ({"one": 0.0, "two": 0.0}, warned)


def test_connection_that_always_sends_needs_no_warning() -> None:
    assert unchanged_for(one={"UNCHANGED_FOR": "0s"}, two={}) == ({"one": 0.0, "two": 0.0}, ["two"])


@pytest.mark.parametrize(
    ("names", "listed"), [("AB", "a, b"), ("ABCDE", "a, b, c, d, e"), ("ABCDEFG", "a, b, c, d, e and 2 more")]
)
def test_workspace_has_one_warning_with_some_of_its_connections(names: str, listed: str) -> None:
    variables = {
        f"INTERCOMD_CONNECTIONS_{name}_{key}": value
        for name in names
        for key, value in {"APP_ID": "abc", **TOKEN}.items()
    }
    applies = f'"0s" applies to the connections of this workspace ({listed}): each may change what another has sent'
    assert load(None, variables).warnings == (f"connections.a.unchanged_for (default): {applies}",)


def test_agent_keeps_its_settings() -> None:
    """It compares no values; its gateway does."""
    variables = {"INTERCOMD_UPSTREAM_TARGET": "127.0.0.1:1"}
    for name in "AB":
        variables[f"INTERCOMD_CONNECTIONS_{name}_APP_ID"] = "abc"
    loaded = load(None, variables)
    assert {each.unchanged_for_seconds for each in loaded.settings.connections.values()} == {86_400.0}
