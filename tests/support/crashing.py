"""A daemon that is killed again and again while senders publish and deliveries run; what must hold of it at the end.

Every envelope is made from its user and number alone, so that what Intercom has to hold is known without the daemon.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
from daemons import Daemon
from sending import NOON, envelope

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CommerceEvent, Product, ProductAction, ProductActionType
from intercomd.v1.ingest_pb2 import Disposition
from intercomd.v1.operations_pb2 import WatchOutcomesRequest
from intercomd.v1.outcome_pb2 import Outcome, OutcomeType
from intercomd_daemon.sandbox import Sandbox

USERS = 24
BATCH_MAX = 12
BACKLOG = 600
"""Senders wait while so many envelopes are accepted and not delivered: what is left at the end must not take long."""
WAIT_SECONDS = 120.0
SPACING = 5
"""Seconds between a user's envelopes: more than the events that one of them becomes."""
FAULTS = ("* delay=4ms", "* cut-after probability=0.004", "* 503 probability=0.004")

Arrival = tuple[str, int, dict[str, Any]]
"""An event's name, seconds after noon, and metadata."""
_TAKEN = {Disposition.DISPOSITION_ACCEPTED, Disposition.DISPOSITION_DUPLICATE}
_UNKNOWN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


@dataclass
class Figures:
    """What a run came to."""

    kills: int = 0
    while_publishing: int = 0
    """Kills that left a sender without an answer."""
    while_delivering: int = 0
    """Kills that cut a call to Intercom."""
    while_starting: int = 0
    accepted: int = 0
    calls: int = 0
    repeats: int = 0
    """Events that Intercom got twice and knew again."""
    duplicates: int = 0
    """Envelopes that a sender sent again without need, and the daemon knew again."""
    types: Counter[str] = field(default_factory=Counter)


def user_of(number: int) -> tuple[str, str]:
    """Customer id and email; every fourth user is known by email only."""
    return ("", f"user-{number}@example.org") if number % 4 == 3 else (f"user-{number}", "")


def made(user: int, number: int) -> Envelope:
    """The user's envelope of this number: an event, a purchase of two products, an update, or an event with one."""
    customer_id, email = user_of(user)
    fields: dict[str, Any] = {"email": email, "envelope_id": f"{user}/{number}"}
    update = {"step": number, "text": f"text {number} of {user}"}
    match number % 5:
        case 0:
            return envelope(customer_id, update=update, **fields)
        case 1:
            return envelope(customer_id, "Step", at=number * SPACING, metadata={"n": number}, update=update, **fields)
        case 2:
            plain = envelope(customer_id, "Step", at=number * SPACING, **fields)
            plain.commerce_event.CopyFrom(_purchase(number))
            return plain
        case _:
            return envelope(customer_id, "Step", at=number * SPACING, metadata={"n": number}, **fields)


def _purchase(number: int) -> CommerceEvent:
    products = [Product(id=f"{number}-{place}") for place in range(2)]
    action = ProductActionType.PRODUCT_ACTION_TYPE_PURCHASE
    return CommerceEvent(product_action=ProductAction(action=action, products=products, total_amount=f"{number}.50"))


def arrivals(number: int) -> Iterator[Arrival]:
    """The events that an envelope of this number has to become, in order."""
    at = number * SPACING
    match number % 5:
        case 0:
            return
        case 2:
            for place in range(2):
                yield "eCommerce - purchase - Item", at + place, {"Id": f"{number}-{place}"}
            total = {"Total Amount": number + 0.5, "Currency Code": "USD", "Product Count": 2}
            yield "eCommerce - purchase - Total", at + 2, total
        case _:
            yield "Step", at, {"n": number}


class Crashing:
    """One run."""

    def __init__(self, daemon: Daemon, sandbox: Sandbox, seed: int) -> None:
        self._daemon = daemon
        self._sandbox = sandbox
        self._random = random.Random(seed)  # noqa: S311 - when to kill is nothing to guess
        self._up = asyncio.Event()
        self._over = False
        self._publishing = 0
        self._sent: dict[int, int] = dict.fromkeys(range(USERS), 0)
        """How many envelopes of each user are accepted: all of lower numbers."""
        self.figures = Figures()
        self._faults = [sandbox.fault(fault) for fault in FAULTS]

    async def run(self, kills: int) -> Figures:
        """Kills the daemon so often, lets it finish, and checks what Intercom and the journal hold."""
        await self._rise()
        async with asyncio.TaskGroup() as senders:
            for user in range(USERS):
                senders.create_task(self._send(user))
            while self.figures.kills < kills:
                await self._fall()
                await self._rise()
            self._over = True
        self._sandbox.faults.clear()
        outcomes = await self._all_outcomes()
        self._check_outcomes(outcomes)
        self._check_outcomes(await self._daemon.journal())
        self._check_arrivals()
        self._check_contacts()
        self.figures.calls = self._sandbox.record.count
        return self.figures

    async def _rise(self) -> None:
        await self._daemon.start()
        self._up.set()

    async def _fall(self) -> None:
        figures = self.figures
        target = self._sandbox.record.count + self._random.randrange(5, 150)
        while not (self._sandbox.record.count >= target and self._publishing and self._calling()):
            seen = self._sandbox.record.count
            await self._sandbox.wait_for(lambda sandbox, seen=seen: sandbox.record.count > seen, WAIT_SECONDS)
        self._up.clear()
        figures.kills += 1
        figures.while_publishing += self._publishing > 0
        figures.while_delivering += self._calling()
        await self._daemon.kill()
        if self._random.random() < 0.2:
            await self._daemon.launch()
            await self._daemon.heard("operations")
            figures.kills += 1
            figures.while_starting += 1
            await self._daemon.kill()

    def _calling(self) -> bool:
        """Whether a call is under way."""
        return any(not call.ended for call in self._sandbox.calls[-100:])

    async def _send(self, user: int) -> None:
        """One user's envelopes in order: the next batch leaves when the last one is known to be taken."""
        while not self._over:
            first = self._sent[user]
            count = self._random.randint(1, BATCH_MAX)
            batch = [made(user, number) for number in range(first, first + count)]
            await self._until_taken(batch)
            self._sent[user] += count
            await self._sandbox.wait_for(lambda _: self._over or self._backlog() < BACKLOG, WAIT_SECONDS)

    def _backlog(self) -> int:
        # Of five envelopes two are one event, one is three and one is one beside its update: six of five.
        return sum(self._sent.values()) - self._sandbox.workspace.events.taken * 5 // 6

    async def _until_taken(self, batch: list[Envelope]) -> None:
        while True:
            await self._up.wait()
            self._publishing += 1
            try:
                answer = await self._daemon.publish(*batch)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _UNKNOWN:
                    raise
                continue
            finally:
                self._publishing -= 1
            dispositions = Counter(result.disposition for result in answer.results)
            assert dispositions.keys() <= _TAKEN, answer
            self.figures.duplicates += dispositions[Disposition.DISPOSITION_DUPLICATE]
            self.figures.accepted += len(batch)
            return

    def _accepted(self) -> list[str]:
        return [f"{user}/{number}" for user, count in self._sent.items() for number in range(count)]

    async def _all_outcomes(self) -> list[Outcome]:
        """The journal, watched from its beginning until every accepted envelope is in it."""
        missing = set(self._accepted())
        outcomes: list[Outcome] = []
        watch = self._daemon.operations.WatchOutcomes(WatchOutcomesRequest(after_sequence=0))
        async with asyncio.timeout(WAIT_SECONDS):
            while missing:
                told = await watch.read()
                assert told is not grpc.aio.EOF
                assert not told.missed_count
                outcomes.append(told.outcome)
                missing.discard(told.outcome.envelope_id)
        watch.cancel()
        return outcomes

    def _check_outcomes(self, outcomes: list[Outcome]) -> None:
        """Each accepted envelope has one outcome, nothing else has one, and none is a dead letter."""
        counts = Counter(outcome.envelope_id for outcome in outcomes)
        assert sorted(counts) == sorted(self._accepted())
        assert set(counts.values()) == {1}
        assert self._daemon.outcomes.total() == len(self._daemon.outcomes), "no outcome is told twice"
        sequences = [outcome.sequence for outcome in outcomes]
        assert sequences == sorted(set(sequences))
        self.figures.types = Counter(OutcomeType.Name(outcome.type) for outcome in outcomes)
        assert self.figures.types.keys() <= {"OUTCOME_TYPE_DELIVERED", "OUTCOME_TYPE_UNCHANGED"}

    def _check_arrivals(self) -> None:
        """Intercom holds each user's events once, in order, with the very content; what came twice it knew again."""
        arrived: dict[str, list[Arrival]] = defaultdict(list)
        for event in self._sandbox.events:
            identity = event.external_id or event.email or ""
            arrived[identity].append((event.name, event.created_at - NOON, event.metadata))
        for user, count in self._sent.items():
            expected = [arrival for number in range(count) for arrival in arrivals(number)]
            assert arrived.pop(user_of(user)[0] or user_of(user)[1], []) == expected, f"user {user}"
        assert not arrived
        self.figures.repeats = self._sandbox.workspace.events.repeated
        cut = sum(fault.hit for fault in self._faults)
        by_user = Counter(event.contact_id for event in self._sandbox.repeats)
        assert all(repeats <= self.figures.kills + cut for repeats in by_user.values())

    def _check_contacts(self) -> None:
        """Every user is there once, with the last values that were said."""
        held = {contact.external_id or contact.email: contact.custom_attributes for contact in self._sandbox.contacts}
        assert len(held) == len(self._sandbox.contacts)
        for user, count in self._sent.items():
            last = max((number for number in range(count) if number % 5 in {0, 1}), default=None)
            expected = {} if last is None else {"step": last, "text": f"text {last} of {user}"}
            assert held.pop(user_of(user)[0] or user_of(user)[1], {}) == expected, f"user {user}"
        assert not held
        assert self._sandbox.illegal_requests == []
