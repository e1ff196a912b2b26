"""Which level of `callers.<name>.operations` each method of OperationsService needs, and how callers limit lists."""

from types import MappingProxyType
from typing import Any, TypeVar

from msgspec.structs import replace

from intercomd_daemon.rpc.authentication import Guard
from intercomd_daemon.rpc.callers import Caller, Level
from intercomd_daemon.rpc.handlers import Method
from intercomd_daemon.rpc.refused_call import Context
from intercomd_daemon.spool.rows import DeadLetterFilter, OutcomeFilter
from intercomd_daemon.spool.trail import TrailFilter

LEVELS = MappingProxyType(
    {
        "GetStatus": Level.STATUS,
        "WatchOutcomes": Level.READ,
        "ListOutcomes": Level.READ,
        "GetWaitingEnvelope": Level.READ,
        "ListTrail": Level.READ,
        "ListDeadLetters": Level.READ,
        "GiveUpEnvelope": Level.WRITE,
        "ReplayDeadLetters": Level.WRITE,
        "DiscardDeadLetters": Level.WRITE,
        "PauseConnection": Level.WRITE,
        "ResumeConnection": Level.WRITE,
        "RetryConnection": Level.WRITE,
        "Reload": Level.WRITE,
        "Drain": Level.WRITE,
    }
)
"""By method. A method that is missing here needs `write`."""
EVERYWHERE = frozenset({"Reload", "Drain"})
"""Methods that affect every connection, so their callers need `connections = ["*"]`."""

Filter = TypeVar("Filter", OutcomeFilter, DeadLetterFilter, TrailFilter)


class Permissions:
    """The permissions of the caller of the current call."""

    def __init__(self, guard: Guard) -> None:
        """`guard` knows the callers of the listener."""
        self._guard = guard

    @property
    def caller(self) -> Caller:
        """The caller of the current call."""
        return self._guard.caller

    def intercept(self, name: str, method: Method) -> Method:
        """Returns the method behind a check of its level."""

        async def checked(request: Any, context: Context) -> Any:  # noqa: ANN401 - of any method
            self.check(name)
            return await method(request, context)

        return checked

    def check(self, name: str) -> None:
        """Checks that the caller may call a method.

        Raises:
            OperationsNotAllowed: it may not.
        """
        self.caller.check_level(LEVELS.get(name, Level.WRITE), name, everywhere=name in EVERYWHERE)

    def limit(self, wanted: Filter) -> Filter:
        """Returns a filter that matches only what the caller may see.

        Raises:
            ConnectionNotAllowed: the filter names a connection that the caller may not use.
        """
        caller = self.caller
        if caller.connections is None:
            return wanted
        if wanted.connection:
            caller.check_connection(wanted.connection)
            return wanted
        return replace(wanted, allowed=tuple(sorted(caller.connections)))
