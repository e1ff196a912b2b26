"""Batches of envelopes as the senders publish them, and the check of every result.

A batch records whether the daemon may have accepted it already.
"""

import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import Disposition, EnvelopeResult
from kill_harness.plan import ACCEPTED, REJECTED, SKIPPED, User, disposition, made

DUPLICATE = Disposition.DISPOSITION_DUPLICATE
BATCH_MAX = 12


class Attempt(msgspec.Struct):
    """A batch that was sent, and what came of it. Times are of the clock that all processes of a machine share."""

    ids: list[str]
    sent: float
    ended: float
    how: str
    """"answered", "refused": the daemon said that nothing was taken; "lost": no answer arrived."""
    accepted: list[str] = []
    known: list[str] = []
    """Duplicates, of an attempt that was lost."""
    repeated: int = 0
    """Duplicates, of a batch that was sent again after its answer."""
    turned_away: list[str] = []
    """Skipped and rejected."""


@dataclass(slots=True)
class Batch:
    """Envelopes that are sent together until they are taken."""

    envelopes: list[Envelope]
    expected: list[Disposition]
    sent: float = 0.0
    unknown: bool = False
    """Whether an attempt was lost, so that the daemon may know the envelopes."""

    def check(self, results: Sequence[EnvelopeResult]) -> Attempt:
        """What must hold of any answer: all is taken or known, and known only what may be."""
        names = [envelope.envelope_id for envelope in self.envelopes]
        assert [result.envelope_id for result in results] == names, f"{results} for {names}"
        given = [result.disposition for result in results]
        taken = {now for now, first in zip(given, self.expected, strict=True) if first == ACCEPTED}
        assert taken in (set(), {ACCEPTED}, {DUPLICATE}), f"a request is taken whole: {results}"
        assert self.unknown or DUPLICATE not in taken, f"known before it was ever sent, or refused and taken: {results}"
        turned = [name for name, now in zip(names, given, strict=True) if now in {SKIPPED, REJECTED}]
        wanted = [name for name, first in zip(names, self.expected, strict=True) if first in {SKIPPED, REJECTED}]
        assert turned == wanted, f"neither more nor less is turned away: {results}"
        by_kind = {kind: [r.envelope_id for r in results if r.disposition == kind] for kind in (ACCEPTED, DUPLICATE)}
        return self._attempt("answered", accepted=by_kind[ACCEPTED], known=by_kind[DUPLICATE], turned_away=turned)

    def failed(self, *, refused: bool) -> Attempt:
        """No answer to this batch."""
        self.unknown = self.unknown or not refused
        return self._attempt("refused" if refused else "lost")

    def _attempt(self, how: str, **fields: Any) -> Attempt:  # noqa: ANN401 - of the attempt
        ids = [envelope.envelope_id for envelope in self.envelopes]
        return Attempt(ids, self.sent, time.monotonic(), how, **fields)


class Line:
    """The envelopes of some users, each user's in order, in batches."""

    def __init__(self, users: Iterable[User], seed: int, *, agent: bool = False) -> None:
        self._agent = agent
        self.random = random.Random(seed)  # noqa: S311 - what comes next is nothing to guess
        self._next = dict.fromkeys(users, 0)

    def batch(self) -> Batch:
        """The next one."""
        envelopes, expected = [], []
        for _ in range(self.random.randint(1, BATCH_MAX)):
            user = self.random.choice(list(self._next))
            number = self._next[user]
            self._next[user] += 1
            envelopes.append(made(user, number))
            first = disposition(number)
            expected.append(ACCEPTED if self._agent and first == SKIPPED else first)
        return Batch(envelopes, expected)
