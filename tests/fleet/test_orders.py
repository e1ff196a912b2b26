"""When an operator's order is in effect though nothing has answered it."""

import pytest

from intercomd_daemon.fleet.lease import Fence, LeaseRow, Observation, Terms
from intercomd_daemon.fleet.orders import OrderKind, is_obsolete

TERMS = Terms(10.0)
OWNER = Fence("owner", 3)


def seen(fence: Fence, since: float = 0.0) -> Observation:
    return Observation(LeaseRow(fence, 7, 1), since, 1)


@pytest.mark.parametrize("kind", [OrderKind.PAUSE, OrderKind.RESUME, OrderKind.RETRY])
@pytest.mark.parametrize(
    ("found", "now", "obsolete"),
    [
        (seen(OWNER), 11.9, False),
        (seen(OWNER), 12.0, True),
        (seen(Fence("other", 4)), 0.0, True),
        (seen(Fence("owner", 4)), 0.0, True),
        (seen(Fence("", 3)), 0.0, True),
    ],
    ids=["held", "expired", "taken over", "acquired again", "released"],
)
def test_order_needs_no_answer_once_its_holder_makes_no_more_calls(
    kind: OrderKind, found: Observation, now: float, obsolete: bool
) -> None:
    assert is_obsolete(kind, OWNER, found, now, TERMS) is obsolete


def test_released_lease_of_before_a_fail_over_counts_as_held() -> None:
    """The fail-over may have lost the claim of another daemon."""
    released = Observation(LeaseRow(Fence("", 3), 7, 1), 0.0, timeline=2)
    assert not is_obsolete(OrderKind.PAUSE, Fence("", 3), released, 1.0, TERMS)
    assert is_obsolete(OrderKind.PAUSE, Fence("", 3), released, 12.0, TERMS)


def test_give_up_needs_its_answer() -> None:
    assert not is_obsolete(OrderKind.GIVE_UP, OWNER, seen(Fence("", 3)), 100.0, TERMS)
