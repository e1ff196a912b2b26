"""The engines that keep a spool, by the scheme of `spool.url`. No other part depends on an engine's name.

An engine is added by its entry here, its scheme in `setting.places.spool_url` and its run of the contract suite.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from secrets import token_hex
from socket import gethostname
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.fleet.settings import FleetSettings
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.content import Content
from intercomd_daemon.spool.maintenance import ClosedSpool, Inspection, Maintenance
from intercomd_daemon.spool.settings import SpoolSettings
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool
from intercomd_daemon.spool.sqlite.content import find, opened
from intercomd_daemon.spool.sqlite.inspection import inspect
from intercomd_daemon.spool.sqlite.maintenance import SqliteMaintenance

if TYPE_CHECKING:
    from intercomd_daemon.spool.postgresql.maintenance import PostgresqlMaintenance


@dataclass(frozen=True, kw_only=True)
class SpoolEvents:
    """What an engine reports while it opens and works; each callback is optional for the engine."""

    on_wait: Callable[[str], None]
    """Another process holds the spool: its name."""
    on_commit: Callable[[int, float], None]
    """A commit changed this many rows in this many seconds; may be called in another thread."""
    on_damage: Callable[[str], None]
    """What was corrupt, and what became of it."""
    on_refusing: Callable[[str], None]
    """Why appends are refused from now on; "": they are accepted again."""


class OpenSpool(Protocol):
    """Opens a spool."""

    def __call__(
        self,
        settings: SpoolSettings,
        connections: Sequence[str],
        events: SpoolEvents,
        fleet: FleetSettings = ...,
    ) -> Awaitable[Spool]:
        """Opens the spool for the connections of the settings; raises SpoolLocked or SpoolUnusable."""
        ...


@dataclass(frozen=True)
class Engine:
    """An engine and its optional capabilities."""

    open: OpenSpool
    shared: bool = False
    """Whether several daemons open the spool together; each workspace is then delivered by the one that leases it."""
    inspect: Callable[[SpoolSettings], Inspection] | None = None
    """Inspects a spool from outside; None: the spool ends with its process."""
    check: Callable[[SpoolSettings], Coroutine[Any, Any, str]] | None = None
    """Connects to a spool on a server and returns why a daemon cannot use it; empty if it can. It changes nothing."""
    maintenance: Maintenance | None = None
    """Verifies, exports and repairs a spool; None: it ends with its process."""
    find: Callable[[str], str] | None = None
    """Returns the path of a spool to take over, which may be one whose taking over was interrupted."""
    content: Callable[[str], AbstractContextManager[Content]] | None = None
    """Locks a spool and returns its content, for another engine to take over."""
    fill: Callable[[str, str, Content], str] | None = None
    """Takes a content over into the spool of a URL and a password file, retires its source, returns its new name."""


_ALONE = FleetSettings()


def engine_of(url: str) -> Engine:
    """Returns the engine of a valid `spool.url`."""
    return ENGINES[url.partition(":")[0]]


async def _open_memory(
    settings: SpoolSettings,
    connections: Sequence[str],
    events: SpoolEvents,  # noqa: ARG001 - memory has nothing to report
    fleet: FleetSettings = _ALONE,  # noqa: ARG001 - the spool is this process's
) -> Spool:
    # The daemons that keep their spool elsewhere, which is nearly all, need no memory for its code.
    from intercomd_daemon.spool.memory import MemorySpool  # noqa: PLC0415

    return MemorySpool(
        connections,
        bytes_max=settings.bytes_max,
        duplicate_window_seconds=settings.duplicate_window_seconds,
        outcomes_max=settings.outcomes_max,
        outcomes_kept_seconds=settings.outcomes_kept_seconds,
        refusals_max=settings.refusals_max,
    )


async def _open_sqlite(
    settings: SpoolSettings,
    connections: Sequence[str],
    events: SpoolEvents,
    fleet: FleetSettings = _ALONE,  # noqa: ARG001 - the lock on the file keeps other daemons out
) -> Spool:
    return await open_spool(
        SqliteSettings(
            path=settings.path,
            bytes_max=settings.bytes_max,
            free_bytes_min=settings.free_bytes_min,
            duplicate_window_seconds=settings.duplicate_window_seconds,
            outcomes_max=settings.outcomes_max,
            outcomes_kept_seconds=settings.outcomes_kept_seconds,
            refusals_max=settings.refusals_max,
            lock_wait_seconds=settings.lock_wait_seconds,
            connections=tuple(connections),
        ),
        on_wait=events.on_wait,
        on_commit=events.on_commit,
        on_damage=events.on_damage,
        on_refusing=events.on_refusing,
    )


async def _open_postgresql(
    settings: SpoolSettings, connections: Sequence[str], events: SpoolEvents, fleet: FleetSettings = _ALONE
) -> Spool:
    try:
        # Only daemons with this engine pay for its driver.
        from intercomd_daemon.spool.postgresql.engine import open_spool as open_database  # noqa: PLC0415
        from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings  # noqa: PLC0415
    except ImportError as error:
        raise SpoolUnusable(f"{error}: a spool in PostgreSQL needs `pip install intercomd[postgresql]`") from error
    return await open_database(
        PostgresqlSettings(
            url=settings.url,
            password_file=settings.password_file,
            bytes_max=settings.bytes_max,
            duplicate_window_seconds=settings.duplicate_window_seconds,
            outcomes_max=settings.outcomes_max,
            outcomes_kept_seconds=settings.outcomes_kept_seconds,
            refusals_max=settings.refusals_max,
            connections=tuple(connections),
            daemon_id=fleet.daemon_id or f"{gethostname()}-{token_hex(3)}",
            lease_seconds=fleet.lease_seconds,
        ),
        on_commit=events.on_commit,
        on_refusing=events.on_refusing,
    )


async def _check_postgresql(settings: SpoolSettings) -> str:
    try:
        from intercomd_daemon.spool.postgresql.database_check import check_database  # noqa: PLC0415 - as above
    except ImportError as error:
        return f"{error}: a spool in PostgreSQL needs `pip install intercomd[postgresql]`"
    return await check_database(settings.url, settings.password_file)


class _PostgresqlMaintenance:
    """The maintenance of the engine on a database, which is loaded at its first use."""

    def lock(self, place: str, password_file: str = "") -> AbstractContextManager[ClosedSpool]:
        """Begins a snapshot; see `maintenance.Maintenance`."""
        return _postgresql_maintenance().lock(place, password_file)


def _fill_postgresql(url: str, password_file: str, content: Content) -> str:
    return _postgresql_maintenance().fill(url, password_file, content)


def _postgresql_maintenance() -> "PostgresqlMaintenance":
    try:
        from intercomd_daemon.spool.postgresql.maintenance import PostgresqlMaintenance  # noqa: PLC0415 - as above
    except ImportError as error:
        raise SpoolUnusable(f"{error}: a spool in PostgreSQL needs `pip install intercomd[postgresql]`") from error
    return PostgresqlMaintenance()


ENGINES: Mapping[str, Engine] = MappingProxyType(
    {
        "memory": Engine(_open_memory),
        "sqlite": Engine(_open_sqlite, inspect=inspect, maintenance=SqliteMaintenance(), find=find, content=opened),
        "postgresql": Engine(
            _open_postgresql,
            shared=True,
            check=_check_postgresql,
            maintenance=_PostgresqlMaintenance(),
            fill=_fill_postgresql,
        ),
    }
)

FILE_ENGINE = ENGINES["sqlite"]
"""The engine of a path that is given without a scheme."""
