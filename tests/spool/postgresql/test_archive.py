"""Clauses of a filter; what the filters find is part of the contract suite."""

from intercomd_daemon.spool.postgresql.archive import Where


def test_values_are_numbered_in_the_order_of_their_clauses() -> None:
    where = Where()
    where.add("a = ?", 1)
    where.add("(b = ? OR c = ?)", 2, 3)
    assert (str(where), where.values) == ("true AND a = $1 AND (b = $2 OR c = $3)", [1, 2, 3])


def test_filter_without_fields_matches_everything() -> None:
    assert str(Where()) == "true"
