"""What a check finds, one thing at a time. Pure."""

from enum import Enum
from typing import NamedTuple


class Level(Enum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """It works, and somebody should know."""
    UNKNOWN = "unknown"
    """It could not be found out now."""
    WRONG = "wrong"


class Finding(NamedTuple):
    """One line of `intercomd check`."""

    level: Level
    subject: str
    """`settings`, `spool`, or `connection <name>`."""
    message: str
    """What is so; where it is wrong, with the remedy."""

    def as_json(self) -> dict[str, str]:
        """As `--json` prints it."""
        return {"level": self.level.value, "subject": self.subject, "message": self.message}
