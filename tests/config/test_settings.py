"""The settings' keys and defaults are the contract's, word for word."""

import tomllib

import msgspec
import pytest

from intercomd_daemon.config.setting_keys import keys_of, values_of
from intercomd_daemon.config.settings import Settings
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.operations.settings import OperationsSettings
from intercomd_daemon.rpc.settings import CallerSettings, TlsSettings
from intercomd_daemon.setting.kinds import DAY, GIB, MIB
from intercomd_daemon.setting.secret import Secret
from intercomd_daemon.spool.settings import SpoolSettings
from intercomd_daemon.unix_socket import SocketPermissions

SECTIONS = """
[ingest]
listen = ["127.0.0.1:50051"]
envelopes_max = 500
request_bytes_max = "4MiB"
insecure = false
unix_mode = "0660"
unix_group = ""
connection_age_max = ""
connections_max = 4096
tls.certificate_file = ""
tls.key_file = ""
tls.client_ca_file = ""
[spool]
url = "sqlite:intercomd.db"
password_file = ""
bytes_max = "2GiB"
free_bytes_min = "256MiB"
duplicate_window = "24h"
outcomes_max = 1000000
outcomes_kept = "72h"
refusals_max = 10000
lock_wait = "60s"
[operations]
listen = "127.0.0.1:9090"
grpc_listen = "127.0.0.1:9091"
insecure = false
unix_mode = "0600"
unix_group = ""
channelz = false
tls.certificate_file = ""
tls.key_file = ""
tls.client_ca_file = ""
[health]
listen = []
[log]
format = "json"
level = "info"
values = false
[stopping]
linger = "2s"
drain = "20s"
deliver = "0s"
[traces]
endpoint = ""
sample_ratio = 1.0
[fleet]
daemon_id = ""
lease = "10s"
[upstream]
target = ""
operations_target = ""
token_file = ""
insecure = false
tls.ca_file = ""
tls.certificate_file = ""
tls.key_file = ""
tls.server_name = ""
"""
CONNECTION = """
app_id = ""
access_token = ""
access_token_file = ""
region = "us"
base_url = ""
proxy = ""
ca_file = ""
api_version = "2.16"
active = true
dry_run = false
verify_app_id = true
development_connection = ""
placeholder_ids = ["null", "undefined", "nan", "none", "nil", "(null)", "[object object]", "true", "false"]
widget_id = "#IntercomDefaultWidget"
update_email = true
unchanged_for = "24h"
missing_attributes = "create"
attributes_created_max = 20
unarchive = false
session_end_name = "Session End"
commerce = "expanded"
commerce_from_web = false
same_second = "shift"
event_age_max = ""
attribute_types = {}
limits.event_attributes_max = 5
limits.user_attributes_max = 100
limits.on_excess = "trim"
rate.share = 1.0
rate.calls_per_window = 167
"""
CALLER = """
token_sha256 = []
token_file = ""
certificate_names = []
connections = ["default"]
operations = "none"
envelopes_per_second = 0
bytes_per_second = ""
"""


@pytest.mark.parametrize(
    ("section", "document"),
    [
        (Settings(), SECTIONS),
        (ConnectionSettings(name="default"), CONNECTION),
        (CallerSettings(name="billing"), CALLER),
    ],
)
def test_defaults_are_those_of_the_contract(section: msgspec.Struct, document: str) -> None:
    shown = tomllib.loads("\n".join(f"{key} = {value}" for key, value in values_of(section)))
    assert shown == tomllib.loads(document)


@pytest.mark.parametrize(
    ("section", "default"),
    [
        (Settings, Settings()),
        (ConnectionSettings, ConnectionSettings(name="x")),
        (CallerSettings, CallerSettings(name="x")),
    ],
)
def test_default_is_of_its_own_kind(section: type[msgspec.Struct], default: msgspec.Struct) -> None:
    kinds = keys_of(section)
    for key, shown in values_of(default):
        raw = tomllib.loads(f"x = {shown}")["x"]
        assert kinds[key].show(kinds[key].read(raw)) == shown, key


def test_values_are_in_the_units_of_their_names() -> None:
    spool, connection = SpoolSettings(), ConnectionSettings(name="default")
    assert (spool.bytes_max, spool.free_bytes_min) == (2 * GIB, 256 * MIB)
    assert (spool.duplicate_window_seconds, spool.lock_wait_seconds) == (DAY, 60.0)
    assert (connection.unchanged_for_seconds, connection.event_age_max_seconds) == (DAY, 0.0)


@pytest.mark.parametrize(
    ("url", "engine", "path"),
    [
        ("sqlite:intercomd.db", "sqlite", "intercomd.db"),
        ("sqlite:/var/lib/a:b.db", "sqlite", "/var/lib/a:b.db"),
        ("memory:", "memory", ""),
    ],
)
def test_spools_url_is_an_engine_and_a_path(url: str, engine: str, path: str) -> None:
    spool = SpoolSettings(url=url)
    assert (spool.engine, spool.path) == (engine, path)


def test_settings_are_frozen_and_show_no_token() -> None:
    connection = ConnectionSettings(name="default", access_token=Secret("hush-hush"))
    assert "hush-hush" not in repr(Settings(connections={"default": connection}))
    with pytest.raises(AttributeError):
        connection.region = "eu"


@pytest.mark.parametrize(("settings", "mode"), [(IngestSettings, 0o660), (OperationsSettings, 0o600)])
def test_unix_access_holds_the_mode_and_the_group(
    settings: type[IngestSettings] | type[OperationsSettings], mode: int
) -> None:
    assert settings().unix_access == SocketPermissions(mode, "")
    assert settings(unix_mode="0640", unix_group="app").unix_access == SocketPermissions(0o640, "app")


def test_client_ca_limits_the_age_of_connections() -> None:
    """A certificate may be revoked after the connection was opened."""
    mutual = TlsSettings(certificate_file="/c", key_file="/k", client_ca_file="/ca")
    assert IngestSettings().connection_age_seconds == 0.0
    assert IngestSettings(tls=mutual).connection_age_seconds == 3600.0
    assert IngestSettings(tls=mutual, connection_age_max_seconds=60.0).connection_age_seconds == 60.0


def test_tls_is_on_with_a_certificate() -> None:
    assert not TlsSettings().on
    assert TlsSettings(certificate_file="/c", key_file="/k").on
