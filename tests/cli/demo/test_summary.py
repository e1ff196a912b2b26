"""Tests the summary of the demo."""

import pytest

from ingest.decision import decided
from intercomd import EnvelopeResult
from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd.v1.envelope_pb2 import Adjustment
from intercomd_daemon.cli.demo import builders, personas, summary
from intercomd_daemon.cli.demo.builders import Step
from intercomd_daemon.cli.demo.checks import CallCounts, Invariant
from intercomd_daemon.cli.demo.observations import Observations, ObservedCall, ReceivedEvent, SentStep
from intercomd_daemon.cli.demo.scenario import scenario
from intercomd_daemon.cli.demo.summary import SAMPLED_EVENTS, LatencySample, samples
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.preview import preview
from intercomd_daemon.sandbox import Sandbox
from senders.client import NOON

ADA = personas.persona(0)
STEP = builders.purchase(ADA, NOON, 1, 1)
STEP.envelope.envelope_id = "e-1"
CHANGED = Adjustment(reason="VALUE_TRUNCATED", message="m" * 200)
DELIVERED, DEAD = outcome_pb2.OUTCOME_TYPE_DELIVERED, outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED


def observed(end: int = DELIVERED) -> Observations:
    result = EnvelopeResult(
        envelope_id="e-1", disposition=ingest_pb2.DISPOSITION_ACCEPTED, adjustments=[CHANGED, CHANGED]
    )
    calls = [("/contacts", False), ("/events", False), ("/events", True), ("/me", False)]
    return Observations(
        answered=(SentStep(STEP, result),),
        outcomes=(outcome_pb2.Outcome(envelope_id="e-1", type=end, reason="TOO_LARGE"),),
        events=tuple(ReceivedEvent(ADA.key, *event) for event in STEP.events),
        repeats=1,
        contacts={},
        calls=tuple(ObservedCall("POST", path, 200, failed=failed) for path, failed in calls),
        illegal=0,
    )


def test_print_envelopes_adds_up_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    summary.print_envelopes(observed())
    lines = capsys.readouterr().out.splitlines()
    row, total = (line.split() for line in lines[3:5])
    assert row == ["purchase", "1", "delivered", "2"]
    assert total == ["all", "1", "2"]
    assert lines[5] == "1 sent = 1 delivered + 0 unchanged + 0 dead letters + 0 skipped + 0 rejected + 0 duplicates"


def test_print_calls_shows_the_fewest_possible(capsys: pytest.CaptureFixture[str]) -> None:
    summary.print_calls(observed(), CallCounts(1, 1))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[3:6]]
    assert rows == [
        ["contacts", "1", "1", "-"],
        ["events", "1", "1", "1"],
        ["access,", "attributes", "1", "-"],
    ]


def test_print_adjustments_counts_reasons_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    summary.print_adjustments(observed())
    assert capsys.readouterr().out.splitlines()[3].split() == ["VALUE_TRUNCATED", "2", "m" * 109 + "…"]


def test_print_dead_letters_names_envelopes(capsys: pytest.CaptureFixture[str]) -> None:
    summary.print_dead_letters(observed(DEAD))
    assert capsys.readouterr().out.splitlines()[3].split() == ["e-1", "TOO_LARGE"]


def test_print_samples_lists_calls_below_envelopes(capsys: pytest.CaptureFixture[str]) -> None:
    summary.print_samples([LatencySample("event", "{}", ("POST /events {} -> 202",))])
    assert capsys.readouterr().out.splitlines()[2:] == ["event: {}", "  POST /events {} -> 202"]


def test_print_checks_lists_violations_below_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    summary.print_checks([Invariant("it adds up", ()), Invariant("it is in order", ("c-1",))])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["holds", "it", "adds", "up"],
        ["WRONG", "it", "is", "in", "order"],
        ["c-1"],
    ]


def test_print_checks_names_the_next_step_if_all_hold(capsys: pytest.CaptureFixture[str]) -> None:
    summary.print_checks([Invariant("it adds up", ())])
    assert "`intercomd sandbox`" in capsys.readouterr().out


ADA, CARL = personas.persona(0), personas.persona(2)
STEPS = (builders.sign_up(ADA, NOON), builders.purchase(ADA, NOON + 60, 2, 1), builders.invoice(ADA, NOON + 90, 7))


async def deliver(step: Step, sandbox: Sandbox) -> None:
    settings = ConnectionSettings(name="default", base_url=sandbox.base_url)
    accepted = decided(step.envelope, NOON + 3600).accepted
    assert accepted is not None
    async with IntercomClient(settings, AccessToken(sandbox.settings.access_token), 1) as session:
        for request in preview(accepted, settings, NOON + 3600):
            await session.call(request)


async def test_samples_have_only_the_calls_of_their_envelope() -> None:
    async with Sandbox() as sandbox:
        sandbox.workspace.add_attribute("plan")
        for step in (builders.sign_up(CARL, NOON), *STEPS):
            await deliver(step, sandbox)
        found = samples(STEPS, sandbox)
    assert [len(sample.calls) for sample in found] == [2, 1, 3]
    assert found[0].calls[0].startswith('POST /contacts {"role":"user","external_id":"c-1000"')
    assert all(call.endswith(("-> 200", "-> 202")) for sample in found for call in sample.calls)


async def test_samples_without_a_successful_call_have_no_calls() -> None:
    async with Sandbox() as sandbox:
        found = samples(scenario(NOON).steps, sandbox)
    assert len(found) == len(SAMPLED_EVENTS)
    assert all(sample.envelope.startswith("{") and not sample.calls for sample in found)
