"""The end of the demo: what was sent and what came of it, in numbers of three witnesses, with examples."""

from collections import Counter
from collections.abc import Sequence

import click

from intercomd.v1 import outcome_pb2
from intercomd_daemon.cli.demo.checks import Check, well
from intercomd_daemon.cli.demo.evidence import Evidence, Taken
from intercomd_daemon.cli.demo.least import Calls
from intercomd_daemon.cli.demo.samples import Sample
from intercomd_daemon.cli.demo.step import Fate
from intercomd_daemon.cli.format import printable
from intercomd_daemon.cli.output import Column, print_table

_EXAMPLE_CHARACTERS = 110


def heading(text: str) -> None:
    """The title of what follows."""
    click.secho(f"\n{text}", bold=True)


def print_envelopes(evidence: Evidence) -> None:
    """Each kind of envelope with its ends, and the sum, which must add up."""
    kinds = list(dict.fromkeys(answered.step.kind for answered in evidence.answered))
    ended = Counter((step.kind, fate) for step, fate, _ in evidence.fates())
    taken = frozenset(evidence.events)
    events: Counter[str] = Counter()
    for step, _ in evidence.answered:
        events[step.kind] += sum(Taken(step.who, *tracked) in taken for tracked in step.events)
    heading("What was sent, and what became of it")
    columns = [Column("kind of envelope"), Column("sent", right=True)]
    columns += [Column(fate.value, right=True) for fate in Fate]
    columns.append(Column("events at Intercom", right=True))
    rows = []
    for kind in kinds:
        counts = [ended[kind, fate] for fate in Fate]
        sent = sum(answered.step.kind == kind for answered in evidence.answered)
        rows.append([kind, str(sent), *map(_count, counts), _count(events[kind])])
    sums = evidence.sums()
    total = [str(sums[fate]) for fate in Fate]
    rows.append(["all", str(len(evidence.answered)), *total, str(len(evidence.events))])
    print_table(columns, rows)
    parts = " + ".join(f"{sums[fate]} {fate.value}" for fate in Fate)
    click.echo(f"{len(evidence.answered)} sent = {parts}")
    click.echo(
        "The senders counted what was sent, skipped, rejected or a duplicate; the daemon's journal how the accepted\n"
        "ones ended; the sandbox which events it has."
    )


def print_calls(evidence: Evidence, least: Calls) -> None:
    """The calls that were made, against the fewest possible."""
    made = well(evidence)
    in_vain = Counter(call.subject for call in evidence.calls if call.spoilt)
    access = sum(call.subject == "access" for call in evidence.calls) - in_vain["access"]
    heading("Calls to Intercom")
    columns = [Column("about")]
    columns += [Column(title, right=True) for title in ("answered", "fewest possible", "in vain: 429, 503, cut off")]
    rows = [
        ["contacts", str(made.contacts), str(least.contacts), _count(in_vain["contacts"])],
        ["events", str(made.events), str(least.events), _count(in_vain["events"])],
        ["access, custom attributes", str(access), "", _count(in_vain["access"])],
    ]
    print_table(columns, rows)
    click.echo(f"Repeats after a lost answer that Intercom recognised as such: {evidence.repeats}")


def print_changes(evidence: Evidence) -> None:
    """What was adjusted on acceptance."""
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for _, result in evidence.answered:
        for changed in result.adjustments:
            counts[changed.reason] += 1
            examples.setdefault(changed.reason, changed.message)
    heading("What had to be changed; each sender was told")
    rows = [[reason, str(count), _cut(examples[reason])] for reason, count in counts.most_common()]
    print_table((Column("reason"), Column("times", right=True), Column("for example")), rows)


def print_dead_letters(evidence: Evidence) -> None:
    """What Intercom refused for good."""
    heading("What Intercom refused for good; it is kept, and can be sent again")
    rows = [
        [outcome.envelope_id, outcome.identity.customer_id, outcome.reason]
        for outcome in evidence.outcomes
        if outcome.type == outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED
    ]
    print_table((Column("envelope"), Column("about"), Column("reason", style="red")), rows)


def print_samples(samples: Sequence[Sample]) -> None:
    """Some envelopes and the calls that they became."""
    heading("Some envelopes, and the calls that they became")
    for sample in samples:
        click.secho(f"{sample.kind}: {sample.envelope}", fg="cyan")
        for call in sample.calls:
            click.echo(f"  {printable(call, characters_max=None)}")


def print_checks(found: Sequence[Check]) -> None:
    """What must hold, and whether it does."""
    heading("What must hold, whatever happened")
    for check in found:
        mark = click.style("holds", fg="green") if check.holds else click.style("WRONG", fg="red")
        click.echo(f"  {mark}  {check.law}")
        for wrong in check.wrong:
            click.echo(f"           {printable(wrong)}")
    if all(check.holds for check in found):
        click.echo(
            "\nTo try it with services of your own: `intercomd sandbox`, and a daemon with the settings it prints."
        )


def _count(number: int) -> str:
    return str(number) if number else "-"


def _cut(text: str) -> str:
    return text if len(text) <= _EXAMPLE_CHARACTERS else text[: _EXAMPLE_CHARACTERS - 1] + "…"
