"""Channels to a running daemon. A failed call becomes one line that names the fix."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click
import grpc

from intercomd import access
from intercomd.proxies import proxy_options
from intercomd.retry import retry_after_seconds
from intercomd.v1.ingest_pb2 import PreviewRequest
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from intercomd.v1.operations_pb2 import GetStatusRequest
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub
from intercomd_daemon.cli.addresses import AddressUnknown, operations_use_tls
from intercomd_daemon.cli.client_options import ClientOptions, current
from intercomd_daemon.cli.exits import CommandFailed, ConfigurationInvalid
from intercomd_daemon.cli.format import printable
from intercomd_daemon.cli.tls_problem import find_tls_problem

CALL_SECONDS = 30.0
"""Deadline of one call. Reading a full journal takes a few seconds."""
# By default gRPC's pause between attempts to connect grows to two minutes.
_CHANNEL_OPTIONS = (("grpc.max_reconnect_backoff_ms", 1000),)
PREVIEW_BYTES_MAX = 64 * 1024 * 1024
"""Largest Preview response: the calls for one envelope can take 1 MiB, and a request holds up to 50."""

# What gRPC reports of a server that speaks HTTP/1, and of one with TLS that was called in plain text.
_HTTP1 = "http1.x server"
_CLOSED = ("Socket closed", "Connection reset by peer")

if TYPE_CHECKING:
    from intercomd.v1.ingest_pb2_grpc import IngestServiceAsyncStub
    from intercomd.v1.operations_pb2_grpc import OperationsServiceAsyncStub

    Ingest: TypeAlias = IngestServiceAsyncStub
    Operations: TypeAlias = OperationsServiceAsyncStub
else:
    # At run time one class serves both kinds of channel.
    Ingest = IngestServiceStub
    Operations = OperationsServiceStub


def resolve_access(operations_address: str | None, config_path: str | None) -> ClientOptions:
    """Returns how to call the operations service: as the command line says, or in plain text.

    By default it is a listener of the settings, and these may have TLS for senders alone, as most gateways do.

    Raises:
        ConfigurationInvalid: the settings cannot be read.
    """
    try:
        plain = not operations_address and not operations_use_tls(config_path, os.environ)
    except AddressUnknown as error:
        raise ConfigurationInvalid(str(error)) from None
    return current().without_tls() if plain else current()


def open_channel(
    address: str, *options: tuple[str, int], client_options: ClientOptions | None = None
) -> grpc.aio.Channel:
    """Opens a channel to a daemon. A daemon on this machine is never called through a proxy.

    Without `client_options` it uses those of the command.

    Raises:
        CommandFailed: a file of the options cannot be used.
    """
    given = client_options or current()
    interceptors = [_Decoded(address), _DecodedStream(address), *_interceptors(given.token_file)]
    arguments: list[tuple[str, Any]] = [*_CHANNEL_OPTIONS, *proxy_options(address), *options]
    if not given.uses_tls or address.startswith("unix:"):
        return grpc.aio.insecure_channel(address, arguments, interceptors=interceptors)
    if given.server_name:
        arguments.append(("grpc.ssl_target_name_override", given.server_name))
    try:
        pem = [
            Path(path).read_bytes() if path else None
            for path in (given.ca_file, given.key_file, given.certificate_file)
        ]
    except OSError as error:
        raise CommandFailed(f"{error.filename} cannot be read: {error.strerror}") from None
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(*pem), arguments, interceptors=interceptors)


class _Decoded(grpc.aio.UnaryUnaryClientInterceptor):
    """Ends a command whose response cannot be decoded, for which gRPC returns None."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:  # noqa: ANN401 - gRPC's
        """Makes the call.

        Raises:
            CommandFailed: the response cannot be decoded.
        """
        call = await continuation(details, request)
        if await call is None:
            raise _undecodable(self._address)
        return call


class _DecodedStream(grpc.aio.UnaryStreamClientInterceptor):
    """As `_Decoded`, for calls that have a stream of responses."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:  # noqa: ANN401 - gRPC's
        """Makes the call; its responses raise CommandFailed at one that cannot be decoded."""
        return self._decoded(await continuation(details, request))

    async def _decoded(self, responses: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - gRPC's
        async for response in responses:
            if response is None:
                raise _undecodable(self._address)
            yield response


def _undecodable(address: str) -> CommandFailed:
    return CommandFailed(
        f"the response of {address} cannot be decoded: give a daemon's address, or upgrade this command"
    )


def _interceptors(token_file: str | None) -> list[grpc.aio.ClientInterceptor]:
    if not token_file:
        return []
    token = read_token(token_file)
    return [_Unary(token), _Stream(token)]


def read_token(path: str) -> str:
    """Returns the token in a file.

    Raises:
        CommandFailed: the file holds none.
    """
    try:
        return access.read_token(path)
    except ValueError as error:
        raise CommandFailed(str(error)) from None


class _Unary(grpc.aio.UnaryUnaryClientInterceptor):
    """Sends the token with calls that have one response."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:  # noqa: ANN401 - gRPC's
        """Makes the call."""
        return await continuation(_with_token(details, self._token), request)


class _Stream(grpc.aio.UnaryStreamClientInterceptor):
    """Sends the token with calls that have a stream of responses."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:  # noqa: ANN401 - gRPC's
        """Makes the call."""
        return await continuation(_with_token(details, self._token), request)


def _with_token(details: Any, token: str) -> Any:  # noqa: ANN401 - the details of any call
    return details._replace(metadata=grpc.aio.Metadata(*(details.metadata or ()), ("authorization", f"Bearer {token}")))


@asynccontextmanager
async def operations(address: str, client_options: ClientOptions | None = None) -> AsyncIterator[Operations]:
    """Connects to the OperationsService at an address, by default with the options of the command.

    Raises:
        CommandFailed: a call in the context failed.
    """
    async with open_channel(address, client_options=client_options) as channel:
        try:
            yield OperationsServiceStub(channel)
        except grpc.aio.AioRpcError as error:
            raise CommandFailed(explain_failure(error, address, "operations", client_options)) from None


async def warn_of_unknown_connection(stub: Operations, name: str) -> None:
    """Prints a warning if a filter names a connection that the daemon does not have, so that nothing can match."""
    if not name:
        return
    status = await stub.GetStatus(GetStatusRequest(), timeout=CALL_SECONDS)
    names = [connection.name for connection in status.connections]
    if name not in names:
        known = ", ".join(map(printable, names)) or "none"
        click.echo(f"warning: the daemon has no connection {printable(name)}; it has: {known}", err=True)


@asynccontextmanager
async def ingest(address: str) -> AsyncIterator[Ingest]:
    """Connects to the IngestService at an address, once an intercomd has answered there.

    Raises:
        CommandFailed: no intercomd answers, or a call in the context failed.
    """
    async with open_channel(address, ("grpc.max_receive_message_length", PREVIEW_BYTES_MAX)) as channel:
        stub: Ingest = IngestServiceStub(channel)
        try:
            await _expect_intercomd(stub)
            yield stub
        except grpc.aio.AioRpcError as error:
            raise CommandFailed(explain_failure(error, address, "target")) from None


async def _expect_intercomd(stub: Ingest) -> None:
    """Calls Preview without an envelope, which an intercomd refuses as INVALID_ARGUMENT and any other server does not.

    Raises:
        grpc.aio.AioRpcError: nothing answers, or something other than intercomd.
    """
    try:
        await stub.Preview(PreviewRequest(), timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
            raise


def explain_failure(
    error: grpc.aio.AioRpcError, address: str, option: str, client_options: ClientOptions | None = None
) -> str:
    """Returns what a failed call means and how to fix it. `option` sets the address on the command line."""
    code, details = error.code(), error.details() or ""
    from_daemon = retry_after_seconds(error.trailing_metadata()) is not None
    if code is grpc.StatusCode.UNAVAILABLE and not from_daemon:
        return _explain_unreachable(details, address, option, (client_options or current()).uses_tls)
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return f"the daemon at {address} needs a credential: give the token of a caller with --token-file ({details})"
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return (
            f"{address} is not intercomd's {option} address, or its daemon is older than this command: "
            f"give the address with --{option} ADDR, or upgrade the daemon"
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"the daemon at {address} did not answer in time: check its log and the load of its machine"
    return f"the daemon at {address} refused the call: {details or code.name}"


def _explain_unreachable(details: str, address: str, option: str, uses_tls: bool) -> str:
    if problem := find_tls_problem(details):
        return f"TLS to {address} fails: {problem.cause}; {problem.fix_of_options}"
    give = f"give the address where the daemon listens with --{option} ADDR"
    if _HTTP1 in details:
        return f"{address} answers HTTP/1, not gRPC: {give}"
    if uses_tls:
        tls = "check --ca-file and the client certificate"
    elif any(mark in details for mark in _CLOSED):
        return f"{address} closed the connection: add --tls or --ca-file if it needs TLS, or {give}"
    else:
        tls = "add --tls if it needs TLS"
    return f"nothing answers at {address}: start the daemon with `intercomd run`, {give}, or {tls}"
