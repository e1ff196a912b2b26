"""Prints the summary of the demo: what was sent, what became of it, examples, and the checks."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import click

from intercomd.v1 import outcome_pb2
from intercomd_daemon.cli.demo.builders import FinalState, Step
from intercomd_daemon.cli.demo.checks import CallCounts, Invariant, answered_calls
from intercomd_daemon.cli.demo.observations import Observations, ReceivedEvent
from intercomd_daemon.cli.format import printable
from intercomd_daemon.cli.layout import Column
from intercomd_daemon.cli.output import message_to_json, print_table
from intercomd_daemon.sandbox import ReceivedCall, Sandbox

_EXAMPLE_CHARACTERS_MAX = 110
SAMPLED_EVENTS = ("signed-up", "invoice-paid", "eCommerce - purchase - Total")
"""One envelope is shown for each of these events."""

NEXT_STEP = "To try it with your own services: `intercomd sandbox` prints settings for a daemon."


class LatencySample(NamedTuple):
    """One envelope and its calls."""

    kind: str
    envelope: str
    """As JSON."""
    calls: tuple[str, ...]
    """Method, path, body and status."""


def samples(steps: Iterable[Step], sandbox: Sandbox) -> list[LatencySample]:
    """Returns the largest delivered envelope for each of SAMPLED_EVENTS, with the calls that Intercom received."""
    found = []
    delivered = [step for step in steps if step.final_state is FinalState.DELIVERED]
    for name in SAMPLED_EVENTS:
        step = max(
            (step for step in delivered if name in dict(step.events)),
            key=lambda step: (len(step.events), step.envelope.ByteSize()),
        )
        envelope = json.dumps(message_to_json(step.envelope, every_field=False), separators=(",", ":"))
        calls = (f"{call.method} {call.path} {call.body.decode()} -> {call.status}" for call in _calls(step, sandbox))
        found.append(LatencySample(step.kind, envelope, tuple(calls)))
    return found


def _calls(step: Step, sandbox: Sandbox) -> Sequence[ReceivedCall]:
    """Returns the successful calls for an envelope: that of its contact, if it sets fields, and those of its events."""
    by_request = {call.request_id: call for call in sandbox.calls}
    wanted = set(step.events)
    calls = [
        by_request[event.request_id]
        for event in sandbox.events
        if (event.external_id or event.email) == step.user and (event.name, event.created_at) in wanted
    ]
    if not step.stored:
        return calls
    created = (call for call in sandbox.calls if call.path == "/contacts" and call.status == 200)
    contact = [call for call in created if step.user in {call.json.get("external_id"), call.json.get("email")}]
    return [*contact[:1], *calls]


def print_heading(text: str) -> None:
    """Prints a heading."""
    click.secho(f"\n{text}", bold=True)


def print_envelopes(observed: Observations) -> None:
    """Prints what became of each kind of envelope, and the totals, which must add up."""
    received = frozenset(observed.events)
    sent, states, events = Counter[str](), dict[str, Counter[str]](), Counter[str]()
    for step, state, _ in observed.final_states():
        sent[step.kind] += 1
        states.setdefault(step.kind, Counter())[state.value if state else "no outcome"] += 1
        events[step.kind] += sum(ReceivedEvent(step.user, *expected) in received for expected in step.events)
    print_heading("Envelopes")
    rows = []
    for kind, count in sent.items():
        # With one state, as expected, its count is that of the column before.
        parts = states[kind].items()
        became = ", ".join(name if len(parts) == 1 else f"{number} {name}" for name, number in parts)
        rows.append([kind, str(count), became, _count(events[kind])])
    rows.append(["all", str(len(observed.answered)), "", str(len(observed.events))])
    columns = (
        Column("envelope"),
        Column("sent", right=True),
        Column("became"),
        Column("events at Intercom", right=True),
    )
    print_table(columns, rows)
    totals = observed.totals()
    parts_text = " + ".join(f"{totals[state]} {state.value}" for state in FinalState)
    click.echo(f"{len(observed.answered)} sent = {parts_text}")
    click.echo(
        "The senders counted sent, skipped and rejected envelopes and duplicates, the daemon's\n"
        "journal the outcomes, and the sandbox the events."
    )


def print_calls(observed: Observations, fewest: CallCounts) -> None:
    """Prints the calls that were made, beside the fewest possible."""
    made = answered_calls(observed)
    failed = Counter(call.subject for call in observed.calls if call.failed)
    access = sum(call.subject == "access" for call in observed.calls) - failed["access"]
    print_heading("Calls to Intercom")
    columns = [Column("about")]
    columns += [Column(title, right=True) for title in ("answered", "fewest possible", "failed: 429, 503, cut off")]
    rows = [
        ["contacts", str(made.contacts), str(fewest.contacts), _count(failed["contacts"])],
        ["events", str(made.events), str(fewest.events), _count(failed["events"])],
        ["access, attributes", str(access), "", _count(failed["access"])],
    ]
    print_table(columns, rows)
    click.echo(f"Calls repeated after a lost response, recognized by Intercom: {observed.repeats}")


def print_adjustments(observed: Observations) -> None:
    """Prints how often the daemon adjusted envelopes, by reason, with an example."""
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for _, result in observed.answered:
        for adjustment in result.adjustments:
            counts[adjustment.reason] += 1
            examples.setdefault(adjustment.reason, adjustment.message)
    print_heading("Adjustments, which the senders find in their results")
    rows = [[reason, str(count), _shortened(examples[reason])] for reason, count in counts.most_common()]
    print_table((Column("reason"), Column("times", right=True), Column("example", prose=True)), rows)


def print_dead_letters(observed: Observations) -> None:
    """Prints the envelopes that Intercom refused permanently."""
    print_heading("Dead letters: refused by Intercom permanently, kept for replay")
    rows = [
        [outcome.envelope_id, outcome.identity.customer_id, outcome.reason]
        for outcome in observed.outcomes
        if outcome.type == outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED
    ]
    print_table((Column("envelope"), Column("user"), Column("reason", style="red")), rows)


def print_samples(samples: Sequence[LatencySample]) -> None:
    """Prints envelopes, each with its calls."""
    print_heading("Some envelopes, and the calls that they became")
    for sample in samples:
        click.secho(f"{sample.kind}: {sample.envelope}", fg="cyan")
        for call in sample.calls:
            click.echo(f"  {printable(call, characters_max=None)}")


def print_checks(results: Sequence[Invariant], next_step: str = NEXT_STEP) -> None:
    """Prints each check and its violations; the next step if all hold."""
    print_heading("Checks")
    for check in results:
        mark = click.style("holds", fg="green") if check.holds else click.style("WRONG", fg="red")
        click.echo(f"  {mark}  {check.invariant}")
        for violation in check.violations:
            click.echo(f"           {printable(violation)}")
    if all(check.holds for check in results):
        click.echo(f"\n{next_step}")


def _count(number: int) -> str:
    return str(number) if number else "-"


def _shortened(text: str) -> str:
    return text if len(text) <= _EXAMPLE_CHARACTERS_MAX else text[: _EXAMPLE_CHARACTERS_MAX - 1] + "…"
