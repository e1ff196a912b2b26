"""What follows from each reply of the gateway."""

import pytest

from intercomd_daemon.envelope import Finding
from intercomd_daemon.forward.replies import (
    MISMATCH,
    RETRY_SECONDS_MAX,
    UNANSWERED,
    Advice,
    Next,
    Reply,
    Result,
    advise,
    advise_probe,
    pause_seconds,
)

OK = Reply("OK", spool_id="s-1", results=(Result(1),))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (OK, Advice(Next.SETTLE)),
        (Reply("OK", results=(Result(1), Result(1))), Advice(Next.REPEAT, problem=MISMATCH)),
        (Reply("OK", results=(Result(0),)), Advice(Next.REPEAT, problem=MISMATCH)),
        (Reply("OK", results=(Result(9),)), Advice(Next.REPEAT, problem=MISMATCH)),
        (Reply("UNAVAILABLE", retry_after_seconds=2.0), Advice(Next.REPEAT)),
        (Reply("UNAVAILABLE"), Advice(Next.REPEAT)),
        (Reply("DEADLINE_EXCEEDED"), Advice(Next.REPEAT)),
        (Reply("INTERNAL"), Advice(Next.REPEAT)),
        (Reply("RESOURCE_EXHAUSTED", retry_after_seconds=0.5), Advice(Next.REPEAT)),
        (Reply("RESOURCE_EXHAUSTED"), Advice(Next.REPEAT)),
        (Reply("INVALID_ARGUMENT"), Advice(Next.DIVIDE)),
        (Reply("UNAUTHENTICATED", reason="CREDENTIALS_INVALID"), Advice(Next.SUSPEND, "UPSTREAM_UNAUTHENTICATED")),
        (Reply("PERMISSION_DENIED", reason="CONNECTION_NOT_ALLOWED"), Advice(Next.SUSPEND, "UPSTREAM_FORBIDDEN")),
        (Reply("UNIMPLEMENTED"), Advice(Next.SUSPEND, "UPSTREAM_NOT_INTERCOMD")),
        (
            Reply("FAILED_PRECONDITION", reason="SPOOL_CHANGED", spool_id="s-2"),
            Advice(Next.AWAIT_CONFIRMATION, "UPSTREAM_CHANGED"),
        ),
        (Reply("FAILED_PRECONDITION"), Advice(Next.REPEAT)),
        (Reply("FAILED_PRECONDITION", reason="FORWARDING_LOOP"), Advice(Next.SUSPEND, "UPSTREAM_LOOP")),
    ],
)
def test_advice_for_a_request_of_one_envelope(reply: Reply, expected: Advice) -> None:
    assert advise(reply, 1) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply("INVALID_ARGUMENT"), Next.DIVIDE),
        (Reply("RESOURCE_EXHAUSTED"), Next.DIVIDE),
        (Reply("RESOURCE_EXHAUSTED", retry_after_seconds=0.5), Next.REPEAT),
    ],
)
def test_refused_request_of_several_envelopes_is_divided(reply: Reply, expected: Next) -> None:
    assert advise(reply, 2) == Advice(expected)


LOCALLY = OK._replace(results=(Result(1, (), (Finding("VALIDATED_LOCALLY", "", "away"),)),))
UNKNOWN = Reply("OK", spool_id="s-1", results=(Result(4, (Finding("UNKNOWN_CONNECTION", "connection", "unknown"),)),))


@pytest.mark.parametrize(
    ("reply", "spool_id", "expected"),
    [
        (OK, "", Advice(Next.SETTLE)),
        (OK, "s-1", Advice(Next.SETTLE)),
        (OK, "s-2", Advice(Next.AWAIT_CONFIRMATION, "UPSTREAM_CHANGED")),
        (OK._replace(spool_id=""), "", Advice(Next.SUSPEND, "UPSTREAM_OUTDATED")),
        (UNKNOWN, "", Advice(Next.SUSPEND, "UPSTREAM_UNKNOWN_CONNECTION")),
        (OK._replace(results=(Result(3, (Finding("CONNECTION_INACTIVE", "", ""),)),)), "", Advice(Next.SETTLE)),
        (LOCALLY, "", Advice(Next.REPEAT, problem=UNANSWERED)),
        (LOCALLY, "s-1", Advice(Next.SETTLE)),
        (LOCALLY, "s-2", Advice(Next.AWAIT_CONFIRMATION, "UPSTREAM_CHANGED")),
        (Reply("INVALID_ARGUMENT"), "", Advice(Next.REPEAT)),
        (Reply("UNAVAILABLE"), "", Advice(Next.REPEAT)),
        (Reply("UNAUTHENTICATED"), "", Advice(Next.SUSPEND, "UPSTREAM_UNAUTHENTICATED")),
    ],
)
def test_advice_for_a_probe(reply: Reply, spool_id: str, expected: Advice) -> None:
    assert advise_probe(reply, spool_id) == expected


def test_pause_is_the_one_that_the_gateway_asks_for() -> None:
    assert pause_seconds(Reply("UNAVAILABLE", retry_after_seconds=3.5), 9, 0.0) == 3.5


@pytest.mark.fills("forward.replies.RETRY_SECONDS_MAX")
def test_pauses_double_up_to_half_a_minute() -> None:
    reply = Reply("UNAVAILABLE")
    assert [pause_seconds(reply, failures, 1.0) for failures in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert pause_seconds(reply, 10_000, 1.0) == RETRY_SECONDS_MAX
    assert pause_seconds(reply, 10_000, 0.0) == RETRY_SECONDS_MAX / 2
