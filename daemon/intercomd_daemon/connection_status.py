"""The state of a connection and of a user's lane, as operators see them, whether a worker delivers or forwards."""

from enum import IntEnum
from typing import NamedTuple

import msgspec

PAUSED_REASON = "an operator paused it: resume it to go on"


class ConnectionState(IntEnum):
    """What a connection does at present. The numbers are those of the gauge, and never change."""

    VERIFYING = 1
    """No response of `GET /me` yet: no other call leaves."""
    DELIVERING = 2
    DOWN = 3
    """Calls of several users fail. Probes find out when Intercom works again, see `outage.py`."""
    SUSPENDED = 4
    """The access token, the App ID or the region is wrong: only `GET /me` is called."""
    PAUSED = 5
    """Paused by an operator."""
    INACTIVE = 6
    """Inactive in the settings: new envelopes are skipped, waiting ones stay."""


class ConnectionStatus(msgspec.Struct, frozen=True):
    """The status of one connection. Times are Unix seconds, or 0.0.

    What the worker of an agent, or a connection without a worker, does not have keeps its default.
    """

    name: str
    state: ConnectionState
    reason: str
    """Why the connection does not deliver, with the remedy; empty if it does."""
    since: float
    """When the state or the reason last changed."""
    app_id: str = ""
    workspace_name: str = ""
    region: str = ""
    dry_run: bool = False
    calls: int = 0
    """Calls since the start of the daemon."""
    budget_limit: int = 0
    """Calls that Intercom allows in a window, by its last response."""
    budget_plan: int = 0
    """The share of those that this daemon uses."""
    budget_remaining: int = 0
    """Calls that this daemon may still make in this window."""
    window_seconds: float = 0.0
    window_ends: float = 0.0
    lanes_open: int = 0
    rows_read_ahead: int = 0
    next_probe: float = 0.0
    last_error: str = ""
    """The last failure of the connection as a whole. Contains no user data."""
    custom_attributes: int = 0
    """Of contacts in the workspace, archived ones left out; 0 before the list is read."""
    upstream: str = ""
    """At an agent: the gateway that the connection forwards to, as the settings name it."""
    upstream_spool_id: str = ""
    """The spool of that gateway; empty until it has answered."""
    delivered_by: str = ""
    """The daemon that delivers it; empty if the spool is not shared, or no daemon does."""
    elsewhere: bool = False
    """Whether that is another daemon than this one."""


class LaneState(NamedTuple):
    """A lane in memory, as far as one of its envelopes is concerned."""

    in_flight: bool
    """A call for the envelope is in flight, or its result is being committed."""
    failures: int
    """Failures in a row of the lane's head."""
    retry_at: float
    """When the lane may call again, Unix seconds; 0.0: at its turn."""
    attempts: int
    """Of the envelope."""
    http_status: int
    """Of the last failure of the lane's head; 0: none, or no answer."""
    last_error: str
