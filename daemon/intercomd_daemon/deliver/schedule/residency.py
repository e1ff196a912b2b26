"""Where the rows of each lane are: in the log, in memory, or in the spool's table of parked lanes. Pure."""

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.deliver.schedule.pacing import RETRY_SECONDS_MAX

# Parked lanes in memory at once. Further ones stay in the spool until one of these is done or parked again.
LOADED_LANES_MAX = 64


class InMemory(NamedTuple):
    """All rows of the lane that were read from the log are in memory."""

    lane: Lane


class Loading(NamedTuple):
    """The lane is parked and due; its first page is being read."""


class Loaded(NamedTuple):
    """The lane is in the table of parked lanes; a page of it is in memory."""

    lane: Lane


class Parking(NamedTuple):
    """The lane is out of memory, and the spool has not committed yet that it is parked."""

    due: float
    """Unix seconds."""
    failures: int


class ParkedDuringRead(NamedTuple):
    """The spool has parked the lane, but the read in progress may still return rows of it from the log."""

    due: float
    failures: int


State = InMemory | Loading | Loaded | Parking | ParkedDuringRead
# Tuples, because a union would be made anew for each of these checks, of which every row needs some.
_IN_MEMORY = (InMemory, Loaded)
_LOADED = (Loading, Loaded)
_LEAVING = (Parking, ParkedDuringRead)


class Residency:
    """The state of each lane of one connection, and every transition.

    A lane without a state is absent: its rows are in the log, or it is parked and not due yet.

        absent ── add ───────────▶ InMemory ── overflow ──▶ Loaded
        absent ── start_loading ─▶ Loading ─── add ───────▶ Loaded
        InMemory, Loaded ── park ─▶ Parking ── confirm_parked ─▶ absent, or first ParkedDuringRead ── end_read ─▶ absent
        InMemory, Loaded ── remove ─▶ absent
        Loading, Loaded ── end_loading ─▶ absent, or InMemory

    If a read returns rows of a parked lane (`is_parked`), they are parked too. Kept in memory, they would overtake its
    earlier rows.
    """

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._loaded = 0
        self._parked_during_read = 0

    @property
    def lanes(self) -> dict[str, Lane]:
        """The lanes in memory by their keys."""
        return {key: state.lane for key, state in self._states.items() if isinstance(state, _IN_MEMORY)}

    @property
    def loaded(self) -> int:
        """Parked lanes in memory, those included whose first page is being read."""
        return self._loaded

    @property
    def full(self) -> bool:
        """Whether no further parked lane may be loaded."""
        return self._loaded >= LOADED_LANES_MAX

    def state(self, key: str) -> State | None:
        """Returns a lane's state; None if it is absent."""
        return self._states.get(key)

    def lane(self, key: str) -> Lane | None:
        """Returns the lane if it is in memory."""
        state = self._states.get(key)
        return state.lane if isinstance(state, _IN_MEMORY) else None

    def is_parked(self, key: str) -> bool:
        """Whether rows of the lane are in the table, or on their way there."""
        state = self._states.get(key)
        return state is not None and not isinstance(state, InMemory)

    def parked_as(self, key: str) -> tuple[float, int]:
        """Returns the due time and the failures of a lane that is on its way to the table; 0.0 and 0 for others."""
        state = self._states.get(key)
        return (state.due, state.failures) if isinstance(state, _LEAVING) else (0.0, 0)

    def add(self, lane: Lane) -> None:
        """Puts a lane into memory, whose first row was read."""
        self._set(lane.key, Loaded(lane) if isinstance(self._states.get(lane.key), Loading) else InMemory(lane))

    def overflow(self, lane: Lane) -> None:
        """Moves a lane in memory to the table of parked lanes, from which it is loaded page by page."""
        self._set(lane.key, Loaded(lane))

    def start_loading(self, key: str) -> None:
        """Notes that the first page of a parked lane is being read."""
        self._set(key, Loading())

    def end_loading(self, key: str) -> None:
        """Notes that no row of a lane is left in the table: from now on its rows come from the log."""
        state = self._states.get(key)
        if isinstance(state, Loaded) and len(state.lane.queue):
            self._set(key, InMemory(state.lane))
        elif isinstance(state, _LOADED):
            self._set(key, None)

    def park(self, lane: Lane, due: float) -> None:
        """Removes a lane from memory, to be parked until `due` (Unix seconds)."""
        self._set(lane.key, Parking(due, lane.failures))

    def confirm_parked(self, key: str, *, reading: bool) -> list[float]:
        """Notes that the spool has parked a lane; returns when it is due, nothing yet while a read is in progress."""
        state = self._states.get(key)
        if not isinstance(state, Parking):
            return []
        self._set(key, ParkedDuringRead(*state) if reading else None)
        return [] if reading else [state.due]

    def end_read(self) -> list[float]:
        """Notes that the read in progress has ended; returns when the lanes are due that were parked meanwhile."""
        if not self._parked_during_read:
            return []
        parked = {key: state.due for key, state in self._states.items() if isinstance(state, ParkedDuringRead)}
        for key in parked:
            self._set(key, None)
        return list(parked.values())

    def remove(self, lane: Lane) -> None:
        """Removes a lane from memory: no row is left, or the rest is in the table of parked lanes."""
        if self.lane(lane.key) is lane:
            self._set(lane.key, None)

    def _set(self, key: str, state: State | None) -> None:
        previous = self._states.get(key)
        self._loaded += isinstance(state, _LOADED) - isinstance(previous, _LOADED)
        self._parked_during_read += isinstance(state, ParkedDuringRead) - isinstance(previous, ParkedDuringRead)
        if state is None:
            self._states.pop(key, None)
        else:
            self._states[key] = state


class NextDue:
    """When the next parked lane is due, as far as known without a query of the spool."""

    def __init__(self) -> None:
        self._unknown = True
        """Whether a lane may be due without this object knowing it."""
        self._earliest = inf
        """Unix seconds; infinite if no lane is known to be parked."""

    def reached(self, now: float) -> bool:
        """Whether a parked lane is, or may be, due by `now` (Unix seconds)."""
        return self._unknown or self._earliest <= now

    def should_query(self, now: float) -> bool:
        """Whether to query the spool for lanes that are due."""
        # No lane is parked for longer than RETRY_SECONDS_MAX. If one seems to be, the clock was set back since.
        return self.reached(now) or now + RETRY_SECONDS_MAX < self._earliest < inf

    def seconds_left(self, now: float) -> float:
        """Returns how long to wait before the next query; infinite if no lane is known to be parked."""
        return 0.0 if self._unknown else max(0.0, self._earliest - now)

    def start_query(self) -> None:
        """Starts over for a query of the spool. Due times that are added until it ends count as well."""
        self._unknown, self._earliest = False, inf

    def add_due_times(self, dues: Iterable[float]) -> None:
        """Notes when further lanes are due."""
        self._earliest = min((self._earliest, *dues))

    def invalidate(self) -> None:
        """Notes that a lane may be due without this object knowing it: the next turn queries the spool."""
        self._unknown = True
