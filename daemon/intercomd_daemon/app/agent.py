"""What makes a daemon an agent. Only an agent imports it, so that other daemons do not load a client for a gateway."""

from intercomd_daemon.forward.gateway import Gateway
from intercomd_daemon.forward.settings import UpstreamSettings
from intercomd_daemon.forward.worker import ForwardWorker, Observer
from intercomd_daemon.ingest.accept import Decide
from intercomd_daemon.ingest.forwarding import decide_forwarded
from intercomd_daemon.spool.base import Outflow, Spool


class Agent:
    """The gateway of an agent, how it decides envelopes, and its workers."""

    decide: Decide = staticmethod(decide_forwarded)

    def __init__(self, settings: UpstreamSettings) -> None:
        """Raises UpstreamUnusable if a file that the gateway needs cannot be read."""
        self.gateway = Gateway(settings)

    def worker(self, name: str, spool: Spool, outflow: Outflow, observer: Observer, *, paused: bool) -> ForwardWorker:
        """Returns the worker of a connection; it does not run yet."""
        agent_id = spool.usage().spool_id
        return ForwardWorker(name, agent_id, outflow, spool, self.gateway, observer, paused=paused, wall=spool.now)
