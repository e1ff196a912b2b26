import pytest

from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.ingest.decoded import Forwarder
from intercomd_daemon.ingest.forwarded_request import (
    MESSAGE_KEPT_MAX,
    VIOLATIONS_KEPT_MAX,
    ForwardedRequest,
    pack_results,
    results_of,
)
from intercomd_daemon.spool.forwarded import Forwarded


def accepted(name: str) -> Decision:
    return Decision(name, "default", Disposition.ACCEPTED)


def kept(*decisions: Decision, repeated: str = "", duplicates: tuple[int, ...] = ()) -> dict[str, Decision]:
    forwarded = Forwarded("edge", "agent-1", "default", 1, pack_results(decisions, repeated), duplicates)
    return dict(results_of(forwarded))


def test_results_are_those_that_were_sent() -> None:
    skip = Finding("EVENT_TYPE_OFF", "session_end_event", "off")
    rejection = Finding("PLACEHOLDER_ID", "identity.customer_id", "a placeholder")
    found = kept(
        accepted("a"),
        Decision("b", "default", Disposition.SKIPPED, (skip,)),
        accepted("c"),
        Decision("d", "default", Disposition.REJECTED, (rejection,)),
        accepted("e"),
        duplicates=(1,),
    )
    assert [(name, each.disposition.name, each.violations) for name, each in found.items()] == [
        ("a", "ACCEPTED", ()),
        ("b", "SKIPPED", (skip,)),
        ("c", "DUPLICATE", ()),
        ("d", "REJECTED", (rejection,)),
        ("e", "ACCEPTED", ()),
    ]


def test_repeated_result_is_packed_as_a_duplicate_and_is_no_row() -> None:
    found = kept(accepted("a"), accepted("b"), accepted("c"), repeated="a", duplicates=(0,))
    assert [each.disposition for each in found.values()] == [
        Disposition.DUPLICATE,
        Disposition.DUPLICATE,
        Disposition.ACCEPTED,
    ]


def test_first_of_two_equal_ids_counts() -> None:
    assert kept(accepted("a"), accepted("a"), duplicates=(1,))["a"].disposition is Disposition.ACCEPTED


def test_long_violations_are_cut() -> None:
    violations = tuple(Finding("INVALID_AMOUNT", "f" * 999, "m" * 999) for _ in range(VIOLATIONS_KEPT_MAX + 1))
    found = kept(Decision("a", "default", Disposition.REJECTED, violations))["a"].violations
    assert [(len(each.field), len(each.message)) for each in found] == [(MESSAGE_KEPT_MAX,) * 2] * VIOLATIONS_KEPT_MAX


def test_results_of_another_release_are_left_out() -> None:
    assert results_of(Forwarded("edge", "agent-1", "default", 1, b"?")) == {}


def request(sequence: int, remembered: Forwarded | None) -> ForwardedRequest:
    return ForwardedRequest(Forwarder("agent-1", sequence), "edge", "default", remembered)


@pytest.mark.parametrize(
    ("remembered", "sequence", "earlier", "remembers"),
    [
        (None, 7, [], True),
        (6, 7, [], True),
        (7, 7, ["a"], True),
        (8, 7, [], False),
    ],
    ids=["first", "next", "repeat", "late"],
)
def test_request_is_compared_with_the_one_that_the_spool_remembers(
    remembered: int | None, sequence: int, earlier: list[str], *, remembers: bool
) -> None:
    data = pack_results([accepted("a")], ())
    last = None if remembered is None else Forwarded("edge", "agent-1", "default", remembered, data)
    forwarded = request(sequence, last)
    decisions = [accepted("a"), accepted("b")]
    assert list(forwarded.earlier) == earlier
    assert [each.envelope_id for each in forwarded.first_decided(decisions)] == (["b"] if earlier else ["a", "b"])
    kept = forwarded.to_remember(decisions)
    assert (kept is not None) == remembers
    if kept is not None:
        assert (kept.key, kept.sequence) == (("edge", "agent-1", "default"), sequence)


def test_repeat_without_further_envelopes_is_not_stored_again() -> None:
    last = Forwarded("edge", "agent-1", "default", 7, pack_results([accepted("a")], ()))
    assert request(7, last).to_remember([accepted("a")]) is None
