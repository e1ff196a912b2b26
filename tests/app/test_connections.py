"""The connections as configured: which have a worker, what they share, how they stand."""

from intercomd_daemon import config
from intercomd_daemon.app.connections import Connections
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.envelope import AcceptedEnvelope, UpdateContact
from intercomd_daemon.setting.secret import Secret


def connections(**tokens: str) -> Connections:
    settings = config.Settings(
        connections={
            name: ConnectionSettings(name=name, app_id=name, access_token=Secret(token), active=name != "off")
            for name, token in tokens.items()
        }
    )
    return Connections(settings, lambda _: None)


def test_connection_without_a_worker_is_shown() -> None:
    shown = connections(on="a", off="b").statuses()
    assert [(status.name, status.state, status.reason) for status in shown] == [
        ("on", ConnectionState.VERIFYING, "the daemon is starting"),
        ("off", ConnectionState.INACTIVE, "active = false in the settings"),
    ]


def test_envelope_is_previewed_by_the_rules_of_its_connection() -> None:
    envelope = AcceptedEnvelope("e", "u", "", 1.0, (UpdateContact({"plan": "pro"}),), (), "", b"")
    assert connections(a="x").preview("a", envelope) == [
        ("POST", "/contacts", '{"role":"user","external_id":"u","custom_attributes":{"plan":"pro"}}')
    ]


def test_connection_without_a_worker_has_no_part_that_must_make_progress() -> None:
    assert connections(off="x").workers_alive() == {}
