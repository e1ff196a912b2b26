"""Settings of a sandbox: its workspace, limits and variants of behaviour.

Defaults are Intercom's documented values where they exist; the others keep tests short.
"""

from dataclasses import dataclass
from typing import Literal

from intercomd_daemon.sandbox.recorded import ALL, Recorded

DataType = Literal["string", "integer", "float", "boolean", "date"]
"""The types in which Intercom lists an attribute."""

VERSIONS = ("2.7", "2.8", "2.9", "2.10", "2.11", "2.12", "2.13", "2.14", "2.15", "2.16")
"""Supported versions: in them the supported calls are the same, or differ as the code shows."""


@dataclass(frozen=True, slots=True)
class CustomAttribute:
    """A custom attribute of the workspace."""

    name: str
    data_type: DataType = "string"
    model: Literal["contact", "company"] = "contact"
    archived: bool = False
    api_writable: bool = True
    description: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """A sandbox's settings. Times are in seconds, limits are counts; `rate_limit` 0 means that no call is refused."""

    recorded: frozenset[Recorded] = ALL
    """The recorded answers to play; instead of each other one, what Intercom's description or another report says."""

    access_token: str = "sandbox-token"  # noqa: S105 - it opens nothing but the sandbox
    app_id: str = "sandbox"
    workspace_name: str = "Sandbox"
    region: Literal["us", "eu", "au"] = "us"
    app_visible: bool = True
    """False: `GET /me` answers with `app` null, as it may."""

    versions: tuple[str, ...] = VERSIONS
    version_default: str = "2.16"
    """The version of calls that do not name one: a setting of the app."""

    rate_limit: int = 0
    """Calls in a window. Recorded values are 83 and 167."""
    rate_window_seconds: float = 10.0
    rate_window_aligned: bool = True
    """True: windows end at multiples of their length on the clock; False: the first begins with the first call."""
    rate_headers: bool = True
    other_apps_calls: int = 0
    """Calls of each window that other apps of the workspace use at its start."""

    search_lag_seconds: float = 120.0
    search_lag_calls: int = 0
    """The time, and the number of searches, for which a new contact is invisible to `POST /contacts/search`."""

    shared_emails: bool = False
    """True: a user may be created with the email of another user if both have an external_id; sources disagree."""
    blocked_status: int = 409
    """The status of `not_restorable`, which is not documented."""
    deletion_seconds: float = 0.0
    """The time after a DELETE in which unarchiving is answered 500 `server_error` instead of 400: recorded "in the
    first seconds"."""
    attributes: tuple[CustomAttribute, ...] = ()
    attribute_refusals_named: bool = True
    """False: the 400 for the value of a custom attribute does not name the attribute."""
    custom_attributes_max: int = 250
    event_names_max: int = 120
    event_names_refusal_empty: bool = False
    """True: the 422 for too many event names has an empty body; both forms are reported."""

    request_bytes_max: int = 1 << 20
    calls_max: int = 100_000
    events_max: int = 200_000
    illegal_requests_max: int = 1_000
    """Calls, events and illegal requests kept, the newest. A repeat of a dropped event counts as new."""
    seed: int = 0
    """Determines the generated ids and the random faults."""
