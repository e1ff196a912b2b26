"""What a daemon that delivers creates for a connection."""

from collections.abc import Callable

import pytest

from intercomd_daemon import config
from intercomd_daemon.app.delivery import check_settings, may_deliver, preview_calls
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.client import CertificatesUnusable
from intercomd_daemon.envelope import AcceptedEnvelope, TrackEvent
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.sandbox.recorded import NONE


def test_check_settings_rejects_an_unusable_file() -> None:
    settings = ConnectionSettings(name="default", ca_file="/nowhere/ca.pem")
    with pytest.raises(CertificatesUnusable, match="nowhere"):
        check_settings(settings, AccessToken("token", ""))
    check_settings(ConnectionSettings(name="default"), AccessToken("token", ""))


def test_preview_calls_has_method_path_and_body() -> None:
    envelope = AcceptedEnvelope("e-1", "u-1", "", 5.0, (TrackEvent("order", 5, b"{}"),), (), "", b"")
    *_, (method, path, body) = preview_calls(envelope, ConnectionSettings(name="default"))
    assert (method, path) == ("POST", "/events")
    assert '"order"' in body


async def test_daemon_may_deliver_if_get_me_of_every_connection_succeeds(load: Callable[..., config.Settings]) -> None:
    async with Sandbox(SandboxSettings(recorded=NONE)) as sandbox:
        connections = load(sandbox.base_url).connections
        token = sandbox.settings.access_token
        assert await may_deliver(connections, {name: AccessToken(token) for name in connections})
        assert not await may_deliver(connections, {name: AccessToken("stale") for name in connections})
        assert not await may_deliver({}, {})
