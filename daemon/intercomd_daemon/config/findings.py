"""What was written where: a value as it came, before anybody has looked at it."""

from dataclasses import dataclass, field
from typing import NamedTuple


class RawValue(NamedTuple):
    """One value of the file or the environment."""

    raw: object
    origin: str
    """The file's path or the variable's name."""
    is_text: bool
    """Of a variable: its kind makes of the text what TOML would have given."""


@dataclass
class Findings:
    """What is wrong with the settings so far, each in one line with the remedy."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def problem(self, key: str, origin: str, message: str) -> None:
        """Notes what must be mended."""
        self.problems.append(f"{key} ({origin}): {message}")

    def warn(self, key: str, origin: str, message: str) -> None:
        """Notes what is odd, and works."""
        self.warnings.append(f"{key} ({origin}): {message}")


API_KEY = "api_key"
API_KEY_ADVICE = (
    "Intercom issues no API keys any more; create an access token in Intercom's Developer Hub, put it into a file and "
    "name that in access_token_file, or set INTERCOMD_ACCESS_TOKEN"
)
CONNECTIONS = "connections"
