"""How a connection stands, as its worker sees it and operators ask for it."""

from enum import IntEnum

import msgspec


class ConnectionState(IntEnum):
    """What a connection does at present."""

    VERIFYING = 1
    """Before the first answer of `GET /me`: nothing leaves."""
    DELIVERING = 2
    DOWN = 3
    """Intercom does not answer well, whoever the call is for: one call probes."""
    SUSPENDED = 4
    """The access token, the App ID or the region is wrong: `GET /me` probes."""
    PAUSED = 5
    """An operator stopped it."""
    INACTIVE = 6
    """Switched off in the settings: its envelopes are skipped, what waits stays."""


class ConnectionStatus(msgspec.Struct, frozen=True):
    """A picture of one connection; times are Unix seconds, 0.0 where there is none."""

    name: str
    state: ConnectionState
    reason: str
    """Why it does not deliver, with the remedy; empty if it does."""
    since: float
    """When it came to stand like this."""
    app_id: str
    workspace_name: str
    region: str
    dry_run: bool
    calls: int
    """Made since the start."""
    budget_limit: int
    """Calls that Intercom allows in a window, as last heard."""
    budget_plan: int
    """Calls that we mean to make of those."""
    budget_remaining: int
    """Calls that we may still make in this window."""
    window_seconds: float
    window_ends: float
    lanes_open: int
    rows_read_ahead: int
    next_probe: float
    last_error: str
    """The last failure that concerned the connection as a whole, in words, without any user's data."""
