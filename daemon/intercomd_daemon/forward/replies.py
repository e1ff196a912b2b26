"""Decides what to do after the reply to a call to the gateway. Pure."""

from enum import Enum, auto
from typing import NamedTuple

from intercomd.v1.ingest_pb2 import (
    DISPOSITION_ACCEPTED,
    DISPOSITION_DUPLICATE,
    DISPOSITION_REJECTED,
    DISPOSITION_SKIPPED,
)
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
    """The message of an error status, for people."""
    retry_after_seconds: float | None = None
    """The pause that the gateway requests, None if it requests none."""
    reason: str = ""
    """The reason in the ErrorInfo of an error status, such as SPOOL_CHANGED; empty without one."""
    spool_id: str = ""
    """The id of the gateway's spool; in an error status only with SPOOL_CHANGED."""
    results: tuple[Result, ...] = ()


class Next(Enum):
    """What the worker does after a reply."""

    SETTLE = auto()
    """Every envelope has its result."""
    DIVIDE = auto()
    """Send fewer envelopes in a request. If it held one, that becomes a dead letter."""
    REPEAT = auto()
    """Send the same request again after a pause."""
    SUSPEND = auto()
    """Probe from time to time: envelopes can be sent only after the settings have changed."""
    AWAIT_CONFIRMATION = auto()
    """Another spool answers: send nothing until an operator confirms it."""


class Advice(NamedTuple):
    """What the worker does after a reply, and why."""

    next: Next
    reason: str = ""
    """A code of `reasons.py`, if the connection is suspended."""
    problem: str = ""
    """What is wrong with a reply whose status is OK."""


_SUSPENDED = {
    "UNAUTHENTICATED": "UPSTREAM_UNAUTHENTICATED",
    "PERMISSION_DENIED": "UPSTREAM_FORBIDDEN",
    "UNIMPLEMENTED": "UPSTREAM_NOT_INTERCOMD",
}
_CHANGED = "UPSTREAM_CHANGED"
LOOP = "FORWARDING_LOOP"
"""The reason in an error status: the call came back to an agent that it had passed."""
MISMATCH = "the response does not match the request"
UNANSWERED = "the gateway is an agent, and its own gateway has not answered"
_DISPOSITIONS = frozenset({DISPOSITION_ACCEPTED, DISPOSITION_DUPLICATE, DISPOSITION_SKIPPED, DISPOSITION_REJECTED})


def advise(reply: Reply, envelopes: int) -> Advice:
    """Returns what to do after the reply to a request with this number of envelopes.

    RESOURCE_EXHAUSTED with a requested pause comes from a quota. Without one it is gRPC's limit for the size of a
    message or of its headers, or the rate limit of a proxy, which say nothing about a single envelope.
    """
    if reply.code == "OK":
        complete = len(reply.results) == envelopes and all(each.disposition in _DISPOSITIONS for each in reply.results)
        return Advice(Next.SETTLE) if complete else Advice(Next.REPEAT, problem=MISMATCH)
    if reply.reason == "SPOOL_CHANGED":
        return Advice(Next.AWAIT_CONFIRMATION, _CHANGED)
    if reply.reason == LOOP:
        return Advice(Next.SUSPEND, "UPSTREAM_LOOP")
    if reply.code in _SUSPENDED:
        return Advice(Next.SUSPEND, _SUSPENDED[reply.code])
    if reply.code == "INVALID_ARGUMENT":
        return Advice(Next.DIVIDE)
    if reply.code == "RESOURCE_EXHAUSTED" and reply.retry_after_seconds is None and envelopes > 1:
        return Advice(Next.DIVIDE)
    return Advice(Next.REPEAT)


def advise_probe(reply: Reply, spool_id: str) -> Advice:
    """Returns what to do after the reply to a probe, which validates one envelope and stores nothing.

    `spool_id` is the spool that the agent has forwarded to; "" if it has forwarded to none yet. Then the probe must
    have reached a daemon that delivers: of agents in a circle each would take the next one for its gateway.
    """
    advice = advise(reply, 1)
    if advice.next is Next.DIVIDE:
        return Advice(Next.REPEAT)
    if advice.next is not Next.SETTLE:
        return advice
    if not reply.spool_id:
        return Advice(Next.SUSPEND, "UPSTREAM_OUTDATED")
    if spool_id not in {"", reply.spool_id}:
        return Advice(Next.AWAIT_CONFIRMATION, _CHANGED)
    if any(each.reason == "UNKNOWN_CONNECTION" for each in reply.results[0].violations):
        return Advice(Next.SUSPEND, "UPSTREAM_UNKNOWN_CONNECTION")
    if not spool_id and any(each.reason == "VALIDATED_LOCALLY" for each in reply.results[0].adjustments):
        return Advice(Next.REPEAT, problem=UNANSWERED)
    return advice


def pause_seconds(reply: Reply, failures: int, jitter: float) -> float:
    """Returns the pause after a failed call, in seconds.

    It is the pause that the gateway requests. Without a request, it doubles from 1 s to 30 s with the failures in a
    row, this one included, and `jitter` (0.0 to 1.0) takes up to half of it off.
    """
    if reply.retry_after_seconds is not None:
        return reply.retry_after_seconds
    doubled = RETRY_SECONDS_FIRST * 2.0 ** min(failures - 1, 30)
    return min(RETRY_SECONDS_MAX, doubled) * (0.5 + jitter / 2)
