"""What a sandbox may be told beforehand: the workspace it plays, its limits and its habits.

Every default is Intercom's documented figure where there is one; the rest is what makes a test readable.
"""

from dataclasses import dataclass
from typing import Literal

DataType = Literal["string", "integer", "float", "boolean", "date"]
"""The types in which Intercom lists an attribute."""

VERSIONS = ("2.7", "2.8", "2.9", "2.10", "2.11", "2.12", "2.13", "2.14", "2.15", "2.16")
"""The published versions in which every call that is played here reads the same, or differs as the code says."""


@dataclass(frozen=True, slots=True)
class CustomAttribute:
    """A custom attribute of the workspace: what a write of it may hold, and whether it may be written."""

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

    access_token: str = "sandbox-token"  # noqa: S105 -- it opens nothing but the sandbox
    app_id: str = "sandbox"
    workspace_name: str = "Sandbox"
    region: Literal["us", "eu", "au"] = "us"
    app_visible: bool = True
    """False: `GET /me` answers with `app` null, as it may."""

    versions: tuple[str, ...] = VERSIONS
    version_default: str = "2.16"
    """The app's own setting, which decides when a call names no version."""

    rate_limit: int = 0
    """Calls a window. Every real figure on record is 83 or 167."""
    rate_window_seconds: float = 10.0
    rate_window_aligned: bool = True
    """True: windows end at multiples of their length on the clock; False: the first begins with the first call."""
    rate_headers: bool = True
    other_apps_calls: int = 0
    """How many calls of each window the customer's other apps use up at its start."""

    search_lag_seconds: float = 120.0
    search_lag_calls: int = 0
    """How long, and for how many searches, a new contact stays invisible to `POST /contacts/search`."""

    shared_emails: bool = False
    """True: a user may have the email of another user if both have an external_id; sources disagree."""
    blocked_status: int = 409
    """The status of `not_restorable`, which no source gives."""
    deleted_contacts_marked: bool = False
    """True: a deleted contact stays as one that is "marked for permanent deletion": a create of its identity is
    answered with the 409 for archived contacts, and its unarchiving with 400, as recorded with API 2.3."""
    attributes: tuple[CustomAttribute, ...] = ()
    attribute_refusals_named: bool = True
    """False: the 400 for a custom attribute's value does not say which attribute it is about."""
    custom_attributes_max: int = 250
    event_names_max: int = 120
    event_names_refusal_empty: bool = False
    """True: the 422 for too many event names has an empty body; both forms are reported."""

    request_bytes_max: int = 1 << 20
    calls_max: int = 100_000
    events_max: int = 200_000
    illegal_requests_max: int = 1_000
    """How many calls, events and illegal requests are remembered, the newest; repeats of forgotten events are new."""
    seed: int = 0
    """What decides the ids that are given out and the faults that come by chance."""
