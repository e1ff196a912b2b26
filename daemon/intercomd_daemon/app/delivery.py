"""What delivers to Intercom. Imported when it is used: an agent does not load what it never runs."""

import time
from collections.abc import Callable, Mapping
from hashlib import blake2b

from intercomd_daemon.app.held_workspace import HeldWorkspace
from intercomd_daemon.connection import ConnectionSettings, RateSettings
from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.access import Grant, read_access
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.preview import preview
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.connection_monitor import Observer
from intercomd_daemon.deliver.schedule.open_calls import CONNECTIONS_MAX
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.deliver.worker import Worker
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.ingest.accept import Decide
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.responses import PreviewedRequest
from intercomd_daemon.ingest.service import Upstream
from intercomd_daemon.spool.base import Outflow, Spool


class Delivery:
    """Delivers to Intercom: a `Destination`. It holds the access token of each connection."""

    shares_workspaces = True

    def __init__(self, connections: Mapping[str, ConnectionSettings], hide: Callable[[str], None]) -> None:
        """`hide` registers each access token and the credentials of proxies for redaction from log lines."""
        self.decide: Decide = decide
        self.upstream: Upstream | None = None
        self._hide = hide
        self._tokens: dict[str, AccessToken] = {}
        self.read_credentials(connections)

    def has_worker(self, settings: ConnectionSettings) -> bool:
        """Returns whether the connection is active."""
        return settings.active

    def workspace(self, settings: ConnectionSettings) -> str:
        """Returns a name of API and workspace."""
        return settings.workspace

    def read_credentials(self, connections: Mapping[str, ConnectionSettings]) -> None:
        """Reads the tokens of new or changed connections."""
        for name, settings in connections.items():
            self._tokens[name] = AccessToken(settings.access_token.reveal(), settings.access_token_file, self._hide)
            credentials = settings.proxy.reveal().rpartition("@")[0].partition("://")[2]
            if credentials:
                self._hide(credentials)

    def keep_credentials(self, connections: Mapping[str, ConnectionSettings]) -> None:
        """Forgets the tokens of connections that are not among these."""
        for name in self._tokens.keys() - connections.keys():
            del self._tokens[name]

    def log_key(self) -> bytes:
        """Returns a key made of the tokens."""
        digest = blake2b(digest_size=32)
        for name, token in sorted(self._tokens.items()):
            digest.update(f"{name}\0{token.current()}\0".encode())
        return digest.digest()

    def check(self, settings: ConnectionSettings) -> None:
        """Raises IntercomdError if no worker could run with the settings."""
        IntercomClient(settings, self._tokens[settings.name], CONNECTIONS_MAX)

    async def may_deliver(self, connections: Mapping[str, ConnectionSettings]) -> bool:
        """Returns whether `GET /me` of every connection succeeds."""
        for name, settings in connections.items():
            async with IntercomClient(settings, self._tokens[name], 1) as client:
                access = read_access(await client.call(requests.ME), settings)
            if access.grant is not Grant.GRANTED:
                return False
        return bool(connections)

    async def hold(self, settings: ConnectionSettings, outflow: Outflow, wall: Callable[[], float]) -> HeldWorkspace:
        """Returns a workspace with the budget that the previous owner left."""
        return HeldWorkspace(await _load_pace(settings.rate, outflow, wall), outflow, wall)

    def new_worker(
        self, settings: ConnectionSettings, held: HeldWorkspace, spool: Spool, observer: Observer, *, paused: bool
    ) -> Worker:
        """Returns the worker of a connection; it does not run yet. Workers of a workspace share its budget."""
        pace, outflow = held.pace, held.outflow
        assert pace is not None  # noqa: S101 - see `hold`
        pace.set_share(settings.rate.share)
        client = IntercomClient(settings, self._tokens[settings.name], CONNECTIONS_MAX, outflow.check_held)
        return Worker(settings, outflow, client, pace, observer, paused=paused, clock=Clock(wall=spool.now))

    def preview(self, envelope: AcceptedEnvelope, settings: ConnectionSettings) -> list[PreviewedRequest]:
        """Returns the calls that would be made for an envelope."""
        calls = preview(envelope, settings, time.time())
        return [PreviewedRequest(each.call.method, each.path, each.body.decode()) for each in calls]

    async def close(self) -> None:
        """Does nothing: each worker closes its client."""


async def _load_pace(settings: RateSettings, outflow: Outflow, wall: Callable[[], float]) -> Pace:
    """Returns the budget of a workspace that was just acquired, as the previous owner left it.

    `wall` returns Unix seconds of the spool's time.
    """
    pace = Pace(settings.calls_per_window, settings.share, time.monotonic())
    if state := await outflow.load_pacing():
        pace.restore(state, time.monotonic(), wall())
    if outflow.unclean:
        pace.take_over()
        await outflow.save_pacing(pace.state(time.monotonic(), wall()))
    return pace
