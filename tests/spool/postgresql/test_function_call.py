"""Calls of functions by the names of their arguments."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.postgresql.function_call import function_call


def test_arguments_are_named_and_numbered_in_order() -> None:
    call = function_call("park_1", the_epoch=3, keys=[1, 2])
    assert call == ("SELECT * FROM park_1(the_epoch => $1, keys => $2)", (3, [1, 2]))


async def test_argument_that_the_function_does_not_have_is_refused(
    open_daemon: Callable[..., Awaitable[PostgresqlSpool]],
) -> None:
    spool = await open_daemon()
    statement, values = function_call("connection_1", nobody="default")
    with pytest.raises(asyncpg.UndefinedFunctionError):
        await spool._reading.fetch(statement, *values)
