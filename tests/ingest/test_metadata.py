"""The metadata of an event is JSON in the sender's order; dropped attributes are reported."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from intercomd_daemon.connection import ConnectionSettings, LimitSettings
from intercomd_daemon.envelope import Finding, Link, Money, Time
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import Attribute
from intercomd_daemon.ingest.metadata import compose_metadata, custom_metadata, normalize_attributes

Brief = Callable[[list[Finding]], list[tuple[str, str]]]


@pytest.mark.parametrize(
    ("attributes", "metadata", "adjustments"),
    [
        ([], b"", []),
        ([("b", 1), ("a", "ü")], '{"b":1,"a":"ü"}'.encode(), []),
        ([("price", Money("19.99", "USD"))], b'{"price":{"amount":1999,"currency":"USD"}}', []),
        ([("big", Money("9" * 34, "USD"))], b'{"big":{"amount":' + b"9" * 34 + b'00,"currency":"USD"}}', []),
        ([("page", Link("https://e.com", "E"))], b'{"page":{"url":"https://e.com","value":"E"}}', []),
        ([("start", Time(5))], b'{"start_date":5}', [("ATTRIBUTE_RENAMED", "e[0]")]),
        ([("start_date", Time(5))], b'{"start_date":5}', []),
        (
            [("start_date", "x"), ("start", Time(5))],
            b'{"start_date":"x"}',
            [("ATTRIBUTE_RENAMED", "e[1]"), ("ATTRIBUTE_DROPPED", "e[1]")],
        ),
        ([("a.b", 1)], b'{"a-b":1}', [("ATTRIBUTE_RENAMED", "e[0]")]),
        ([("y" * 191, 1)], b'{"' + b"y" * 190 + b'":1}', [("ATTRIBUTE_RENAMED", "e[0]")]),
        # Names that mean something of a user mean nothing of an event.
        ([("id", 1), ("Email", 2)], b'{"id":1,"Email":2}', []),
        ([("FirstName", 1), ("name", 7), ("Mobile", 8)], b'{"FirstName":1,"name":7,"Mobile":8}', []),
        ([("a", 1), ("a", 2)], b'{"a":1}', [("ATTRIBUTE_DROPPED", "e[1]")]),
        (
            [(name, 1) for name in "abcdefg"],
            b'{"a":1,"b":1,"c":1,"d":1,"e":1}',
            [("ATTRIBUTE_DROPPED", "e[5]"), ("ATTRIBUTE_DROPPED", "e[6]")],
        ),
    ],
)
def test_custom_metadata_is_json_in_order(
    attributes: list[Attribute],
    metadata: bytes,
    adjustments: list[tuple[str, str]],
    rules: ConnectionSettings,
    found: Findings,
    brief: Brief,
) -> None:
    assert custom_metadata(attributes, "e", rules, found) == metadata
    assert brief(found.adjustments) == adjustments
    assert not found.violations


@pytest.mark.fills("limits.event_attributes_max")
def test_violations_beyond_the_limit_are_reported(rules: ConnectionSettings, brief: Brief) -> None:
    found = Findings(reject_values=True)
    attributes: list[Attribute] = [*((name, 1) for name in "abcde"), ("f", None), ("", 1), ("g", Time(2**62))]
    custom_metadata(attributes, "e", rules, found)
    assert brief(found.violations) == [
        ("INVALID_ATTRIBUTE_VALUE", "e[5].value"),
        ("INVALID_ATTRIBUTE_NAME", "e[6]"),
        ("INVALID_ATTRIBUTE_VALUE", "e[7].value"),
    ]


def test_excess_is_rejected_if_the_connection_does_not_trim(
    rules: ConnectionSettings, found: Findings, brief: Brief
) -> None:
    strict = replace(rules, limits=LimitSettings(on_excess="reject"))
    custom_metadata([(name, 1) for name in "abcdefg"], "e", strict, found)
    assert brief(found.violations) == [("TOO_MANY_ATTRIBUTES", "e")]
    assert not found.adjustments


def test_normalize_attributes_keeps_order_and_counts_the_excess(found: Findings) -> None:
    assert normalize_attributes([("b", 1), ("a", 2), ("c", 3)], "e", found, 2, trim=False) == ({"b": 1, "a": 2}, 1)
    assert not found.adjustments


def test_composed_metadata_has_ours_first_then_the_most_specific(
    rules: ConnectionSettings, found: Findings, brief: Brief
) -> None:
    composed = compose_metadata(
        {"Id": "1", "Price": Decimal("1.10")}, ({"a": 1, "Id": "2"}, {"a": 2, "b": 3}), "e", rules, found
    )
    assert composed == b'{"Id":"1","Price":1.10,"a":1,"b":3}'
    assert brief(found.adjustments) == [("ATTRIBUTE_DROPPED", "e")]
    assert found.adjustments[0].message.endswith('dropped "Id", "a"')


def test_our_metadata_is_trimmed_by_priority_in_either_mode(rules: ConnectionSettings, found: Findings) -> None:
    strict = replace(rules, limits=LimitSettings(on_excess="reject", event_attributes_max=2))
    assert compose_metadata({"A": 1, "B": 2, "C": 3}, ({"d": 4},), "e", strict, found) == b'{"A":1,"B":2}'
    assert not found.violations
    assert found.adjustments[0].message.endswith('dropped "C", "d"')


def test_excess_of_the_senders_attributes_alone_is_rejected(
    rules: ConnectionSettings, found: Findings, brief: Brief
) -> None:
    strict = replace(rules, limits=LimitSettings(on_excess="reject", event_attributes_max=2))
    assert compose_metadata({}, ({"a": 1, "b": 2}, {"a": 1, "c": 3}), "e", strict, found) == b""
    assert brief(found.violations) == [("TOO_MANY_ATTRIBUTES", "e")]


def test_message_lists_at_most_twelve_dropped_names(rules: ConnectionSettings, found: Findings) -> None:
    compose_metadata({f"k{index}": index for index in range(30)}, (), "e", rules, found)
    assert found.adjustments[0].message.endswith('"k16" and 13 more')


def test_empty_metadata_is_empty_bytes(rules: ConnectionSettings, found: Findings) -> None:
    assert compose_metadata({}, ({},), "e", rules, found) == b""
    assert (
        compose_metadata({"a": 1}, (), "e", replace(rules, limits=LimitSettings(event_attributes_max=0)), found) == b""
    )
