"""What a daemon that delivers holds and creates for its connections."""

from collections.abc import Callable, Mapping

import pytest

from intercomd_daemon import config
from intercomd_daemon.app.delivery import Delivery
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.client import CertificatesUnusable
from intercomd_daemon.envelope import AcceptedEnvelope, TrackEvent
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.sandbox.recorded import NONE
from intercomd_daemon.setting.secret import Secret


def connections(**tokens: str) -> Mapping[str, ConnectionSettings]:
    return {name: ConnectionSettings(name=name, access_token=Secret(token)) for name, token in tokens.items()}


def delivery(**tokens: str) -> Delivery:
    return Delivery(connections(**tokens), lambda _: None)


def test_check_rejects_an_unusable_file() -> None:
    delivers = delivery(default="token")
    with pytest.raises(CertificatesUnusable, match="nowhere"):
        delivers.check(ConnectionSettings(name="default", ca_file="/nowhere/ca.pem"))
    delivers.check(ConnectionSettings(name="default"))


def test_preview_has_method_path_and_body() -> None:
    envelope = AcceptedEnvelope("e-1", "u-1", "", 5.0, (TrackEvent("order", 5, b"{}"),), (), "", b"")
    *_, (method, path, body) = delivery().preview(envelope, ConnectionSettings(name="default"))
    assert (method, path) == ("POST", "/events")
    assert '"order"' in body


async def test_daemon_may_deliver_if_get_me_of_every_connection_succeeds(load: Callable[..., config.Settings]) -> None:
    async with Sandbox(SandboxSettings(recorded=NONE)) as sandbox:
        settings = load(sandbox.base_url).connections
        delivers = Delivery(settings, lambda _: None)
        assert await delivers.may_deliver(settings)
        delivers.read_credentials(connections(default="stale"))
        assert not await delivers.may_deliver(settings)
        assert not await delivers.may_deliver({})


def test_connections_of_one_app_id_share_a_workspace() -> None:
    one, two, other = (
        ConnectionSettings(name=name, app_id=app_id) for name, app_id in (("a", "x"), ("b", "x"), ("c", ""))
    )
    assert delivery().workspace(one) == delivery().workspace(two) == "https://api.intercom.io x"
    assert delivery().workspace(other) == "https://api.intercom.io c"


def test_email_hash_key_stays_while_the_tokens_do() -> None:
    assert delivery(a="x", b="y").log_key() == delivery(b="y", a="x").log_key()
    assert delivery(a="x", b="y").log_key() != delivery(a="x", b="z").log_key()
    assert len(delivery(a="x").log_key()) == 32


def test_tokens_of_removed_connections_are_forgotten() -> None:
    both = delivery(a="x", b="y")
    both.keep_credentials(connections(a="x"))
    assert both.log_key() == delivery(a="x").log_key()


def test_every_token_is_registered_for_redaction() -> None:
    hidden: list[str] = []
    Delivery(connections(a="first", b="second"), hidden.append)
    assert hidden == ["first", "second"]


def test_proxy_credentials_are_registered_for_redaction() -> None:
    hidden: list[str] = []
    proxy = Secret("http://me:secret@proxy:3128")
    Delivery({"one": ConnectionSettings(name="one", app_id="one", proxy=proxy)}, hidden.append)
    assert hidden == ["me:secret"]
