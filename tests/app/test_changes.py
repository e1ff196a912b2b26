"""What a reload changes, and what it leaves to a restart."""

import re
from typing import Any

import pytest
from msgspec.structs import replace

from documents import DOCS, section
from intercomd_daemon.app.changes import RESTART, RESTART_SECTIONS, compare, contradictions, warn_of_removed
from intercomd_daemon.config import Settings
from intercomd_daemon.connection import ConnectionSettings, LimitSettings, RateSettings
from intercomd_daemon.forward.settings import UpstreamSettings
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.operations.settings import HealthSettings, OperationsSettings
from intercomd_daemon.rpc.settings import CallerSettings, TlsSettings
from intercomd_daemon.setting.secret import Secret
from intercomd_daemon.spool.rows import LogUsage, Usage
from intercomd_daemon.spool.settings import SpoolSettings
from intercomd_daemon.stopping import StoppingSettings
from intercomd_daemon.telemetry.settings import LogSettings
from intercomd_daemon.telemetry.trace_settings import TraceSettings

OLD = Settings(connections={"default": ConnectionSettings(name="default", app_id="a", access_token=Secret("t"))})


def connection(**fields: Any) -> Settings:  # noqa: ANN401 - fields of a connection
    return replace(OLD, connections={"default": replace(OLD.connections["default"], **fields)})


CALLER = {"a": CallerSettings(name="a")}
REACHED = "0.0.0.0:1"
LOCAL = "127.0.0.1:1"
CLIENT_CA = TlsSettings(certificate_file="c", key_file="k", client_ca_file="a")


def listening(ingest: str = LOCAL, http: str = LOCAL, grpc: str = LOCAL, **fields: Any) -> Settings:  # noqa: ANN401
    """Returns settings with these addresses; `fields` are those of both sections, or callers."""
    callers = fields.pop("callers", {})
    return replace(
        OLD,
        ingest=IngestSettings(listen=(LOCAL, ingest), **fields),
        operations=OperationsSettings(listen=http, grpc_listen=grpc, **fields),
        callers=callers,
    )


@pytest.mark.parametrize(
    ("addresses", "keys"),
    [
        ((REACHED, LOCAL, LOCAL), ["ingest.listen"]),
        ((LOCAL, REACHED, LOCAL), ["operations.listen"]),
        (("[::]:1", LOCAL, "10.0.0.1:1"), ["ingest.listen", "operations.grpc_listen"]),
        (("unix:a", LOCAL, LOCAL), []),
    ],
)
def test_reload_that_would_open_an_address_is_refused(addresses: tuple[str, str, str], keys: list[str]) -> None:
    old = listening(*addresses, callers=CALLER)
    for new in (listening(), listening(*addresses)):
        used = compare(old, new).settings
        assert used.callers == {}
        assert [problem.split()[0] for problem in contradictions(old, used)] == keys


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (listening(REACHED, callers=CALLER), listening(callers=CALLER)),
        (listening(REACHED, insecure=True), listening()),
        (listening(REACHED, callers=CALLER), listening(REACHED, insecure=True)),
        (listening(REACHED, callers=CALLER, tls=CLIENT_CA), listening()),
        (listening(callers=CALLER), listening(REACHED, callers=CALLER)),
        (listening(callers=CALLER), listening(REACHED, insecure=True)),
    ],
    ids=["callers stay", "it was open before", "as the settings say", "client CA stays", "closed", "local until then"],
)
def test_reload_that_opens_no_address_is_not(old: Settings, new: Settings) -> None:
    assert contradictions(old, compare(old, new).settings) == []


@pytest.mark.parametrize(
    ("fields", "tls", "refused"),
    [
        ({"certificate_names": ("a.example",)}, TlsSettings(), True),
        ({"certificate_names": ("a.example",)}, CLIENT_CA, False),
        ({"certificate_names": ("a.example",), "token_sha256": ("a" * 64,)}, TlsSettings(), False),
        ({"certificate_names": ("a.example",), "token_file": "tokens"}, TlsSettings(), False),
        ({"token_file": "tokens"}, TlsSettings(), False),
    ],
)
def test_reload_that_would_refuse_all_calls_of_a_caller_is_refused(
    fields: dict[str, Any], tls: TlsSettings, refused: bool
) -> None:
    """A client CA takes effect at a restart, and callers at once."""
    callers = {"a": CallerSettings(name="a", **fields)}
    old = listening(tls=tls)
    used = compare(old, listening(tls=CLIENT_CA, callers=callers)).settings
    assert [problem.split(":")[0] for problem in contradictions(old, used)] == ["callers.a.certificate_names"] * refused


def test_same_settings_change_nothing() -> None:
    changes = compare(OLD, connection())
    assert (changes.changed, changes.restart, changes.settings) == ((), (), OLD)


@pytest.mark.parametrize(
    ("new", "changed"),
    [
        (connection(app_id="b"), "connections.default.app_id"),
        (connection(access_token=Secret("u")), "connections.default.access_token"),
        (connection(unchanged_for_seconds=0.0), "connections.default.unchanged_for"),
        (connection(limits=LimitSettings(on_excess="reject")), "connections.default.limits.on_excess"),
        (connection(rate=RateSettings(share=0.5)), "connections.default.rate.share"),
        (connection(attribute_types={"plan": "string"}), "connections.default.attribute_types"),
        (replace(OLD, ingest=IngestSettings(envelopes_max=7)), "ingest.envelopes_max"),
        (replace(OLD, log=LogSettings(level="debug")), "log.level"),
        (replace(OLD, stopping=StoppingSettings(drain_seconds=1.0)), "stopping.drain"),
    ],
)
def test_setting_that_can_be_swapped_takes_effect_at_once(new: Settings, changed: str) -> None:
    changes = compare(OLD, new)
    assert (changes.changed, changes.restart, changes.settings) == ((changed,), (), new)


@pytest.mark.parametrize(
    ("new", "key"),
    [
        (replace(OLD, ingest=IngestSettings(listen=("127.0.0.1:1",))), "ingest.listen"),
        (replace(OLD, ingest=IngestSettings(request_bytes_max=1 << 20)), "ingest.request_bytes_max"),
        (replace(OLD, ingest=IngestSettings(unix_mode="0600")), "ingest.unix_mode"),
        (replace(OLD, operations=OperationsSettings(listen="127.0.0.1:1")), "operations.listen"),
        (replace(OLD, operations=OperationsSettings(grpc_listen="127.0.0.1:1")), "operations.grpc_listen"),
        (replace(OLD, health=HealthSettings(listen=("127.0.0.1:1",))), "health.listen"),
        (replace(OLD, spool=SpoolSettings(url="memory:")), "spool.url"),
        (replace(OLD, spool=SpoolSettings(bytes_max=1 << 30)), "spool.bytes_max"),
        (replace(OLD, log=LogSettings(format="console")), "log.format"),
        (replace(OLD, traces=TraceSettings(endpoint="http://127.0.0.1:1")), "traces.endpoint"),
        (replace(OLD, traces=TraceSettings(sample_ratio=0.5)), "traces.sample_ratio"),
        (replace(OLD, ingest=IngestSettings(unix_group="apps")), "ingest.unix_group"),
        (replace(OLD, operations=OperationsSettings(unix_mode="0660")), "operations.unix_mode"),
        (replace(OLD, ingest=IngestSettings(connections_max=7)), "ingest.connections_max"),
    ],
)
def test_setting_that_needs_a_restart_keeps_its_old_value(new: Settings, key: str) -> None:
    changes = compare(OLD, new)
    assert (changes.changed, changes.restart, changes.settings) == ((), (key,), OLD)


def test_documentation_lists_the_keys_that_need_a_restart() -> None:
    text = section(DOCS / "operations.md", "## Reloading settings")
    listed = [line for line in text.splitlines() if line.startswith("- ")]
    keys = set(re.findall(r"`([^`]+)`", "\n".join(listed)))
    assert keys == RESTART | {f"{section}*" for section in (*RESTART_SECTIONS, "ingest.tls.", "operations.tls.")}


def test_daemon_that_becomes_an_agent_keeps_its_connections_until_the_restart() -> None:
    """An agent's need no token, with which this daemon still delivers; and the other way round."""
    agent = replace(
        OLD,
        upstream=UpstreamSettings(target="gateway:1"),
        connections={"default": ConnectionSettings(name="default"), "eu": ConnectionSettings(name="eu")},
        stopping=StoppingSettings(drain_seconds=1.0),
    )
    keys = ("connections.default.access_token", "connections.default.app_id", "connections.eu", "upstream.target")
    for old, new in ((OLD, agent), (agent, OLD)):
        changes = compare(old, new)
        assert (changes.changed, changes.restart) == (("stopping.drain",), keys)
        assert (changes.settings.connections, changes.settings.upstream) == (old.connections, old.upstream)
    other = replace(agent, upstream=UpstreamSettings(target="gateway:2"), connections=OLD.connections)
    changed = ("connections.eu", "connections.default.access_token", "connections.default.app_id")
    assert compare(agent, other)[1:] == (changed, ("upstream.target",))


def test_keys_of_one_section_are_applied_or_need_a_restart_individually() -> None:
    new = replace(OLD, ingest=IngestSettings(listen=("127.0.0.1:1",), envelopes_max=7))
    changes = compare(OLD, new)
    assert (changes.changed, changes.restart) == (("ingest.envelopes_max",), ("ingest.listen",))
    assert changes.settings.ingest == IngestSettings(envelopes_max=7)


def test_added_and_removed_connections_are_named() -> None:
    shop = ConnectionSettings(name="shop", app_id="s", access_token=Secret("t"))
    changes = compare(OLD, replace(OLD, connections={"shop": shop}))
    assert changes.changed == ("connections.default", "connections.shop")
    assert changes.settings.connections == {"shop": shop}


TLS = TlsSettings(certificate_file="/c", key_file="/k")
MUTUAL = replace(TLS, client_ca_file="/ca")


def ingest(tls: TlsSettings) -> Settings:
    return replace(OLD, ingest=IngestSettings(tls=tls))


@pytest.mark.parametrize(
    ("old", "new", "restart"),
    [
        (TlsSettings(), TLS, ("ingest.tls.certificate_file", "ingest.tls.key_file")),
        (TLS, TlsSettings(), ("ingest.tls.certificate_file", "ingest.tls.key_file")),
        (TLS, MUTUAL, ("ingest.tls.client_ca_file",)),
        (MUTUAL, TLS, ("ingest.tls.client_ca_file",)),
    ],
)
def test_tls_and_client_ca_are_switched_by_a_restart(
    old: TlsSettings, new: TlsSettings, restart: tuple[str, ...]
) -> None:
    changes = compare(ingest(old), ingest(new))
    assert (changes.changed, changes.restart, changes.settings) == ((), restart, ingest(old))


def test_other_tls_files_are_in_use_at_once() -> None:
    new = replace(MUTUAL, certificate_file="/c2", key_file="/k2", client_ca_file="/ca2")
    changes = compare(ingest(MUTUAL), ingest(new))
    assert (changes.restart, changes.settings) == ((), ingest(new))


def test_callers_and_consent_take_effect_at_once() -> None:
    shop = CallerSettings(name="shop", operations="read")
    new = replace(OLD, callers={"shop": shop}, operations=OperationsSettings(insecure=True))
    changes = compare(OLD, new)
    assert (changes.changed, changes.restart) == (("callers.shop", "operations.insecure"), ())
    assert compare(new, replace(new, callers={"shop": replace(shop, operations="write")})).changed == (
        "callers.shop.operations",
    )


def test_removed_connections_with_waiting_envelopes_are_warned_of() -> None:
    usage = Usage({"gone": LogUsage(normal=2, bulk=1), "idle": LogUsage(), "kept": LogUsage(normal=5)}, 0, 0, "")
    (warning,) = warn_of_removed(["gone", "idle", "kept", "unused"], ["kept", "new"], usage)
    assert warning.startswith("connections.gone (removed): 3 waiting envelopes stay in the spool; ")
