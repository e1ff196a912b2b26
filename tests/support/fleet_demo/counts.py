"""Counts what senders, agents, gateways and Intercom saw, each from its own records, and compares them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import click

from intercomd.v1.outcome_pb2 import Outcome, OutcomeType
from intercomd_daemon.cli.demo.checks import Invariant
from intercomd_daemon.cli.demo.summary import print_heading
from intercomd_daemon.cli.layout import Column
from intercomd_daemon.cli.output import print_table

SHOWN_MAX = 3


class Arrival(NamedTuple):
    """An event at Intercom."""

    user: str
    number: int
    """Its place among the events that its user's service sent."""


class Observed(NamedTuple):
    """Everything that was counted."""

    sent: Mapping[str, Sequence[Arrival]]
    """By service, in its order."""
    accepted: Mapping[str, int]
    """Envelopes whose service got ACCEPTED, or DUPLICATE after a lost answer."""
    forwarded: Mapping[str, Sequence[Outcome]]
    """The journal of each service's agent."""
    outcomes: Sequence[Outcome]
    """The journal that the gateways share."""
    arrived: Sequence[Arrival]
    """At Intercom, in order of arrival, without repeats."""
    repeats: int
    """Calls that Intercom recognized as repeats."""
    too_many: int
    """429s."""
    plans: Mapping[str, str]
    """The attribute that contacts have at Intercom."""
    due_plans: Mapping[str, str]
    """The value that was sent last."""
    took_over_seconds: float
    """From the kill to the next call at Intercom."""
    bound_seconds: float


class Row(NamedTuple):
    """A line of the table."""

    service: str
    sent: int
    accepted: int
    forwarded: int
    delivered: int
    lost: int
    doubled: int
    out_of_order: int


def rows(observed: Observed) -> list[Row]:
    """Returns a line for each service, and their sum."""
    found: list[Row] = []
    delivered = Counter(
        outcome.identity.customer_id.partition("-")[0]
        for outcome in observed.outcomes
        if outcome.type == OutcomeType.OUTCOME_TYPE_DELIVERED
    )
    for service, sent in observed.sent.items():
        users = {each.user for each in sent}
        arrived = Counter(each for each in observed.arrived if each.user in users)
        last: Counter[str] = Counter()
        late = 0
        for user, number in (each for each in observed.arrived if each.user in users):
            late += number < last[user]
            last[user] = max(last[user], number)
        forwarded = sum(each.type == OutcomeType.OUTCOME_TYPE_FORWARDED for each in observed.forwarded[service])
        lost, doubled = len(set(sent) - arrived.keys()), sum(arrived.values()) - len(arrived)
        counts = (len(sent), observed.accepted[service], forwarded, delivered[service])
        found.append(Row(service, *counts, lost, doubled, late))
    sums = [sum(column) for column in zip(*(row[1:] for row in found), strict=True)]
    return [*found, Row("all", *sums)]


def checks(observed: Observed) -> list[Invariant]:
    """Returns every check."""
    *_, total = rows(observed)
    ended = Counter(outcome.envelope_id for outcome in observed.outcomes)
    counts = total[1:5]
    wrong = [user for user, plan in observed.due_plans.items() if observed.plans.get(user) != plan]
    took, bound = observed.took_over_seconds, observed.bound_seconds
    return [
        Invariant("the numbers add up", _unless(len(set(counts)) == 1, f"{counts}")),
        Invariant(
            "each envelope has exactly one outcome at the gateways",
            _few([name for name, count in ended.items() if count > 1]),
        ),
        Invariant("Intercom has each event exactly once", _unless(not total.lost + total.doubled, f"{total}")),
        Invariant("the events of each user arrived in order", _unless(not total.out_of_order, f"{total}")),
        Invariant("each contact has the value that was sent last", _few(wrong)),
        Invariant("no call exceeded Intercom's rate limit", _unless(not observed.too_many, f"{observed.too_many}")),
        Invariant(
            f"the other gateway delivered within {bound:g} s of the kill", _unless(took <= bound, f"{took:.1f} s")
        ),
    ]


def print_counts(observed: Observed) -> None:
    """Prints the table and its sources."""
    print_heading("Envelopes")
    table = [[row.service, *(str(number) if number else "-" for number in row[1:])] for row in rows(observed)]
    names = ("sent", "accepted", "forwarded", "delivered", "lost", "doubled", "out of order")
    print_table((Column("service"), *(Column(name, right=True) for name in names)), table)
    click.echo(
        "The services counted sent and accepted, the agents' journals forwarded, the\n"
        "journal that the gateways share delivered, and the sandbox the other columns."
    )
    print_heading("The kill")
    figures = (
        ("from the kill to the next call", f"{observed.took_over_seconds:.1f} s"),
        ("at most", f"{observed.bound_seconds:g} s"),
        ("calls repeated, recognized by Intercom", str(observed.repeats)),
        ("calls refused by the rate limit (429)", str(observed.too_many)),
    )
    print_table((Column("what"), Column("figure", right=True)), figures)


def _few(violations: Sequence[str]) -> tuple[str, ...]:
    more = (f"and {len(violations) - SHOWN_MAX} more",) if len(violations) > SHOWN_MAX else ()
    return (*violations[:SHOWN_MAX], *more)


def _unless(holds: bool, violation: str) -> tuple[str, ...]:
    return () if holds else (violation,)
