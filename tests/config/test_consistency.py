"""What settings lack, and where they contradict, as the whole of a file shows it."""

from pathlib import Path

import pytest

from intercomd_daemon.config import load
from intercomd_daemon.config.consistency import check_consistency
from intercomd_daemon.config.findings import SettingFindings
from intercomd_daemon.config.setting_keys import keys_of
from intercomd_daemon.config.settings import Settings
from intercomd_daemon.connection import ConnectionSettings, LimitSettings
from intercomd_daemon.errors import SettingsInvalid
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.operations.settings import HealthSettings, OperationsSettings
from intercomd_daemon.setting.secret import Secret

WELL = ConnectionSettings(name="default", app_id="abc", access_token_file="/token")


def found(*connections: ConnectionSettings, wrong: tuple[str, ...] = (), **sections: object) -> SettingFindings:
    settings = Settings(connections={connection.name: connection for connection in connections}, **sections)
    origins = dict.fromkeys(keys_of(Settings), "default")
    for connection in connections:
        origins |= dict.fromkeys(keys_of(ConnectionSettings, f"connections.{connection.name}."), "f.toml")
    findings = SettingFindings()
    check_consistency(settings, origins, frozenset(wrong), findings)
    return findings


@pytest.mark.parametrize(
    "connection",
    [
        WELL,
        ConnectionSettings(name="a", app_id="abc", access_token=Secret("token")),
        ConnectionSettings(name="a", access_token_file="/token", verify_app_id=False),
        ConnectionSettings(name="a", app_id="abc", access_token_file="/token", development_connection="a"),
    ],
)
def test_connection_with_app_id_and_token_is_consistent(connection: ConnectionSettings) -> None:
    assert found(connection) == SettingFindings()


def test_active_connection_needs_an_app_id_and_a_token() -> None:
    assert found(ConnectionSettings(name="eu-shop")).problems == [
        (
            "connections.eu-shop.app_id (not set): an active connection needs the App ID of its workspace; "
            "set it, here or as INTERCOMD_CONNECTIONS_EU_SHOP_APP_ID (or verify_app_id = false)"
        ),
        (
            "connections.eu-shop.access_token_file (not set): an active connection needs an access token; "
            "name the file that holds it, or set INTERCOMD_CONNECTIONS_EU_SHOP_ACCESS_TOKEN"
        ),
    ]


def test_dry_run_needs_a_token() -> None:
    """It makes the calls that read."""
    assert "needs an access token" in found(ConnectionSettings(name="a", app_id="abc", dry_run=True)).problems[0]


def test_inactive_connection_needs_nothing() -> None:
    assert found(WELL, ConnectionSettings(name="off", active=False)) == SettingFindings()


def test_settings_without_an_active_connection_are_a_warning() -> None:
    findings = found(ConnectionSettings(name="off", active=False))
    assert not findings.problems
    assert findings.warnings == [
        "connections (active = false): no connection is active, so every envelope will be skipped"
    ]


@pytest.mark.parametrize("key", ["access_token", "access_token_file"])
def test_wrong_value_is_not_reported_as_missing_too(key: str) -> None:
    wrong = ("connections.a.app_id", f"connections.a.{key}")
    assert found(ConnectionSettings(name="a"), wrong=wrong) == SettingFindings()


@pytest.mark.parametrize("table", ["", "[connections.default]\n", "[connections.default]\nactive = false\n"])
@pytest.mark.parametrize("target", ['"http://gateway"', "5", '""" """'])
def test_wrong_target_is_the_only_problem_of_an_agent(tmp_path: Path, target: str, table: str) -> None:
    """With a valid target the other settings have an effect, and no connection needs access to Intercom."""
    path = tmp_path / "f.toml"
    path.write_text(f'[upstream]\ntarget = {target}\ntoken_file = "t"\ninsecure = true\n{table}')
    with pytest.raises(SettingsInvalid) as refused:
        load(str(path), {})
    (problem,) = refused.value.problems
    assert problem.startswith("upstream.target (")


@pytest.mark.parametrize(
    ("name", "advice"),
    [("stagin", "did you mean staging?"), ("other", "write [connections.other], or leave this empty")],
)
def test_development_connection_must_exist(name: str, advice: str) -> None:
    staging = ConnectionSettings(name="staging", app_id="abc", access_token_file="/token")
    connection = ConnectionSettings(name="a", app_id="abc", access_token_file="/token", development_connection=name)
    assert found(connection, staging).problems == [
        f"connections.a.development_connection (f.toml): connection {name} is not configured; {advice}"
    ]


def test_more_attributes_than_intercom_tracks_are_a_warning() -> None:
    connection = ConnectionSettings(
        name="a", app_id="abc", access_token_file="/token", limits=LimitSettings(event_attributes_max=11)
    )
    assert found(connection).warnings == [
        (
            "connections.a.limits.event_attributes_max (f.toml): "
            "Intercom tracks the first 10 and ignores the rest without an error"
        )
    ]


@pytest.mark.parametrize(
    ("sections", "problems"),
    [
        (
            {"operations": OperationsSettings(listen="127.0.0.1:9090", grpc_listen="localhost:9090")},
            [
                (
                    "operations.grpc_listen (default): localhost:9090 is taken by 127.0.0.1:9090 of operations.listen; "
                    "give each listener an address of its own"
                )
            ],
        ),
        (
            {"ingest": IngestSettings(listen=("unix:/a", "unix:/a"))},
            [
                (
                    "ingest.listen (default): unix:/a is taken by unix:/a of ingest.listen; "
                    "give each listener an address of its own"
                )
            ],
        ),
        (
            {"health": HealthSettings(listen=("0.0.0.0:50051",))},
            [
                (
                    "health.listen (default): 0.0.0.0:50051 is taken by 127.0.0.1:50051 of ingest.listen; "
                    "give each listener an address of its own"
                )
            ],
        ),
        ({"operations": OperationsSettings(listen="127.0.0.1:0", grpc_listen="127.0.0.1:0")}, []),
    ],
)
def test_listeners_must_have_different_addresses(sections: dict[str, object], problems: list[str]) -> None:
    assert found(WELL, **sections).problems == problems


def test_token_sent_in_the_clear_is_a_warning() -> None:
    def warnings_for(url: str) -> list[str]:
        return found(ConnectionSettings(name="a", app_id="abc", access_token_file="/t", base_url=url)).warnings

    assert [warning for warning in warnings_for("http://10.0.0.1:80") if "in the clear" in warning]
    assert not warnings_for("http://[::1]:80")
    assert not warnings_for("https://proxy")
