"""Both engines do what the model does, whatever is asked in whatever order.

The one on a disk also through kills, and through power cuts that lose and tear what was not synced.
"""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from database.server import database_time, spool_url
from disk.faulty import Disk
from disk.power_cut import power_cut
from disk.sqlite_vfs import below_sqlite
from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool import record
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.postgresql.engine import open_spool as open_postgresql
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings
from intercomd_daemon.spool.rows import CachedContact, DeadLetterFilter, Incoming, OutcomeFilter, RowPage, Settlement
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool
from spool.leased import LeasedSpool, leased
from spool.model import NOON, Model, Place, end_of, made

Result = TypeVar("Result")

CONNECTIONS = ("eu", "us")
MIB = 1 << 20

connections = st.sampled_from(CONNECTIONS)
priorities = st.sampled_from(Priority)
users = st.sampled_from(["ann", "bob", "cid"])
limits = st.sampled_from([1, 2, 3, 1_000])
# Few names, so that many are duplicates; some are UUIDs, which are stored as bytes.
names = st.sampled_from([str(number) for number in range(12)] + [f"0197a8e0-0000-7000-8000-{n:012x}" for n in range(6)])
rows = st.builds(
    made,
    connections,
    priorities,
    users,
    names,
    st.sampled_from([0, 60, 5_000]),
    recognised=st.sampled_from([True] * 3 + [False]),
)
places = st.tuples(connections, users.map("c:{}".format))
picks = st.lists(st.integers(0, 1_000), max_size=4)
"""Places in whatever there is to choose from."""
records = st.sampled_from([record.pack(made("eu", Priority.NORMAL, user, "x", 0, recognised=True)) for user in "abc"])
reasons = st.sampled_from(["", "", "REFUSED", "ARCHIVED"])


def chosen(among: Sequence[Result], picked: Sequence[int]) -> list[Result]:
    """Some of what there is."""
    return [among[pick % len(among)] for pick in picked] if among else []


class Machine(RuleBasedStateMachine):
    """An engine and the model, asked the same."""

    open: Callable[[], Awaitable[Spool]]
    """A method that each machine has of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Model(CONNECTIONS)
        self.spool: LeasedSpool

    def wait(self, asked: Awaitable[Result]) -> Result:
        async def ask() -> Result:
            return await asked

        return self.runner.run(ask())

    @initialize()
    def start(self) -> None:
        self.spool = self.wait(leased(self.wait(self.open())))

    def teardown(self) -> None:
        self.wait(self.spool.close())
        self.runner.close()

    @rule(sent=st.lists(rows, min_size=1, max_size=6))
    def append(self, sent: list[Any]) -> None:
        self.model.append(sent, self.wait(self.spool.append(sent)))

    @rule(connection=connections, priority=priorities, picked=picks, limit=limits, bytes_max=st.sampled_from([1, MIB]))
    def read(self, connection: str, priority: Priority, picked: list[int], limit: int, bytes_max: int) -> None:
        logged = self.model.logged(connection, priority)
        after = max(chosen([*self.model.rows, *self.model.gone], picked), default=0)
        page = self.wait(self.spool.read(connection, priority, after, limit, bytes_max))
        left: list[int] = []
        while not left and (looked_at := self.fitting([key for key in logged if key > after], limit, bytes_max)):
            after = looked_at[-1]
            for key in looked_at:
                self.model.rows[key].parked = self.model.rows[key].place in self.model.lanes
            left = [key for key in looked_at if not self.model.rows[key].parked]
        assert page.after == after
        self.check(page, left)

    def fitting(self, keys: list[int], limit: int, bytes_max: int) -> list[int]:
        """Where the engine has to stop: at the limits, but not before the first row."""
        size, fitting = 0, []
        for key in keys[:limit]:
            size += len(self.model.rows[key].incoming.data)
            if fitting and size > bytes_max:
                break
            fitting.append(key)
        return fitting

    def check(self, page: RowPage, keys: list[int]) -> None:
        """The rows of a page are those of the keys, as the model holds them."""
        held = [self.model.rows[key] for key in keys]
        assert [(row.key, row.priority, row.lane, row.data, row.progress) for row in page.rows] == [
            (key, each.incoming.priority, each.incoming.lane, each.incoming.data, each.progress)
            for key, each in zip(keys, held, strict=True)
        ]
        assert page.contacts == {each.incoming.lane: self.model.known_of(each.place) for each in held}
        assert page.corrupt == ()

    @rule(
        picked=picks,
        reason=reasons,
        worked=picks,
        progress=records,
        place=places,
        book=st.tuples(st.sampled_from(["", "i1", "i2"]), records | st.just(b"")),
    )
    def settle(
        self, picked: list[int], reason: str, worked: list[int], progress: bytes, place: Place, book: tuple[str, bytes]
    ) -> None:
        everything = {**self.model.rows, **self.model.gone}
        connection = place[0]
        own = [(key, held) for key, held in everything.items() if held.place[0] == connection]
        ended = [end_of(key, held, reason) for key, held in chosen(own, picked)]
        ahead = [(key, progress) for key, _ in chosen(own, worked)]
        entries = [CachedContact(place[1], *book)]
        outcomes = self.wait(self.spool.settle([Settlement(connection, ended, ahead, entries)]))
        assert outcomes == self.model.settle(ended, ahead)
        self.model.learn(connection, entries[0])

    @rule(place=places, picked=picks, due=st.floats(1.0, 100.0), attempts=st.integers(0, 9))
    def park(self, place: Place, picked: list[int], due: float, attempts: int) -> None:
        keys = chosen([key for key, held in self.model.rows.items() if held.place == place], picked)
        gone = chosen([key for key, held in self.model.gone.items() if held.place == place], picked)
        self.wait(self.spool.park(*place, [*keys, *gone], due, attempts))
        self.model.lanes[place] = (due, attempts)
        for key in keys:
            self.model.rows[key].parked = True

    @rule(connection=connections, now=st.floats(0.0, 101.0), limit=limits)
    def due(self, connection: str, now: float, limit: int) -> None:
        lanes = sorted((due, place[1]) for place, (due, _) in self.model.lanes.items() if place[0] == connection)
        ready = [lane for due, lane in lanes[:limit] if due <= now]
        following = lanes[len(ready)][0] if len(ready) < len(lanes) else 0.0
        assert self.wait(self.spool.due(connection, now, limit)) == (ready, following)

    @rule(place=places, picked=picks, limit=limits)
    def parked(self, place: Place, picked: list[int], limit: int) -> None:
        keys = self.model.parked(place)
        after = max(chosen(keys, picked), default=0)
        page = self.wait(self.spool.parked(*place, after, limit, MIB))
        following = self.fitting([key for key in keys if key > after], limit, MIB)
        assert page.attempts == self.model.lanes.get(place, (0.0, 0))[1]
        self.check(page, following)
        if not after and not following:
            self.model.lanes.pop(place, None)

    @rule(connection=connections | st.just(""), reason=reasons, replayed=st.booleans(), wrong=st.booleans())
    def end_letters(self, connection: str, reason: str, replayed: bool, wrong: bool) -> None:
        wanted = DeadLetterFilter(connection=connection, reason=reason)
        letters = self.wait(self.spool.dead_letters(wanted, 0, 1_000))
        ids = [letter.dead_letter_id for letter in letters]
        act = self.spool.replay if replayed else self.spool.discard
        if wrong:
            assert self.wait(act(wanted, len(ids) + 1)) == -1
            return
        assert self.wait(act(wanted, len(ids))) == len(ids)
        if replayed:
            self.model.replay(ids)
        else:
            self.model.discard(ids)

    @rule(connection=connections, paused=st.booleans())
    def pause(self, connection: str, paused: bool) -> None:
        self.wait(self.spool.set_paused(connection, paused))
        self.model.paused = self.model.paused - {connection} | ({connection} if paused else set())

    @rule(connection=connections | st.just(""), customer_id=users | st.just(""), before=st.integers(0, 9), limit=limits)
    def look_back(self, connection: str, customer_id: str, before: int, limit: int) -> None:
        wanted = OutcomeFilter(connection=connection, customer_id=customer_id)
        matching = [each for each in self.model.journal.values() if wanted.matches(each)]
        older = [outcome for outcome in matching if not before or outcome.sequence < before]
        assert self.wait(self.spool.outcomes(wanted, before, limit)) == older[::-1][:limit]
        newer = [outcome for outcome in matching if outcome.sequence > before]
        oldest = min(self.model.journal, default=0)
        assert self.wait(self.spool.outcomes_after(wanted, before, limit)) == (newer[:limit], oldest)

    @rule(connection=connections, name=names)
    def look_for(self, connection: str, name: str) -> None:
        rows = [held.incoming for held in self.model.rows.values()]
        waiting = [row.data for row in rows if (row.connection, row.envelope_id) == (connection, name)]
        found = self.wait(self.spool.waiting(connection, name))
        assert (found and record.pack(found)) in (waiting or [None])

    @invariant()
    def counts_agree(self) -> None:
        usage = self.spool.usage()
        assert usage.connections == {name: self.model.usage(name) for name in CONNECTIONS}
        assert usage.full_reason == ""
        assert self.wait(self.spool.paused()) == self.model.paused

    @invariant()
    def letters_agree(self) -> None:
        letters = self.wait(self.spool.dead_letters(DeadLetterFilter(), 0, 1_000))
        assert letters == [letter for letter, _ in self.model.letters.values()]


class MemoryMachine(Machine):
    """The engine without a disk."""

    async def open(self) -> Spool:
        return MemorySpool(CONNECTIONS, wall=lambda: NOON)


class SqliteMachine(Machine):
    """The engine on a disk, which may close, or stop at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="intercomd-model-"))
        self.path = self.folder / "spool.db"
        self.damages: list[str] = []
        self.below = ExitStack()

    async def open(self) -> Spool:
        configured = SqliteSettings(str(self.path), free_bytes_min=0, connections=CONNECTIONS)
        return await open_spool(configured, wall=lambda: NOON, on_damage=self.damages.append)

    @initialize()
    def start(self) -> None:
        self.watch()
        super().start()

    def watch(self) -> None:
        """Existing files are durable on a new disk; later writes are durable once they are synced."""
        self.below.close()
        self.disk = Disk(self.folder)
        self.below.enter_context(below_sqlite(self.disk))

    def teardown(self) -> None:
        super().teardown()
        self.below.close()
        shutil.rmtree(self.folder)

    @invariant()
    def nothing_is_taken_for_damage(self) -> None:
        assert self.damages == []

    @rule()
    def reopen(self) -> None:
        self.wait(self.spool.close())
        self.spool = self.wait(leased(self.wait(self.open())))

    @rule(lost=st.lists(rows, max_size=3))
    def crash(self, lost: list[Any]) -> None:
        """Goes on from the files as they were after a commit: what came later never was."""
        files = {file: file.read_bytes() for file in (self.path, self.path.with_name("spool.db-wal"))}
        self.wait(self.spool.append(lost))
        self.wait(self.spool.close())
        for file, content in files.items():
            file.write_bytes(content)
        self.watch()
        self.spool = self.wait(leased(self.wait(self.open())))

    @rule(last=rows, seed=st.integers(0, 1 << 32))
    def cut_power(self, last: Incoming, seed: int) -> None:
        """Goes on from what a power cut amid an append leaves: all that was answered, and that append or not."""
        last = replace(last, envelope_id=f"last {self.model.position}")
        chance = random.Random(seed)  # noqa: S311 - nothing to guess
        before = len(self.disk.operations)
        keys = self.wait(self.spool.append([last]))
        done = self.disk.operations[: chance.randint(before, len(self.disk.operations))]
        self.wait(self.spool.close())
        for file in self.folder.glob("spool.db*"):
            file.unlink()
        for name, content in power_cut(done, chance).items():
            (self.folder / name).write_bytes(content)
        self.watch()
        self.spool = self.wait(leased(self.wait(self.open())))
        if self.spool.usage().connections != {name: self.model.usage(name) for name in CONNECTIONS}:
            self.model.append([last], keys)


class PostgresqlMachine(Machine):
    """The engine on a database, which may close at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.url = spool_url()

    async def open(self) -> Spool:
        configured = PostgresqlSettings(url=self.url, connections=CONNECTIONS, poll_seconds=3_600.0)
        return await open_postgresql(configured, wall=lambda: NOON, database_time=database_time(lambda: NOON))

    @rule()
    def reopen(self) -> None:
        self.wait(self.spool.close())
        self.spool = self.wait(leased(self.wait(self.open())))


TestMemory = MemoryMachine.TestCase
TestPostgresql = PostgresqlMachine.TestCase
TestSqlite = SqliteMachine.TestCase
TestMemory.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestPostgresql.settings = settings(TestMemory.settings, max_examples=30)
TestSqlite.settings = settings(TestMemory.settings, max_examples=60)
