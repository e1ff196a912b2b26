"""Calls of the functions of `schema.sql` by the names of their arguments: some have more than twenty."""

from functools import cache


def function_call(function: str, **arguments: object) -> tuple[str, tuple[object, ...]]:
    """Returns the statement that calls a function, and its values."""
    return _statement(function, *arguments), tuple(arguments.values())


@cache
def _statement(function: str, *names: str) -> str:
    named = ", ".join(f"{name} => ${number}" for number, name in enumerate(names, 1))
    return f"SELECT * FROM {function}({named})"  # noqa: S608 - our own names
