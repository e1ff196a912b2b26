"""The errors that intercomd raises on purpose; `rpc/status.py` and the commands turn them into statuses."""

_QUOTED_CHARACTERS_MAX = 60


def quoted(name: str) -> str:
    """A name in a message: quoted, cut after 60 characters, control characters escaped."""
    return repr(name if len(name) <= _QUOTED_CHARACTERS_MAX else name[:_QUOTED_CHARACTERS_MAX] + "…")


class IntercomdError(Exception):
    """The root of what intercomd raises on purpose."""


class RequestRefused(IntercomdError):
    """The caller must change the request; nothing of it was taken."""

    def __init__(self, field: str, message: str) -> None:
        """`field` is the path of what is wrong, `message` the limit and the remedy."""
        super().__init__(message)
        self.field = field
        self.message = message


class RetryLater(IntercomdError):
    """Nothing of the request was taken; the same request may be repeated after `retry_seconds`."""

    def __init__(self, message: str, retry_seconds: float) -> None:
        """`retry_seconds` is how long the caller should wait, from 1 to 5."""
        super().__init__(message)
        self.message = message
        self.retry_seconds = retry_seconds


class SpoolFull(RetryLater):
    """The spool's quota, the free disk space or the disk itself forbids taking more; what was accepted stays."""


class ShuttingDown(RetryLater):
    """The daemon is stopping; another one, or the restarted one, will take the request."""


class ConnectionNotFound(IntercomdError):
    """The settings have no connection of that name."""

    def __init__(self, connection: str) -> None:
        """`connection` is the name that the caller sent."""
        super().__init__(f"no connection of the settings is called {quoted(connection)}; GetStatus lists them")
        self.connection = connection


class CountMismatch(IntercomdError):
    """The filter does not match as many dead letters as the caller expected; nothing was done."""

    def __init__(self, expected: int, total: int) -> None:
        """`expected` is the caller's number, `total` the number that matches now."""
        super().__init__(
            f"{total} dead letters match, not {expected}: list them again and repeat with the total_count of that list"
        )
        self.expected = expected
        self.total = total


class TooManyWatches(IntercomdError):
    """The limit of open watches is reached."""


class LeaseLost(IntercomdError):
    """Another process may deliver for the workspace now: nothing more may be called or committed for it."""


class SpoolLocked(IntercomdError):
    """Another daemon holds the spool."""


class SpoolUnusable(IntercomdError):
    """The spool cannot be opened: another program's file, or the format of another major version."""


class SettingsInvalid(IntercomdError):
    """The settings are wrong; `problems` names each key, what is wrong and the remedy."""

    def __init__(self, problems: list[str]) -> None:
        """All problems at once, in the order of the file."""
        super().__init__("\n".join(problems))
        self.problems = problems
