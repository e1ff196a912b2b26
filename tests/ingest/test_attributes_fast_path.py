"""The usual attributes pass as they came, and every other one is looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.envelope import Tag
from intercomd_daemon.ingest.attributes import unchanged_attributes
from intercomd_daemon.ingest.decoded import Attribute


@pytest.mark.parametrize(
    "attributes",
    [[], [("a", "x")], [("b", 1), ("a", True), ("c", "")], [("x" * 190, "x" * 255)], [("Favourite colour", -(2**63))]],
)
def test_usual_attributes_pass_in_their_order(attributes: list[Attribute]) -> None:
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
def test_one_that_is_not_usual_is_left_to_be_looked_at(attributes: list[Attribute]) -> None:
    assert unchanged_attributes(attributes, 5) is None


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c.d", "id", "x" * 191]), st.integers() | st.text(max_size=3))))
def test_what_passes_is_exactly_what_came(attributes: list[Attribute]) -> None:
    pairs = unchanged_attributes(attributes, 3)
    if pairs is not None:
        assert list(pairs.items()) == attributes
        assert set(pairs) <= {"a", "b"}
