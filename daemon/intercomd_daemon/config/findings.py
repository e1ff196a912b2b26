"""Raw values with their origin, and the findings about them."""

from dataclasses import dataclass, field
from typing import NamedTuple


class RawValue(NamedTuple):
    """A value of the file or the environment, before it is checked."""

    raw: object
    origin: str
    """The file's path or the variable's name."""
    is_text: bool
    """From a variable: its kind converts the text to what TOML would give."""


@dataclass
class SettingFindings:
    """Problems and warnings about the settings, each in one line with the remedy."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def problem(self, key: str, origin: str, message: str) -> None:
        """Adds a problem: the settings cannot be used."""
        self.problems.append(f"{key} ({origin}): {message}")

    def warn(self, key: str, origin: str, message: str) -> None:
        """Adds a warning: the settings work, but probably not as intended."""
        self.warnings.append(f"{key} ({origin}): {message}")


API_KEY = "api_key"
API_KEY_ADVICE = (
    "Intercom issues no API keys any more; create an access token in Intercom's Developer Hub, put it into a file and "
    "name that in access_token_file, or set INTERCOMD_ACCESS_TOKEN"
)
CONNECTIONS = "connections"
CALLERS = "callers"
