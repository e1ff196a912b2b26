"""The settings of logging: `[log]`."""

from typing import Annotated

import msgspec

from intercomd_daemon.setting import kinds

LEVELS = ("debug", "info", "warning", "error")


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Level and format of the log."""

    format: Annotated[str, kinds.choice("json", "console")] = "json"
    level: Annotated[str, kinds.choice(*LEVELS)] = "info"
    values: Annotated[bool, kinds.boolean()] = False
    """Whether debug lines show attribute values and emails."""
