"""Patterns of certificate names: what matches, and which patterns overlap."""

import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercomd_daemon.rpc.certificate_names import NamePattern


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("spiffe://prod/ns/billing/sa/*", "spiffe://prod/ns/billing/sa/api", True),
        ("spiffe://prod/ns/billing/sa/*", "spiffe://prod/ns/billing/sa/", False),
        ("spiffe://prod/ns/billing/sa/*", "spiffe://prod/ns/billing/sa/api/v2", False),
        ("spiffe://prod/ns/billing/sa/*", "spiffe://prod/ns/billing", False),
        ("spiffe://prod/ns/*/sa/api-*", "spiffe://prod/ns/shop/sa/api-7", True),
        ("spiffe://prod/ns/*/sa/api-*", "spiffe://prod/ns/shop/sa/api-", False),
        ("spiffe://prod/ns/*/sa/api", "spiffe://prod/ns/a/b/sa/api", False),
        ("spiffe://prod/a", "spiffe://prod/A", False),
        ("spiffe://prod/a.b", "spiffe://prod/axb", False),
        ("billing.internal", "billing.internal", True),
        ("billing.internal", "BILLING.Internal", True),
        ("Billing.internal", "billing.internal", True),
        ("*.internal", "billing.internal", True),
        ("*.internal", "eu.billing.internal", False),
        ("*.internal", ".internal", False),
        ("billing.internal", "billing.internal.evil.example", False),
        ("billing.internal", "billingXinternal", False),
        ("*", "billing", True),
        ("*", "billing.internal", False),
        ("urn:billing", "urn:billing", True),
    ],
)
def test_star_matches_within_one_segment(pattern: str, name: str, matches: bool) -> None:
    assert NamePattern(pattern).matches(name) is matches


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("a.b", "a.b", True),
        ("a.b", "A.b", True),
        ("a.b", "a.c", False),
        ("*.b", "a.b", True),
        ("*.b", "a.*", True),
        ("*.b", "a.c.b", False),
        ("a*", "*b", True),
        ("ab*", "a*c", True),
        ("ab*", "b*", False),
        ("a*b", "ab", False),
        ("x://p/*", "x://p/q", True),
        ("x://p/*", "x://p/q/r", False),
        ("x://p/*", "y://p/*", False),
        ("x:*", "*", False),
    ],
)
def test_overlapping_patterns_are_found(one: str, other: str, overlap: bool) -> None:
    assert NamePattern(one).overlaps(NamePattern(other)) is overlap
    assert NamePattern(other).overlaps(NamePattern(one)) is overlap


SEGMENTS = st.text("ab*", min_size=1, max_size=4)


@settings(deadline=None)
@given(SEGMENTS, SEGMENTS)
def test_patterns_overlap_exactly_if_a_name_matches_both(one: str, other: str) -> None:
    """Every name of up to six characters: longer ones add nothing for patterns of four."""
    names = ("".join(letters) for length in range(1, 7) for letters in product("ab", repeat=length))
    left, right = (re.compile("[ab]+".join(text.split("*"))) for text in (one, other))
    both = any(left.fullmatch(name) and right.fullmatch(name) for name in names)
    assert NamePattern(one).overlaps(NamePattern(other)) is both
