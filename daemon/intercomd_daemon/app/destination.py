"""Where a daemon sends its envelopes: to Intercom (`delivery.py`), or, an agent, to its gateway (`agent.py`)."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from intercomd_daemon.app.held_workspace import HeldWorkspace
from intercomd_daemon.app.workers import ConnectionWorker
from intercomd_daemon.config import Settings
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.ingest.accept import Decide
from intercomd_daemon.ingest.responses import PreviewedRequest
from intercomd_daemon.ingest.service import Upstream
from intercomd_daemon.spool.base import Outflow, Spool

if TYPE_CHECKING:
    from intercomd_daemon.deliver.schedule.connection_monitor import Observer as DeliveryObserver

    class ConnectionsObserver(DeliveryObserver, Protocol):
        """Receives what happens to the connections."""

        def on_forward(self, connection: str, code: str, envelopes: int, seconds: float) -> None:
            """Takes a call of an agent to its gateway with the name of its status and its duration."""
            ...


class Destination(Protocol):
    """Everything in which delivering to Intercom and forwarding to a gateway differ."""

    decide: Decide
    upstream: Upstream | None
    """The gateway of an agent, which validates and previews."""
    shares_workspaces: bool
    """Whether other daemons on a shared spool may deliver the workspaces too; then the daemon starts without them."""

    def has_worker(self, settings: ConnectionSettings) -> bool:
        """Returns whether a connection has a worker. At an agent it is the gateway that knows which are active."""
        ...

    def workspace(self, settings: ConnectionSettings) -> str:
        """Returns the name of a connection's workspace, the same in every process; an agent's are its connections."""
        ...

    def read_credentials(self, connections: Mapping[str, ConnectionSettings]) -> None:
        """Reads the credentials of new or changed connections."""
        ...

    def keep_credentials(self, connections: Mapping[str, ConnectionSettings]) -> None:
        """Forgets the credentials of connections that are not among these."""
        ...

    def log_key(self) -> bytes:
        """Returns the key of the hashes of emails in log lines: secret, and unchanged as long as the tokens are."""
        ...

    def check(self, settings: ConnectionSettings) -> None:
        """Raises IntercomdError if no worker could run with the settings."""
        ...

    async def may_deliver(self, connections: Mapping[str, ConnectionSettings]) -> bool:
        """Returns whether this daemon could deliver these connections of a workspace that another one delivers."""
        ...

    async def hold(self, settings: ConnectionSettings, outflow: Outflow, wall: Callable[[], float]) -> HeldWorkspace:
        """Returns a workspace that was just acquired; `settings` are those of one of its connections."""
        ...

    def new_worker(
        self,
        settings: ConnectionSettings,
        held: HeldWorkspace,
        spool: Spool,
        observer: "ConnectionsObserver",
        *,
        paused: bool,
    ) -> ConnectionWorker:
        """Returns the worker of a connection; it does not run yet.

        Raises:
            IntercomdError: a file that the settings name is unusable.
        """
        ...

    def preview(self, envelope: AcceptedEnvelope, settings: ConnectionSettings) -> Sequence[PreviewedRequest]:
        """Returns the calls that would be made for an envelope."""
        ...

    async def close(self) -> None:
        """Closes what all workers share; none of them runs any more."""
        ...


def destination_of(settings: Settings, hide: Callable[[str], None]) -> Destination:
    """Returns the destination that the settings name.

    `hide` registers each access token and the credentials of proxies for redaction from log lines.

    Raises:
        UpstreamUnusable: a file that the gateway needs cannot be read.
    """
    if settings.upstream.on:
        from intercomd_daemon.app.agent import Agent  # noqa: PLC0415 - only an agent loads it

        return Agent(settings.upstream)
    from intercomd_daemon.app.delivery import Delivery  # noqa: PLC0415 - an agent does not load it

    return Delivery(settings.connections, hide)
