"""Options of the commands that call a daemon: TLS and the token. Also INTERCOMD_CLIENT_… variables.

The options keep their values in click's context, so that only what opens a connection reads them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
VARIABLES = "INTERCOMD_CLIENT"
_META = "intercomd.access"
_FILE = click.Path(exists=True, dir_okay=False)


class ClientOptions(NamedTuple):
    """How to call a daemon."""

    tls: bool = False
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None
    token_file: str | None = None

    @property
    def uses_tls(self) -> bool:
        """Whether to use TLS: `--tls`, or any option that needs it."""
        return self.tls or any((self.ca_file, self.certificate_file, self.key_file, self.server_name))

    def without_tls(self) -> "ClientOptions":
        """Returns the options for a listener in plain text."""
        return ClientOptions(token_file=self.token_file)


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    context.meta.setdefault(_META, {})[parameter.name] = value


def _option(
    name: str, kind: click.ParamType[Any] | None, text: str, metavar: str | None
) -> Callable[[Command], Command]:
    variable = f"{VARIABLES}_{name.removeprefix('--').replace('-', '_').upper()}"
    flag: dict[str, Any] = {"is_flag": True} if kind is None else {"type": kind, "metavar": metavar}
    return click.option(name, expose_value=False, callback=_keep, envvar=variable, help=text, **flag)


_OPTIONS = (
    _option("--tls", None, "Call the daemon over TLS, with the system's authorities.", None),
    _option("--ca-file", _FILE, "Authorities (PEM) of the daemon's certificate; implies --tls.", "FILE"),
    _option("--certificate-file", _FILE, "Client certificate (PEM), with --key-file; implies --tls.", "FILE"),
    _option("--key-file", _FILE, "Private key of the client certificate.", "FILE"),
    _option("--server-name", click.STRING, "Name in the daemon's certificate, if the address has another.", "NAME"),
    _option("--token-file", _FILE, "File with the token of a caller.", "FILE"),
)


def options(command: Command) -> Command:
    """Adds the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def current() -> ClientOptions:
    """Returns the options of the running command.

    Raises:
        click.UsageError: a certificate is given without its key, or a key without a certificate.
    """
    context = click.get_current_context(silent=True)
    access = ClientOptions(**context.meta.get(_META, {})) if context is not None else ClientOptions()
    if bool(access.certificate_file) != bool(access.key_file):
        raise click.UsageError("--certificate-file and --key-file belong together: give both or neither")
    return access
