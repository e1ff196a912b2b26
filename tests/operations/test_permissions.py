"""Levels of the methods of OperationsService, and filters limited to a caller's connections."""

import pytest

from intercomd_daemon.errors import ConnectionNotAllowed
from intercomd_daemon.operations.permissions import EVERYWHERE, LEVELS, Permissions
from intercomd_daemon.operations.service import METHODS
from intercomd_daemon.rpc.authentication import Guard
from intercomd_daemon.rpc.callers import ANYONE, Caller, Level
from intercomd_daemon.spool.rows import DeadLetterFilter, OutcomeFilter
from intercomd_daemon.spool.trail import TrailFilter

LIMITED = Permissions(Guard(Caller("shop", frozenset({"eu", "us"}), Level.READ)))


def test_every_method_has_its_level() -> None:
    assert LEVELS.keys() >= METHODS
    assert {name for name, level in LEVELS.items() if level is Level.STATUS} == {"GetStatus"}
    reading = {name for name in METHODS if name.startswith(("Get", "List", "Watch"))}
    assert {name for name in METHODS if LEVELS[name] < Level.WRITE} == reading
    assert {"Reload", "Drain"} == EVERYWHERE


@pytest.mark.parametrize(
    "wanted", [OutcomeFilter(email="a@b.c"), DeadLetterFilter(reason="X"), TrailFilter(customer_id="1")]
)
def test_filter_is_limited_to_the_callers_connections(wanted: OutcomeFilter | DeadLetterFilter | TrailFilter) -> None:
    limited = LIMITED.limit(wanted)
    assert limited.allowed == ("eu", "us")
    assert Permissions(Guard(ANYONE)).limit(wanted) is wanted


def test_filter_may_name_a_connection_of_the_caller() -> None:
    assert LIMITED.limit(OutcomeFilter(connection="eu")) == OutcomeFilter(connection="eu")
    with pytest.raises(ConnectionNotAllowed):
        LIMITED.limit(OutcomeFilter(connection="default"))
