from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.ingest.repeated import MESSAGE_KEPT_MAX, VIOLATIONS_KEPT_MAX, pack_results, results_of
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
