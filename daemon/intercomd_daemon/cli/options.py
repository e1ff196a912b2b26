"""Options shared by several commands."""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click

from intercomd_daemon.cli import client_options
from intercomd_daemon.cli.addresses import OPERATIONS, AddressUnknown, Listener, address_of
from intercomd_daemon.cli.exits import ConfigurationInvalid

Command = TypeVar("Command", bound=Callable[..., Any])


class Text(click.ParamType[str]):
    """Text that gRPC can carry: an argument whose bytes are not UTF-8 arrives with surrogates."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns the text."""
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(f"{text.encode(errors='surrogateescape')!r} is not UTF-8; write it as UTF-8 text", param, ctx)
        return text


class Given(Text):
    """Text that is not blank. A blank value, as of an unset shell variable, must not select everything."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns the text."""
        text = super().convert(value, param, ctx)
        if not text.strip():
            self.fail(_BLANK, param, ctx)
        return text


class SettingsFile(click.Path):
    """The path of a settings file, which need not exist."""

    def convert(  # type: ignore[override]  # of a path, a str
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Returns the path; a blank one must not mean the environment alone."""
        if not value.strip():
            self.fail(_BLANK, param, ctx)
        return str(super().convert(value, param, ctx))


_BLANK = "it is blank: is a shell variable unset?"
TEXT = Text()
GIVEN = Given()
CONFIG = click.option(
    "--config",
    "config_path",
    metavar="FILE",
    type=SettingsFile(dir_okay=False),
    help="Settings file (TOML); environment variables INTERCOMD_... override it.",
)
YES = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, one value per line.")
_OPERATIONS_ADDRESS = click.option(
    "--operations",
    "--target",
    "address",
    metavar="ADDR",
    type=GIVEN,
    help="Address of the daemon's operations service (gRPC), host:port or unix:path.  "
    "[default: operations.grpc_listen of the settings, 127.0.0.1:9091]",
)


def operations_address(command: Command) -> Command:
    """Adds --operations, and how to call the service; the command gets the `address` that is given, or None."""
    return _OPERATIONS_ADDRESS(client_options.options(command))


def operations(command: Command) -> Command:
    """Adds the options that find the operations service; the command gets its `address`, perhaps from the settings."""

    @wraps(command)
    def with_address(*, address: str | None, config_path: str | None, **given: Any) -> Any:  # noqa: ANN401 - of any command
        return command(address=resolve_address(address, OPERATIONS, config_path), **given)

    return operations_address(CONFIG(cast("Command", with_address)))


def resolve_address(address: str | None, listener: Listener, config_path: str | None) -> str:
    """Returns the address given on the command line, or else the one from the settings.

    Raises:
        ConfigurationInvalid: the settings name no address that can be called.
    """
    try:
        return address or address_of(listener, config_path, os.environ)
    except AddressUnknown as error:
        raise ConfigurationInvalid(str(error)) from None


def examples(*lines: str) -> str:
    """Returns the examples at the end of a help text."""
    return "\n".join(["\b", "Examples:" if lines[1:] else "Example:", *(f"  {line}" for line in lines)])


class Duration(click.ParamType[float]):
    """A duration in the notation of the settings; its value is in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parses `90s`, `5m`, `1h30m`; returns a float unchanged."""
        from intercomd_daemon.setting import kinds  # noqa: PLC0415 - loads msgspec only for this option

        if isinstance(value, float):
            return value
        try:
            return float(kinds.duration(0.0, kinds.DAY).read(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def patience(default: str, ends: str) -> Callable[[Command], Command]:
    """Adds the option --patience; `ends` names what happens when it is over."""
    return click.option(
        "--patience",
        "patience_seconds",
        type=Duration(),
        default=default,
        show_default=True,
        metavar="DURATION",
        help=f"How long to wait for a daemon that is gone or accepts nothing, before {ends}.",
    )
