"""Errors of ours, each with whose fault it is; the ingest service and the command line turn them into statuses."""


class IntercomdError(Exception):
    """The root of what intercomd raises on purpose."""


class RequestRefused(IntercomdError):
    """The caller must change the request; nothing of it was taken."""

    def __init__(self, field: str, message: str) -> None:
        """`field` is the path of what is wrong, `message` the limit and the remedy."""
        super().__init__(message)
        self.field = field
        self.message = message


class NotNow(IntercomdError):
    """Nothing of the request was taken; the same request may be repeated after `retry_seconds`."""

    def __init__(self, message: str, retry_seconds: float) -> None:
        """`retry_seconds` is how long the caller should wait, from 1 to 5."""
        super().__init__(message)
        self.message = message
        self.retry_seconds = retry_seconds


class SpoolFull(NotNow):
    """The spool's quota, the free disk space or the disk itself forbids taking more; what was accepted stays."""


class Draining(NotNow):
    """The daemon is stopping; another one, or the restarted one, will take the request."""


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
