"""The settings of a stop: `[stopping]`. A second signal skips every wait."""

from typing import Annotated

import msgspec

from intercomd_daemon.setting import kinds
from intercomd_daemon.setting.kinds import DAY, HOUR, MINUTE


class StoppingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long each step of a stop may take."""

    linger_seconds: Annotated[float, kinds.duration(0.0, 5 * MINUTE)] = msgspec.field(default=2.0, name="linger")
    """New calls are still accepted while health says NOT_SERVING: time for load balancers to notice."""
    drain_seconds: Annotated[float, kinds.duration(0.0, HOUR)] = msgspec.field(default=20.0, name="drain")
    """For open calls of senders, and for calls to Intercom in flight."""
    deliver_seconds: Annotated[float, kinds.duration(0.0, DAY)] = msgspec.field(default=0.0, name="deliver")
    """Waiting envelopes are delivered for this long after new calls are refused."""
