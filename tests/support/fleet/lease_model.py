"""A model of one workspace's lease: three daemons, a database that fails over, sessions that break, clocks.

Times are ages: "now" is always 0, and a tick makes everything older. The daemons decide by `fleet.lease`, the code that
the daemon runs. A mutant overrides one rule; the tests see that the model then breaks a law.
"""

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import NamedTuple

from fleet.explorer import Step
from intercomd_daemon.fleet.lease import Fence, Lease, LeaseRow, Observation, Terms, may_claim, observe

TERMS = Terms(lease_seconds=2, margin_seconds=1)
ENDED = 1
"""A lease this old allows no call; ages above make no difference."""
FREE = 3
"""A row seen for this long may be claimed; ages above make no difference."""
NOBODY = Fence("", 0)
NAMES = ("a", "b", "c")


class Message(NamedTuple):
    """A statement on its way to the database."""

    kind: str
    row: LeaseRow
    """What it expects: a claim the whole row, all others its fence."""
    sent_at: float
    done: bool | None = None
    """What the database answered; None: it has not reached the database yet."""


class Daemon(NamedTuple):
    """One daemon."""

    incarnation: str
    running: bool = True
    connected: bool = True
    lease: Lease | None = None
    seen: Observation | None = None
    message: Message | None = None
    calling: bool = False


class Budget(NamedTuple):
    """How often each fault may still happen."""

    claims: int = 3
    renewals: int = 1
    breaks: int = 1
    fail_overs: int = 1
    stops: int = 1
    crashes: int = 1
    lags: int = 1


class World(NamedTuple):
    """A state of the model."""

    daemons: tuple[Daemon, ...]
    row: LeaseRow = LeaseRow(NOBODY, 0, 0)
    lost: LeaseRow = LeaseRow(NOBODY, 0, 0)
    """The row that a fail-over brings back: the one before the last commit."""
    row_age: float = 0
    """Since its last renewal, by the database's clock."""
    stray: tuple[str, Message] | None = None
    """A statement whose answer nobody waits for, which the database may perform at any time."""
    timeline: int = 0
    wrong: str = ""
    """The law that a commit broke."""
    budget: Budget = Budget()


class Rules:
    """The rules as they are meant."""

    def may_call(self, daemon: Daemon) -> bool:
        """Whether the daemon may start or go on with a call."""
        return daemon.lease is not None and daemon.lease.may_call(0)

    def may_claim(self, daemon: Daemon, _world: World) -> bool:
        """Whether the daemon may claim the row that it has seen."""
        return daemon.seen is not None and may_claim(daemon.seen, daemon.incarnation, 0, TERMS)

    def claims(self, row: LeaseRow, message: Message) -> bool:
        """Whether the database performs a claim."""
        return row == message.row

    def holds(self, row: LeaseRow, message: Message) -> bool:
        """Whether the database performs a renewal, settlement or release."""
        return row.fence == message.row.fence

    def reconnected(self, daemon: Daemon) -> Daemon:
        """The daemon with a new session."""
        return daemon._replace(connected=True, lease=None, seen=None, calling=False)

    def aborts(self, daemon: Daemon) -> bool:
        """Whether an open call ends now."""
        return not self.may_call(daemon)

    def counted_from(self, message: Message) -> float:
        """When a lease begins that this claim or renewal brought."""
        return message.sent_at


class LeaseModel:
    """The steps of the model under some rules."""

    def __init__(self, rules: Rules, budget: Budget, *, daemons: int = 3, database_clock: bool = False) -> None:
        self.rules = rules
        self.database_clock = database_clock
        self.initial = World(tuple(Daemon(name) for name in NAMES[:daemons]), budget=budget)

    def broken(self, world: World) -> str:
        """The law that a state breaks."""
        if world.wrong:
            return world.wrong
        if sum(self.rules.may_call(daemon) for daemon in world.daemons) > 1:
            return "two daemons may call"
        if sum(daemon.calling and daemon.running for daemon in world.daemons) > 1:
            return "two daemons have calls open"
        return ""

    def following(self, world: World) -> Iterator[Step]:
        """Everything that may happen next; of states that differ in the daemons' names alone, one."""
        for step, after in self._following(world):
            yield step, _canonical(after)

    def _following(self, world: World) -> Iterator[Step]:
        budget = world.budget
        yield "tick", self._tick(world, lagging=-1)
        if world.stray:
            name, message = world.stray
            yield f"stray {message.kind} of {name}", self._perform(world, name, message)[0]._replace(stray=None)
        if budget.fail_overs:
            yield "fail-over", self._fail_over(world)
        for place, daemon in enumerate(world.daemons):
            name = daemon.incarnation
            if budget.lags:
                yield f"lag of {name}", self._tick(world, lagging=place)
            if budget.crashes:
                new = Daemon(f"new {name}")
                stray = self._stray(world, daemon)
                yield f"crash of {name}", _with(stray, place, new, crashes=-1)
            if not daemon.running:
                going = daemon._replace(running=True)
                yield (
                    f"continue {name}",
                    _with(world, place, going._replace(calling=going.calling and not self.rules.aborts(going))),
                )
            elif budget.stops:
                yield f"stop {name}", _with(world, place, daemon._replace(running=False), stops=-1)
            yield from self._session(world, place, daemon)
            if daemon.running:
                yield from self._decisions(world, place, daemon)

    def _decisions(self, world: World, place: int, daemon: Daemon) -> Iterator[Step]:
        name = daemon.incarnation
        if not daemon.calling and self.rules.may_call(daemon):
            yield f"call of {name}", _with(world, place, daemon._replace(calling=True))
        if daemon.lease is not None and world.stray is None:
            # Settlements have a session of their own.
            settlement = Message("settle", LeaseRow(daemon.lease.fence, 0, 0), 0)
            yield f"send-settlement of {name}", world._replace(stray=(name, settlement))
        if not daemon.connected:
            yield f"reconnect {name}", _with(world, place, self.rules.reconnected(daemon))
            return
        if daemon.message is not None:
            return
        if daemon.lease is None:
            seen = observe(daemon.seen, world.row, world.timeline, 0)
            if seen != daemon.seen:
                yield f"look of {name}", _with(world, place, daemon._replace(seen=seen))
            if world.budget.claims and self.rules.may_claim(daemon, world) and daemon.seen is not None:
                claim = Message("claim", daemon.seen.row, 0)
                yield f"send-claim of {name}", _with(world, place, daemon._replace(message=claim), claims=-1)
            return
        row = LeaseRow(daemon.lease.fence, 0, 0)
        if world.budget.renewals:
            renewal = Message("renew", row, 0)
            yield f"send-renewal of {name}", _with(world, place, daemon._replace(message=renewal), renewals=-1)
        if world.stray is None and not daemon.calling:
            released = _with(world, place, daemon._replace(lease=None))
            yield f"send-release of {name}", released._replace(stray=(name, Message("release", row, 0)))

    def _session(self, world: World, place: int, daemon: Daemon) -> Iterator[Step]:
        name, message = daemon.incarnation, daemon.message
        if daemon.connected and world.budget.breaks:
            stray = self._stray(world, daemon)
            yield f"break of {name}", _with(stray, place, daemon._replace(connected=False, message=None), breaks=-1)
        if message is None:
            return
        if message.done is None:
            after, done = self._perform(world, name, message)
            yield f"{message.kind} of {name}", _with(after, place, daemon._replace(message=message._replace(done=done)))
        elif daemon.running:
            yield f"receive {message.kind} by {name}", _with(world, place, self._received(daemon, message))

    def _received(self, daemon: Daemon, message: Message) -> Daemon:
        daemon = daemon._replace(message=None)
        sent_at = self.rules.counted_from(message)
        if not message.done:
            return daemon._replace(lease=None, seen=None, calling=False)
        if message.kind == "claim":
            fence = Fence(daemon.incarnation, message.row.fence.epoch + 1)
            return daemon._replace(lease=Lease(fence, sent_at, TERMS), seen=None)
        return daemon._replace(lease=daemon.lease.renewed(sent_at)) if daemon.lease else daemon

    def _perform(self, world: World, name: str, message: Message) -> tuple[World, bool]:
        """The database performs a statement; returns whether it took effect."""
        row = world.row
        if message.kind == "claim":
            if not self.rules.claims(row, message):
                return world, False
            return self._commit(world, LeaseRow(Fence(name, message.row.fence.epoch + 1), 0, world.timeline)), True
        if not self.rules.holds(row, message):
            return world, False
        if message.kind == "settle":
            holder = row.fence == message.row.fence
            return (world if holder else world._replace(wrong="a settlement under another daemon's lease")), True
        if message.kind == "release":
            return self._commit(world, LeaseRow(Fence("", row.fence.epoch), 0, world.timeline)), True
        return self._commit(world, LeaseRow(row.fence, row.renewal + 1, world.timeline)), True

    def _commit(self, world: World, row: LeaseRow) -> World:
        return world._replace(row=row, lost=world.row, row_age=0)

    def _stray(self, world: World, daemon: Daemon) -> World:
        """The world after a session broke: its statement may still be performed, without an answer."""
        message = daemon.message
        if message is None or message.done is not None or world.stray is not None:
            return world
        return world._replace(stray=(daemon.incarnation, message))

    def _fail_over(self, world: World) -> World:
        daemons = tuple(daemon._replace(connected=False, message=None) for daemon in world.daemons)
        budget = world.budget._replace(fail_overs=world.budget.fail_overs - 1)
        # The new machine's clock is an hour ahead.
        return world._replace(
            daemons=daemons,
            row=world.lost,
            timeline=world.timeline + 1,
            stray=None,
            budget=budget,
            row_age=FREE if self.database_clock else 0,
        )

    def _tick(self, world: World, *, lagging: int) -> World:
        """Time passes; the clock of one daemon may miss it."""
        daemons = []
        for place, daemon in enumerate(world.daemons):
            aged = daemon if place == lagging else _aged(daemon)
            if aged.running and aged.calling and self.rules.aborts(aged):
                aged = aged._replace(calling=False)
            daemons.append(aged)
        budget = world.budget._replace(lags=world.budget.lags - (lagging >= 0))
        row_age = min(world.row_age + 1, FREE) if self.database_clock else 0
        return world._replace(daemons=tuple(daemons), budget=budget, row_age=row_age)


@lru_cache(maxsize=1 << 16)
def _aged(daemon: Daemon) -> Daemon:
    lease, seen, message = daemon.lease, daemon.seen, daemon.message
    return daemon._replace(
        lease=lease and lease._replace(sent_at=max(lease.sent_at - 1, -ENDED)),
        seen=seen and seen._replace(since=max(seen.since - 1, -FREE)),
        message=message and message._replace(sent_at=max(message.sent_at - 1, -ENDED)),
    )


def _with(world: World, place: int, daemon: Daemon, **spent: int) -> World:
    """The world with another state of one daemon, and less of a budget."""
    daemons = (*world.daemons[:place], daemon, *world.daemons[place + 1 :])
    if not spent:
        return world._replace(daemons=daemons)
    budget = world.budget._replace(**{name: getattr(world.budget, name) + by for name, by in spent.items()})
    return world._replace(daemons=daemons, budget=budget)


def _look(world: World, daemon: Daemon) -> tuple[object, ...]:
    """What a daemon is doing, without its name; comparable."""
    own, lease, seen, message = daemon.incarnation, daemon.lease, daemon.seen, daemon.message
    return (
        daemon[1:3],
        daemon.calling,
        (lease.sent_at, lease.fence.epoch) if lease else (),
        (seen.since, seen.row[0][0] == own, seen.row[0][1], seen.row[1:], seen.timeline) if seen else (),
        (message.sent_at, message.kind, str(message.done), message.row[0][0] == own) if message else (),
        world.row[0][0] == own,
        world.lost[0][0] == own,
        world.stray is not None and world.stray[0] == own,
    )


@lru_cache(maxsize=1 << 20)
def _canonical(world: World) -> World:
    """Renames the daemons by what they are doing, so that states that differ in names alone become equal."""
    daemons = sorted(world.daemons, key=partial(_look, world))
    names = {daemon.incarnation: name for daemon, name in zip(daemons, NAMES, strict=False)}
    if all(old == new for old, new in names.items()):
        return world

    def row(old: LeaseRow) -> LeaseRow:
        return LeaseRow(fence(old.fence), old.renewal, old.timeline)

    def fence(old: Fence) -> Fence:
        return Fence(names.get(old.incarnation, old.incarnation and "dead"), old.epoch)

    def message(old: Message) -> Message:
        return old._replace(row=row(old.row))

    renamed = tuple(
        daemon._replace(
            incarnation=names[daemon.incarnation],
            lease=daemon.lease and daemon.lease._replace(fence=fence(daemon.lease.fence)),
            seen=daemon.seen and daemon.seen._replace(row=row(daemon.seen.row)),
            message=daemon.message and message(daemon.message),
        )
        for daemon in daemons
    )
    stray = world.stray and (names.get(world.stray[0], "dead"), message(world.stray[1]))
    return world._replace(daemons=renamed, row=row(world.row), lost=row(world.lost), stray=stray)
