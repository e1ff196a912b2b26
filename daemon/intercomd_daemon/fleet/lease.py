"""Leases of workspaces: when a daemon may take one, make calls under it, renew it, and must abort its calls.

Every time is in seconds of the daemon's own clock, which counts while the machine sleeps and never jumps. No clock of
the database takes part: after a fail-over it may be another machine's.
"""

from typing import NamedTuple

MARGIN_SECONDS = 2.0
"""Calls end this long before the lease does, and a claimant waits this long after it.

It covers the time that a call needs to be aborted, and clocks that run at different speeds."""
RENEWALS_PER_LEASE = 3
"""Two renewals may fail before the lease ends."""


class Fence(NamedTuple):
    """Names one holding of a lease; every statement of the holder carries it.

    The epoch alone is not enough: after a fail-over that lost commits, the database gives the same number again.
    """

    incarnation: str
    """A random name of the holder's process; empty: the lease was released."""
    epoch: int


class LeaseRow(NamedTuple):
    """A lease as the database has it."""

    fence: Fence
    renewal: int
    """Changes with each renewal."""
    timeline: int
    """The database's timeline when the row was written; a promoted standby begins another one."""


class Terms(NamedTuple):
    """How long a lease lasts."""

    lease_seconds: float
    margin_seconds: float = MARGIN_SECONDS


class Lease(NamedTuple):
    """A lease that this daemon holds."""

    fence: Fence
    sent_at: float
    """When the claim or the latest renewal was sent. The lease lasts from then, as the answer may take any time."""
    terms: Terms

    @property
    def abort_at(self) -> float:
        """The time at which all calls must have been aborted."""
        return self.sent_at + self.terms.lease_seconds - self.terms.margin_seconds

    @property
    def renew_at(self) -> float:
        """When the next renewal is due."""
        return self.sent_at + self.terms.lease_seconds / RENEWALS_PER_LEASE

    def may_call(self, now: float) -> bool:
        """Whether a call may start or stay open."""
        return now < self.abort_at

    def renewed(self, sent_at: float) -> "Lease":
        """Returns the lease after a renewal that was sent then, and found the row under its fence."""
        return self._replace(sent_at=max(self.sent_at, sent_at))


class Observation(NamedTuple):
    """What a claimant has seen of a lease on its current session."""

    row: LeaseRow
    since: float
    """When it first received this row."""
    timeline: int
    """The database's timeline now."""


def observe(before: Observation | None, row: LeaseRow, timeline: int, now: float) -> Observation:
    """Returns the observation after receiving a row.

    `before` is None on a new session: the database behind it may have lost commits, and with them renewals that the
    claimant never saw.
    """
    if before is not None and (before.row, before.timeline) == (row, timeline):
        return before
    return Observation(row, now, timeline)


def may_claim(observation: Observation, incarnation: str, now: float, terms: Terms) -> bool:
    """Whether to send a claim, which succeeds only if the row is still the observed one.

    A lease that was released, or that this process held, is free at once, unless the row is older than the latest
    fail-over: that may have lost the claim of another daemon, which still makes calls. Such a lease, and one that
    another process holds, is free once it was seen unchanged for its whole length and the margin.
    """
    if observation.row.fence.incarnation in {"", incarnation} and observation.row.timeline == observation.timeline:
        return True
    return now - observation.since >= terms.lease_seconds + terms.margin_seconds


def is_unclean(observation: Observation) -> bool:
    """Whether calls of a previous owner may still arrive, when this lease is taken.

    They may if the owner did not release the lease, even if the owner was this process: a lost lease cuts calls off.
    They may also after a fail-over, which may have lost the claim of an owner.
    """
    row, _, timeline = observation
    return row.fence.incarnation != "" or row.timeline != timeline
