"""The settings of a daemon that shares its spool: `[fleet]`."""

from typing import Annotated

import msgspec

from intercomd_daemon.setting import kinds
from intercomd_daemon.setting.kinds import MINUTE


class FleetSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who the daemon is among those that share a spool, and how long it holds a workspace without renewing."""

    daemon_id: Annotated[str, kinds.text("a name", r"[A-Za-z0-9._:-]{0,128}")] = ""
    """Empty: the host's name and a random part."""
    lease_seconds: Annotated[float, kinds.duration(5.0, 5 * MINUTE)] = msgspec.field(default=10.0, name="lease")
