"""The engines have every method of the interface; mypy checks the signatures where they are opened."""

import pytest

from intercomd_daemon.spool.base import Outflow, Spool
from intercomd_daemon.spool.local import LocalOutflow
from intercomd_daemon.spool.memory.engine import MemorySpool
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.postgresql.outflow import PostgresqlOutflow
from intercomd_daemon.spool.sqlite.engine import SqliteSpool


def methods(interface: type) -> set[str]:
    return {name for base in interface.__mro__ for name in vars(base) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("engine", "interface"),
    [
        (MemorySpool, Spool),
        (SqliteSpool, Spool),
        (PostgresqlSpool, Spool),
        (LocalOutflow, Outflow),
        (PostgresqlOutflow, Outflow),
    ],
)
def test_engine_has_every_method_of_its_interface(engine: type, interface: type) -> None:
    assert methods(interface) - set(dir(engine)) <= {"fleet", "unclean"}  # Attributes that `__init__` sets.
