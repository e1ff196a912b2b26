"""Whose trail a filter names."""

import pytest

from intercomd_daemon.spool.trail import TrailFilter

ANN = ("eu", "e-1", "ann", "ann@example.com")


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (TrailFilter(), True),
        (TrailFilter(connection="eu"), True),
        (TrailFilter(connection="us"), False),
        (TrailFilter(envelope_id="e-1"), True),
        (TrailFilter(envelope_id="e-2"), False),
        (TrailFilter(customer_id="ann"), True),
        (TrailFilter(customer_id="bob"), False),
        (TrailFilter(email="ann@example.com"), True),
        (TrailFilter(email="bob@example.com"), False),
        (TrailFilter(customer_id="bob", email="ann@example.com"), True),
        (TrailFilter(customer_id="ann", email="bob@example.com"), True),
        (TrailFilter(customer_id="bob", email="bob@example.com"), False),
        (TrailFilter(connection="us", customer_id="ann", email="ann@example.com"), False),
        (TrailFilter(envelope_id="e-2", customer_id="ann"), False),
    ],
)
def test_envelope_matches_if_one_identity_does(wanted: TrailFilter, matches: bool) -> None:
    assert wanted.matches(*ANN) is matches


def test_identity_that_an_envelope_lacks_matches_nothing() -> None:
    assert not TrailFilter(email="ann@example.com").matches("eu", "e-1", "ann", "")
