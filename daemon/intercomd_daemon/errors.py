"""The errors that intercomd raises on purpose; `rpc/grpc_status.py` and the commands map them to statuses."""

import json
from collections.abc import Sequence

EXIT_FAILED = 1
EXIT_CONFIGURATION = 78
"""The exit codes of a process that an error has ended; 78 is EX_CONFIG of sysexits.h, for invalid settings."""
_QUOTED_CHARACTERS_MAX = 60


def quoted(name: str) -> str:
    """Returns a name for a message: in double quotes, cut after 60 characters, escaped as in JSON.

    Characters that are not printable are escaped as well, such as those that change the direction of writing.
    """
    cut = name if len(name) <= _QUOTED_CHARACTERS_MAX else name[:_QUOTED_CHARACTERS_MAX] + "…"
    plain = (c if c.isprintable() and c not in {'"', "\\"} else json.dumps(c)[1:-1] for c in cut)
    return f'"{"".join(plain)}"'


class IntercomdError(Exception):
    """The base class of these errors."""


class RequestRefused(IntercomdError):
    """The request is invalid; nothing of it was accepted."""

    def __init__(self, field: str, message: str) -> None:
        """`field` is the path of the invalid field, `message` the limit and the remedy."""
        super().__init__(message)
        self.field = field
        self.message = message
        self.size_bytes = 0
        """The size of the request; 0: unknown."""


class RetryLater(IntercomdError):
    """Nothing of the request was accepted; it may be repeated unchanged after `retry_seconds`."""

    def __init__(self, message: str, retry_seconds: float) -> None:
        """`retry_seconds` is the time that the caller should wait, 1 to 5 s."""
        super().__init__(message)
        self.message = message
        self.retry_seconds = retry_seconds


class SpoolFull(RetryLater):
    """The spool's quota, the free disk space or the disk itself prevents accepting more; accepted envelopes stay."""


class ShuttingDown(RetryLater):
    """The daemon is stopping; another one, or the restarted one, can accept the request."""


class SpoolClosed(ShuttingDown):
    """The spool is closed, or closes, as the daemon stops."""

    def __init__(self) -> None:
        super().__init__(
            "the spool is closed, as the daemon stops: send the request again, to another daemon or to this one after "
            "its restart",
            1.0,
        )


class CommitUnknown(IntercomdError):
    """It is unknown whether the database committed the request; a repeat with the same ids is safe."""


class SecondsTaken(RetryLater):
    """Another process claimed seconds of the request's events for other events; nothing was appended."""

    def __init__(self, pairs: Sequence[tuple[int, int]]) -> None:
        """`pairs` are the (key, owner) of each taken second and of the taken seconds that follow it without a gap."""
        super().__init__(
            "other daemons accepted events of the same users and seconds at the same time: send the request again", 1.0
        )
        self.pairs = pairs


class SpoolChanged(IntercomdError):
    """The forwarding daemon expects another spool; nothing of the request was accepted."""

    def __init__(self, spool_id: str) -> None:
        """`spool_id` is the id of this daemon's spool."""
        super().__init__(
            f"this daemon's spool is {spool_id}, another one than the agent forwarded to before:"
            " `intercomd retry` at the agent confirms the change"
        )
        self.spool_id = spool_id


class ForwardingLoop(IntercomdError):
    """The call has passed this agent before, or too many agents; nothing of the request was accepted."""

    def __init__(self, agent_id: str) -> None:
        """`agent_id` is the id of this agent's spool."""
        super().__init__(
            f"the call has passed the agent with the spool {agent_id} before, or too many agents:"
            " upstream.target of one of them leads back to it instead of to a gateway that delivers"
        )


class ConnectionNotFound(IntercomdError):
    """The settings have no connection of that name."""

    def __init__(self, connection: str) -> None:
        """`connection` is the name that the caller sent."""
        super().__init__(
            f"unknown connection {quoted(connection)}: `intercomd status` (GetStatus) lists the configured ones"
        )
        self.connection = connection


class EnvelopeNotWaiting(IntercomdError):
    """No envelope of that id waits in the connection."""

    def __init__(self, connection: str, envelope_id: str) -> None:
        """Both as the caller sent them."""
        super().__init__(
            f"envelope {quoted(envelope_id)} does not wait in connection {quoted(connection)}:"
            " it has its outcome, or was never accepted there; ListTrail shows which"
        )
        self.connection = connection
        self.envelope_id = envelope_id


class CountMismatch(IntercomdError):
    """The filter matches another number of dead letters than expected; nothing was done."""

    def __init__(self, expected: int, total: int) -> None:
        """`expected` is the caller's number, `total` the number that match now."""
        super().__init__(f"{total} dead letters match, expected {expected}: list them again and pass that total_count")
        self.expected = expected
        self.total = total


class Unauthenticated(IntercomdError):
    """The call has no valid credential; nothing of it was read."""

    def __init__(self, reason: str, message: str) -> None:
        """`reason` is CREDENTIALS_MISSING or CREDENTIALS_INVALID."""
        super().__init__(message)
        self.reason = reason


class ConnectionNotAllowed(IntercomdError):
    """The caller may not use a connection, whether it exists or not; nothing of the request was accepted."""

    def __init__(self, connection: str, caller: str) -> None:
        """`connection` is the name that the caller sent, `caller` the caller's name."""
        super().__init__(
            f"caller {caller} may not use connection {quoted(connection)}: add it to callers.{caller}.connections"
        )
        self.connection = connection


class OperationsNotAllowed(IntercomdError):
    """The caller may not do this on the operations listeners."""


class QuotaExceeded(IntercomdError):
    """The caller's quota is used up; nothing of the request was accepted."""

    def __init__(self, caller: str, quota: str, per_second: float, retry_seconds: float) -> None:
        """`quota` is the setting, `per_second` its value.

        `retry_seconds` is the time until the next request can pass.
        """
        key, unit = f"callers.{caller}.{quota}", quota.removesuffix("_per_second")
        message = f"caller {caller} has used up its quota of {per_second:.0f} {unit} per second ({key})"
        super().__init__(f"{message}: retry after {retry_seconds:.1f} s, or raise the quota")
        self.caller = caller
        self.quota = quota
        self.retry_seconds = retry_seconds


class TooManyWatches(IntercomdError):
    """The limit of open watches is reached."""


class LeaseLost(IntercomdError):
    """Another process may deliver for the workspace now: nothing more may be called or committed for it."""


class SpoolLocked(IntercomdError):
    """Another daemon holds the spool."""


class SpoolUnusable(IntercomdError):
    """The spool cannot be opened: the file of another program, or the format of another major version."""


class SettingsInvalid(IntercomdError):
    """The settings are invalid; each problem names a key, what is wrong and the remedy."""

    def __init__(self, problems: list[str]) -> None:
        """All problems at once, in the order of the file."""
        super().__init__("\n".join(problems))
        self.problems = problems
