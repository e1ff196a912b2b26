"""Options that several commands have, each said once."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

CONFIG = click.option(
    "--config",
    "config_path",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Settings in TOML; variables INTERCOMD_... override them.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, one value a line.")
OPERATIONS = click.option(
    "--operations",
    "--target",
    "address",
    metavar="ADDR",
    help="Where the daemon answers operators over gRPC, host:port or unix:path.  "
    "[default: operations.grpc_listen of the settings, 127.0.0.1:9091]",
)


def examples(*lines: str) -> str:
    """The end of a help text: what somebody would type."""
    return "\n".join(["\b", "Examples:" if lines[1:] else "Example:", *(f"  {line}" for line in lines)])


class Duration(click.ParamType[float]):
    """A time span as the settings write it, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Reads `90s`, `5m`, `1h30m`; a number that is one already stays."""
        from intercomd_daemon.setting import kinds  # noqa: PLC0415 - msgspec, for commands that have such an option

        if isinstance(value, float):
            return value
        try:
            return float(kinds.duration(0.0, kinds.DAY).read(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def patience(default: str, ends: str) -> Callable[[Command], Command]:
    """How long to wait for a daemon that has gone away; `ends` says what then ends."""
    return click.option(
        "--patience",
        "patience_seconds",
        type=Duration(),
        default=default,
        show_default=True,
        metavar="SPAN",
        help=f"How long to wait for a daemon that has gone away, or takes nothing, before {ends}.",
    )
