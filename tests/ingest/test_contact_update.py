"""User attributes are normalized, trimmed and ordered; removals come last."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from intercomd_daemon.connection import ConnectionSettings, LimitSettings
from intercomd_daemon.envelope import FIRST_NAME, LAST_NAME, Finding, Money, Scalar, Tag, Time
from intercomd_daemon.ingest.contact_update import update_of
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import Attribute

Brief = Callable[[list[Finding]], list[tuple[str, str]]]


@pytest.mark.parametrize(
    ("attributes", "removed", "update", "adjustments"),
    [
        ([("b", 1), ("a", "x"), ("c", True)], [], {"b": 1, "a": "x", "c": True}, []),
        ([("since", Time(5)), ("vip", Tag())], [], {"since": 5, "vip": True}, []),
        ([("spent", Money("19.90", "EUR")), ("likes", ("a", "b"))], [], {"spent": 19.9, "likes": "a,b"}, []),
        ([("$FirstName", "Ada"), ("lastname", "L")], [], {FIRST_NAME: "Ada", LAST_NAME: "L"}, []),
        ([("Mobile", "+44")], [], {"phone": "+44"}, []),
        (
            [("Mobile", "+44"), ("phone", "+49")],
            [],
            {"phone": "+49"},
            [("ATTRIBUTE_DROPPED", "user_attributes[0]")],
        ),
        (
            [("phone", "+49"), ("Mobile", "+44")],
            [],
            {"phone": "+49"},
            [("ATTRIBUTE_DROPPED", "user_attributes[1]")],
        ),
        (
            [("Mobile", "+44"), ("phone", "+49"), ("phone", "+1")],
            [],
            {"phone": "+49"},
            [("ATTRIBUTE_DROPPED", "user_attributes[0]"), ("ATTRIBUTE_DROPPED", "user_attributes[2]")],
        ),
        ([("plan", "a"), ("plan", "b")], [], {"plan": "a"}, [("ATTRIBUTE_DROPPED", "user_attributes[1]")]),
        (
            [("a.b", 1), ("a-b", 2)],
            [],
            {"a-b": 1},
            [("ATTRIBUTE_RENAMED", "user_attributes[0]"), ("ATTRIBUTE_DROPPED", "user_attributes[1]")],
        ),
        ([("email", "a@b")], [], {}, [("ATTRIBUTE_DROPPED", "user_attributes[0]")]),
        ([("avatar", "x")], [], {}, [("ATTRIBUTE_DROPPED", "user_attributes[0].value")]),
        ([], ["plan", "FirstName", "plan"], {"plan": None, FIRST_NAME: None}, []),
        (
            [("plan", "a")],
            ["plan", "user_id"],
            {"plan": "a"},
            [("ATTRIBUTE_DROPPED", "removed_user_attributes[0]"), ("ATTRIBUTE_DROPPED", "removed_user_attributes[1]")],
        ),
    ],
)
def test_attributes_become_an_update(
    attributes: list[Attribute],
    removed: list[str],
    update: dict[str, Scalar],
    adjustments: list[tuple[str, str]],
    rules: ConnectionSettings,
    found: Findings,
    brief: Brief,
) -> None:
    result = update_of(attributes, removed, rules, found).values
    assert list(result.items()) == list(update.items())
    assert brief(found.adjustments) == adjustments
    assert not found.violations


def test_all_violations_are_reported_at_once(rules: ConnectionSettings, brief: Brief) -> None:
    found = Findings(reject_values=True)
    update_of([("", "x"), ("a", None), ("x" * 200, float("nan"))], ["$"], rules, found)
    assert brief(found.violations) == [
        ("INVALID_ATTRIBUTE_NAME", "user_attributes[0]"),
        ("INVALID_ATTRIBUTE_VALUE", "user_attributes[1].value"),
        ("INVALID_ATTRIBUTE_VALUE", "user_attributes[2].value"),
        ("INVALID_ATTRIBUTE_NAME", "removed_user_attributes[0]"),
    ]


@pytest.mark.fills("limits.user_attributes_max")
def test_first_hundred_are_kept_and_removals_dropped_first(
    rules: ConnectionSettings, found: Findings, brief: Brief
) -> None:
    attributes: list[Attribute] = [(f"a{index}", index) for index in range(99)]
    update = update_of(attributes, ["r0", "r1", "a0"], rules, found).values
    assert list(update)[-2:] == ["a98", "r0"]
    assert brief(found.adjustments) == [
        ("ATTRIBUTE_DROPPED", "removed_user_attributes[1]"),
        ("ATTRIBUTE_DROPPED", "removed_user_attributes[2]"),
    ]


def test_excess_is_trimmed_from_the_end(rules: ConnectionSettings, found: Findings, brief: Brief) -> None:
    few = replace(rules, limits=LimitSettings(user_attributes_max=2))
    update = update_of([("a", 1), ("b", 2), ("a", 3), ("Mobile", "4"), ("c", 5)], [], few, found).values
    assert update == {"a": 1, "b": 2}
    assert brief(found.adjustments) == [("ATTRIBUTE_DROPPED", f"user_attributes[{index}]") for index in (2, 3, 4)]


def test_excess_is_rejected_once_if_the_connection_does_not_trim(
    rules: ConnectionSettings, found: Findings, brief: Brief
) -> None:
    strict = replace(rules, limits=LimitSettings(user_attributes_max=2, on_excess="reject"))
    update_of([("a", 1), ("b", 2), ("c", 3)], ["d"], strict, found)
    assert brief(found.violations) == [("TOO_MANY_ATTRIBUTES", "user_attributes")]
    assert "2 too many" in found.violations[0].message
    assert not found.adjustments


def test_attributes_within_the_limit_are_not_rejected(rules: ConnectionSettings, found: Findings) -> None:
    strict = replace(rules, limits=LimitSettings(user_attributes_max=2, on_excess="reject"))
    assert len(update_of([("a", 1), ("b", 2), ("a", 3)], ["b"], strict, found).values) == 2
    assert not found.violations


@pytest.mark.parametrize(
    ("attributes", "times"),
    [
        ([("renewal", Time(5))], ("renewal",)),
        ([("a", 5), ("$renewal", Time(5)), ("b", Time(6))], ("renewal", "b")),
        ([("renewal", 5)], ()),
        # Of equal names the first stays, with its kind.
        ([("renewal", 5), ("renewal", Time(5))], ()),
        ([("renewal", Time(5)), ("renewal", 5)], ("renewal",)),
        # One of Intercom's own fields has its type already.
        ([("signed_up_at", Time(5))], ()),
        ([("a", 1.5), ("b", 2), ("renewal", Time(5))], ()),
    ],
)
def test_update_of_keeps_which_values_are_times(
    attributes: list[Attribute], times: tuple[str, ...], rules: ConnectionSettings, found: Findings
) -> None:
    few = replace(rules, limits=LimitSettings(user_attributes_max=2 if attributes[0] == ("a", 1.5) else 100))
    assert update_of(attributes, [], few, found).times == times
