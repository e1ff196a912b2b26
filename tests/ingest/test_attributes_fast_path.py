"""The fast path returns attributes unchanged, or leaves them to the general path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.envelope import Tag
from intercomd_daemon.ingest.attributes import unchanged_attributes
from intercomd_daemon.ingest.decoded import Attribute, UnchangedAttributes


@pytest.mark.parametrize(
    "attributes",
    [[], [("a", "x")], [("b", 1), ("a", True), ("c", "")], [("x" * 190, "x" * 255)], [("Favourite colour", -(2**63))]],
)
def test_attributes_without_a_change_keep_their_order(attributes: list[Attribute]) -> None:
    pairs = unchanged_attributes(attributes, 5)
    assert pairs is not None
    assert list(pairs.items()) == attributes


@pytest.mark.parametrize(
    "attributes",
    [
        *([("a.b", 1)], [("", 1)], [("id", 1)], [("FirstName", "A")], [("phone", "+44")], [("Mobile", "+44")]),
        *([("x" * 191, 1)], [("a", "x" * 256)], [("a", 1.5)], [("a", None)], [("a", Tag())], [("a", ("b",))]),
        *([("a", 1), ("a", 1)], [(name, 1) for name in "abcdef"]),
    ],
)
def test_attribute_that_needs_a_change_takes_the_general_path(attributes: list[Attribute]) -> None:
    assert unchanged_attributes(attributes, 5) is None


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c.d", "id", "x" * 191]), st.integers() | st.text(max_size=3))))
def test_unchanged_attributes_equal_the_input(attributes: list[Attribute]) -> None:
    pairs = unchanged_attributes(attributes, 3)
    if pairs is not None:
        assert list(pairs.items()) == attributes
        assert set(pairs) <= {"a", "b"}


def test_attributes_that_decoding_found_unchanged_are_counted_only() -> None:
    known = UnchangedAttributes([("b", 1), ("a", "x")])
    assert unchanged_attributes(known, 2) == {"b": 1, "a": "x"}
    assert unchanged_attributes(known, 1) is None
    assert unchanged_attributes(UnchangedAttributes([("a", 1), ("a", 2)]), 5) is None
