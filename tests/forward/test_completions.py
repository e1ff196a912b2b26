"""Each result of the gateway becomes one outcome."""

import pytest

from intercomd_daemon.envelope import AcceptedEnvelope, Finding
from intercomd_daemon.forward.completions import complete, give_up, refuse
from intercomd_daemon.forward.replies import Reply, Result
from intercomd_daemon.outcome import Outcome, OutcomeType

ENVELOPE = AcceptedEnvelope("e-1", "u-1", "a@b", 5.0, (), (), "00-trace", b"bytes", 2, 3, "billing")
INVALID = Finding("PLACEHOLDER_ID", "identity.customer_id", "a placeholder")
OFF = Finding("EVENT_TYPE_OFF", "session_end_event", "off")
CUT = Finding("VALUE_TRUNCATED", "user_attributes[0]", "cut")


def outcome(kind: OutcomeType, reason: str = "", **more: object) -> Outcome:
    fields = {"adjustments": (), "violations": (), "forwarded_to": "", **more}
    return Outcome(
        envelope_id="e-1",
        connection="eu",
        customer_id="u-1",
        email="a@b",
        type=kind,
        reason=reason,
        accept_time=5.0,
        end_time=9.0,
        effects=(),
        replay=2,
        traceparent="00-trace",
        caller="billing",
        **fields,
    )


@pytest.mark.parametrize(
    ("result", "expected", "dead"),
    [
        (Result(1), outcome(OutcomeType.FORWARDED, forwarded_to="s-1"), False),
        (Result(1, (), (CUT,)), outcome(OutcomeType.FORWARDED, adjustments=(CUT,), forwarded_to="s-1"), False),
        (Result(2), outcome(OutcomeType.FORWARDED, "DUPLICATE", forwarded_to="s-1"), False),
        (Result(3, (OFF,)), outcome(OutcomeType.SKIPPED, "EVENT_TYPE_OFF", violations=(OFF,)), False),
        (
            Result(4, (INVALID, OFF)),
            outcome(OutcomeType.DEAD_LETTERED, "PLACEHOLDER_ID", violations=(INVALID, OFF)),
            True,
        ),
        (Result(4), outcome(OutcomeType.DEAD_LETTERED, "UPSTREAM_REFUSED"), True),
    ],
)
def test_outcome_of_a_result(result: Result, expected: Outcome, *, dead: bool) -> None:
    completion = complete(7, ENVELOPE, result, "eu", "s-1", 9.0)
    assert (completion.key, completion.outcome) == (7, expected)
    assert completion.dead_letter == (ENVELOPE if dead else None)


@pytest.mark.parametrize(
    ("reply", "message"),
    [(Reply("INVALID_ARGUMENT", "too many"), "too many"), (Reply("INVALID_ARGUMENT"), "INVALID_ARGUMENT")],
)
def test_envelope_that_is_refused_alone_becomes_a_dead_letter(reply: Reply, message: str) -> None:
    completion = refuse(7, ENVELOPE, reply, "eu", 9.0)
    violations = (Finding("UPSTREAM_REFUSED", "", message),)
    assert completion.outcome == outcome(OutcomeType.DEAD_LETTERED, "UPSTREAM_REFUSED", violations=violations)
    assert completion.dead_letter is ENVELOPE


def test_given_up_envelope_becomes_a_dead_letter() -> None:
    completion = give_up(7, ENVELOPE, "eu", 9.0)
    assert completion.outcome == outcome(OutcomeType.DEAD_LETTERED, "GIVEN_UP")
    assert completion.dead_letter is ENVELOPE
