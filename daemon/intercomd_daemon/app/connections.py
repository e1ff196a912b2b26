"""The workers of all connections: creates, starts and stops them, and returns their statuses."""

import asyncio
import time
from collections.abc import Callable
from hashlib import blake2b

from intercomd_daemon.config import Settings
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.intercom.token import Token
from intercomd_daemon.deliver.preview import preview
from intercomd_daemon.deliver.schedule.connection_state import ConnectionState, ConnectionStatus, Observer
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.deliver.worker import OPEN_MAX, Worker
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.spool.base import Outflow, Spool


class Connections:
    """The configured connections; each active one has a worker."""

    def __init__(self, settings: Settings, hide: Callable[[str], None]) -> None:
        """`hide` registers each access token and the credentials of proxies for redaction from log lines."""
        self._settings = settings.connections
        self._tokens = {
            name: Token(connection.access_token.reveal(), connection.access_token_file, hide)
            for name, connection in settings.connections.items()
        }
        for connection in settings.connections.values():
            credentials = connection.proxy.reveal().rpartition("@")[0].partition("://")[2]
            if credentials:
                hide(credentials)
        self._workers: dict[str, Worker] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._start_time = time.time()

    def log_key(self) -> bytes:
        """Returns the key of the hashes of emails in log lines: secret, and unchanged as long as the tokens are."""
        digest = blake2b(digest_size=32)
        for name, token in sorted(self._tokens.items()):
            digest.update(f"{name}\0{token.current()}\0".encode())
        return digest.digest()

    async def start(self, spool: Spool, observer: Observer) -> list[asyncio.Task[None]]:
        """Acquires the workspaces and starts a worker for each active connection.

        Each task runs until `stop`; it raises LeaseLost if its workspace is lost, and other exceptions for bugs.
        """
        shared: dict[tuple[str, str], tuple[Pace, Outflow]] = {}
        workers: list[tuple[str, Worker, Outflow]] = []
        paused = await spool.paused()
        for name, settings in self._settings.items():
            if not settings.active:
                continue
            # "One budget per connection (connections of the same workspace share one)."
            workspace = (settings.url, settings.app_id or name)
            if workspace not in shared:
                pace = Pace(settings.rate.calls_per_window, settings.rate.share, time.monotonic())
                shared[workspace] = (pace, await spool.acquire(" ".join(workspace)))
            pace, outflow = shared[workspace]
            session = IntercomClient(settings, self._tokens[name], OPEN_MAX)
            worker = Worker(settings, outflow, session, pace, observer, paused=name in paused)
            workers.append((name, worker, outflow))
        # Started only now: if a workspace cannot be acquired, no worker runs.
        self._workers = {name: worker for name, worker, _ in workers}
        self._tasks = [
            asyncio.create_task(_run(worker, outflow), name=f"worker {name}") for name, worker, outflow in workers
        ]
        return self._tasks

    def stop(self) -> None:
        """Stops every worker after its calls in flight."""
        for worker in self._workers.values():
            worker.stop()

    def statuses(self) -> list[ConnectionStatus]:
        """Returns the status of each configured connection."""
        return [self._workers[name].status() if name in self._workers else self._idle(name) for name in self._settings]

    def workers_alive(self) -> dict[str, bool]:
        """Returns whether the worker of each active connection is alive."""
        return {task.get_name(): not task.done() for task in self._tasks}

    def pause(self, name: str, *, paused: bool) -> None:
        """Pauses or resumes a connection; without effect on one that is inactive."""
        if name in self._workers:
            self._workers[name].pause(paused=paused)

    def preview(self, name: str, envelope: AcceptedEnvelope) -> list[tuple[str, str, str]]:
        """Returns the (method, path, JSON body) of each call that would be made for an envelope."""
        requests = preview(envelope, self._settings[name], time.time())
        return [(request.method, request.path, request.body.decode()) for request in requests]

    def _idle(self, name: str) -> ConnectionStatus:
        """Returns the status of a connection without a worker: inactive, or not started yet."""
        settings = self._settings[name]
        state = ConnectionState.VERIFYING if settings.active else ConnectionState.INACTIVE
        return ConnectionStatus(
            name=name,
            state=state,
            reason="the daemon is starting" if settings.active else "active = false in the settings",
            since=self._start_time,
            app_id=settings.app_id,
            workspace_name="",
            region=settings.region,
            dry_run=settings.dry_run,
            calls=0,
            budget_limit=0,
            budget_plan=0,
            budget_remaining=0,
            window_seconds=0.0,
            window_ends=0.0,
            lanes_open=0,
            rows_read_ahead=0,
            next_probe=0.0,
            last_error="",
        )


async def _run(worker: Worker, outflow: Outflow) -> None:
    """Runs a worker, and cancels it if its workspace is lost: then it must make no further call."""
    async with asyncio.TaskGroup() as tasks:
        lease = tasks.create_task(outflow.wait_lost())
        await worker.run()
        lease.cancel()
