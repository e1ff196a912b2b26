"""The connections as configured: which have a worker, what they share, how they stand."""

from intercomd_daemon import config
from intercomd_daemon.app.connections import Connections
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.envelope import AcceptedEnvelope, UpdateContact
from intercomd_daemon.setting.secret import Secret


def connections(hidden: list[str] | None = None, **tokens: str) -> Connections:
    settings = config.Settings(
        connections={
            name: ConnectionSettings(name=name, app_id=name, access_token=Secret(token), active=name != "off")
            for name, token in tokens.items()
        }
    )
    return Connections(settings, (hidden if hidden is not None else []).append)


def test_connection_without_a_worker_is_shown() -> None:
    shown = connections(on="a", off="b").statuses()
    assert [(status.name, status.state, status.reason) for status in shown] == [
        ("on", ConnectionState.VERIFYING, "the daemon is starting"),
        ("off", ConnectionState.INACTIVE, "active = false in the settings"),
    ]


def test_email_hash_key_stays_while_the_tokens_do() -> None:
    assert connections(a="x", b="y").log_key() == connections(b="y", a="x").log_key()
    assert connections(a="x", b="y").log_key() != connections(a="x", b="z").log_key()
    assert len(connections(a="x").log_key()) == 32


def test_every_token_is_registered_for_redaction() -> None:
    hidden: list[str] = []
    connections(hidden, a="first", b="second")
    assert hidden == ["first", "second"]


def test_proxy_credentials_are_registered_for_redaction() -> None:
    hidden: list[str] = []
    proxy = Secret("http://me:secret@proxy:3128")
    settings = config.Settings(connections={"one": ConnectionSettings(name="one", app_id="one", proxy=proxy)})
    Connections(settings, hidden.append)
    assert hidden == ["me:secret"]


def test_envelope_is_previewed_by_the_rules_of_its_connection() -> None:
    envelope = AcceptedEnvelope("e", "u", "", 1.0, (UpdateContact({"plan": "pro"}),), (), "", b"")
    assert connections(a="x").preview("a", envelope) == [
        ("POST", "/contacts", '{"role":"user","external_id":"u","custom_attributes":{"plan":"pro"}}')
    ]


def test_pause_without_a_worker_changes_nothing() -> None:
    without = connections(off="x")
    without.pause("off", paused=True)
    assert without.statuses()[0].state is ConnectionState.INACTIVE
    assert without.workers_alive() == {}
