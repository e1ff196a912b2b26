"""Appends of several daemons to one log, in every order of their statements."""

from fleet.explorer import explore
from fleet.transaction_model import LOCK_FIRST, ONE_STATEMENT, AppendModel


def test_append_that_locks_before_it_reads_keeps_ids_and_order() -> None:
    model = AppendModel(LOCK_FIRST)
    found = explore(model.initial, model.following, model.broken)
    assert found.violation == ""
    assert found.steps == {"lock", "read", "insert", "commit"}


def test_append_that_reads_before_it_locks_doubles_an_id() -> None:
    model = AppendModel(ONE_STATEMENT)
    found = explore(model.initial, model.following, model.broken)
    assert found.violation == "an id was appended twice"
