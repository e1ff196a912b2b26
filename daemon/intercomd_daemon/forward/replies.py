"""What a call to the gateway ended with, and what follows from it. Pure."""

from enum import Enum, auto
from typing import NamedTuple

from intercomd_daemon.envelope import Finding

RETRY_SECONDS_MAX = 30.0
"""The longest pause before a call is repeated: a gateway that is back is used within half a minute."""
RETRY_SECONDS_FIRST = 1.0


class Result(NamedTuple):
    """The gateway's result for one envelope."""

    disposition: int
    """A number of `Disposition` in ingest.proto."""
    violations: tuple[Finding, ...] = ()
    adjustments: tuple[Finding, ...] = ()


class Reply(NamedTuple):
    """The response to a call, or its error status."""

    code: str
    """The name of the gRPC status; `OK` for a response."""
    message: str = ""
    """Of an error, for people."""
    retry_after_seconds: float | None = None
    """The pause that the gateway asks for; None: it asks for none."""
    reason: str = ""
    """Of the ErrorInfo, such as SPOOL_CHANGED."""
    spool_id: str = ""
    """The gateway's spool; of an error only with SPOOL_CHANGED."""
    results: tuple[Result, ...] = ()


class Next(Enum):
    """What follows from a reply."""

    SETTLE = auto()
    """Every envelope has its result."""
    DIVIDE = auto()
    """Send fewer envelopes at once; a single one is refused for good."""
    REPEAT = auto()
    """Send the same request again after a pause."""
    SUSPEND = auto()
    """Sending helps only after a change of the settings; try again now and then."""
    CHANGED = auto()
    """Another spool answers: send nothing until an operator confirms it."""


class Advice(NamedTuple):
    """What follows from a reply, and why."""

    next: Next
    reason: str = ""
    """A code of `reasons.py` if the connection is suspended."""


_SUSPENDED = {
    "UNAUTHENTICATED": "UPSTREAM_UNAUTHENTICATED",
    "PERMISSION_DENIED": "UPSTREAM_FORBIDDEN",
    "UNIMPLEMENTED": "UPSTREAM_NOT_INTERCOMD",
}
CHANGED = "UPSTREAM_CHANGED"
OUTDATED = "UPSTREAM_OUTDATED"
_UNKNOWN_CONNECTION = "UPSTREAM_UNKNOWN_CONNECTION"
_REJECTED = 4
_DISPOSITIONS = frozenset({1, 2, 3, _REJECTED})


def advise(reply: Reply, envelopes: int) -> Advice:
    """Returns what follows from the reply to a request of so many envelopes.

    RESOURCE_EXHAUSTED with a pause is a quota; without one it is gRPC's limit of a message's size.
    """
    if reply.code == "OK":
        complete = len(reply.results) == envelopes and all(each.disposition in _DISPOSITIONS for each in reply.results)
        return Advice(Next.SETTLE) if complete else Advice(Next.REPEAT)
    if reply.reason == "SPOOL_CHANGED":
        return Advice(Next.CHANGED, CHANGED)
    if reply.code in _SUSPENDED:
        return Advice(Next.SUSPEND, _SUSPENDED[reply.code])
    if reply.code == "INVALID_ARGUMENT" or (reply.code == "RESOURCE_EXHAUSTED" and reply.retry_after_seconds is None):
        return Advice(Next.DIVIDE)
    return Advice(Next.REPEAT)


def advise_probe(reply: Reply, spool_id: str) -> Advice:
    """Returns what follows from the reply to a probe, if the agent has forwarded to this spool before ("": to none).

    A probe validates one envelope and stores nothing.
    """
    advice = advise(reply, 1)
    if advice.next is Next.DIVIDE:
        return Advice(Next.REPEAT)
    if advice.next is not Next.SETTLE:
        return advice
    if not reply.spool_id:
        return Advice(Next.SUSPEND, OUTDATED)
    if spool_id not in {"", reply.spool_id}:
        return Advice(Next.CHANGED, CHANGED)
    if any(each.reason == "UNKNOWN_CONNECTION" for each in reply.results[0].violations):
        return Advice(Next.SUSPEND, _UNKNOWN_CONNECTION)
    return advice


def pause_seconds(reply: Reply, failures: int, jitter: float) -> float:
    """Returns the pause after a reply that is the last of so many failures in a row.

    The gateway's own wish is obeyed. Without one, pauses double from 1 s to 30 s, with `jitter` (0.0 to 1.0) of them.
    """
    if reply.retry_after_seconds is not None:
        return reply.retry_after_seconds
    doubled = RETRY_SECONDS_FIRST * 2.0 ** min(failures - 1, 30)
    return min(RETRY_SECONDS_MAX, doubled) * (0.5 + jitter / 2)
