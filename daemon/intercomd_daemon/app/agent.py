"""What makes a daemon an agent. Only an agent imports it, so that other daemons do not load a client for a gateway."""

import os
from collections.abc import Callable, Mapping
from hashlib import blake2b

from intercomd_daemon.app.held_workspace import HeldWorkspace
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.forward.gateway import Gateway
from intercomd_daemon.forward.settings import UpstreamSettings
from intercomd_daemon.forward.worker import ForwardObserver, ForwardWorker
from intercomd_daemon.ingest.accept import Decide
from intercomd_daemon.ingest.decide_forwarded import decide_forwarded
from intercomd_daemon.ingest.responses import PreviewedRequest
from intercomd_daemon.ingest.service import Upstream
from intercomd_daemon.spool.base import Outflow, Spool


class Agent:
    """Forwards to a gateway: a `Destination`. The gateway has the credentials and the settings of the connections."""

    shares_workspaces = False

    def __init__(self, settings: UpstreamSettings) -> None:
        """Raises UpstreamUnusable if a file that the gateway needs cannot be read."""
        self.decide: Decide = decide_forwarded
        self._gateway = Gateway(settings)
        self.upstream: Upstream | None = self._gateway

    def has_worker(self, _settings: ConnectionSettings) -> bool:
        """Returns True: the gateway knows which connections are active."""
        return True

    def workspace(self, settings: ConnectionSettings) -> str:
        """Returns a name for each connection."""
        return f"upstream {settings.name}"

    def read_credentials(self, connections: Mapping[str, ConnectionSettings]) -> None:
        """Does nothing."""

    def keep_credentials(self, connections: Mapping[str, ConnectionSettings]) -> None:
        """Does nothing."""

    def log_key(self) -> bytes:
        """Returns a key made of the token; without a token, another one at each start."""
        return blake2b(self._gateway.token().encode() or os.urandom(32), digest_size=32).digest()

    def check(self, settings: ConnectionSettings) -> None:
        """Does nothing."""

    async def may_deliver(self, _connections: Mapping[str, ConnectionSettings]) -> bool:
        """Returns False: an agent takes no workspace from another one that lives."""
        return False

    async def hold(self, _settings: ConnectionSettings, outflow: Outflow, wall: Callable[[], float]) -> HeldWorkspace:
        """Returns a workspace without a budget."""
        return HeldWorkspace(None, outflow, wall)

    def new_worker(
        self,
        settings: ConnectionSettings,
        held: HeldWorkspace,
        spool: Spool,
        observer: ForwardObserver,
        *,
        paused: bool,
    ) -> ForwardWorker:
        """Returns the worker of a connection; it does not run yet."""
        agent_id = spool.usage().spool_id
        return ForwardWorker(
            settings.name, agent_id, held.outflow, self._gateway, observer, paused=paused, wall=spool.now
        )

    def preview(self, _envelope: AcceptedEnvelope, _settings: ConnectionSettings) -> list[PreviewedRequest]:
        """Returns nothing: the gateway previews."""
        return []

    async def close(self) -> None:
        """Closes the channel to the gateway."""
        await self._gateway.close()
