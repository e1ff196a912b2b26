"""Authenticates each call before any of its messages is read.

An `authorization` header, if present, decides alone; otherwise the names in the verified client certificate do. A
refused call always gets a streaming handler, because a unary handler would first receive the whole request: 48 refused
requests of 15 MiB would take 1 GiB.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from inspect import isasyncgen
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from intercomd_daemon.errors import QuotaExceeded, Unauthenticated
from intercomd_daemon.rpc.caller_quota import BYTES, ENVELOPES, CallerQuota
from intercomd_daemon.rpc.callers import ANYONE, Caller, Callers, bearer_token, hash_of
from intercomd_daemon.rpc.grpc_status import status_of

HEALTH_CHECK: Final = "/grpc.health.v1.Health/Check"
"""The only method that needs no credential."""
_AUTHORIZATION = "authorization"
_MISSING = "this listener needs a token (authorization: Bearer TOKEN) or the client certificate of a configured caller"
_INVALID_TOKEN = "the token does not belong to any configured caller, or was revoked"  # noqa: S105 - a message
_INVALID_CERTIFICATE = "the names of the client certificate must match exactly one configured caller"

Context = Any
"""A ServicerContext of any method."""
Handler = Any
"""An RpcMethodHandler of any method."""
Names = tuple[str, ...]
OnRequest = Callable[[str, str, str], None]
"""Called at the end of each call, with the method's name, the name of the status code, and the caller's name."""
OnRefused = Callable[[str], None]
"""Called for each refused call, with its method."""


class Credential:
    """What a call has proved, and the caller that it belongs to, which a reload may change."""

    def __init__(
        self, caller: Caller, quota: CallerQuota, token_hash: str = "", uris: Names = (), dns_names: Names = ()
    ) -> None:
        """Either `token_hash` or the names of a certificate are set."""
        self.caller = caller
        self.quota = quota
        self._token_hash = token_hash
        self._uris = uris
        self._dns_names = dns_names

    def renew(self, callers: Callers) -> Unauthenticated | None:
        """Looks the caller up again; returns why the credential is not valid any more, or None."""
        if self._token_hash:
            caller, message = callers.by_hash(self._token_hash), _INVALID_TOKEN
        else:
            caller, message = callers.by_names(self._uris, self._dns_names), _INVALID_CERTIFICATE
        if caller is None:
            return Unauthenticated("CREDENTIALS_INVALID", message)
        self.caller = caller
        return None


_current: ContextVar[Credential | None] = ContextVar("credential", default=None)


class Authenticator:
    """The current callers, and the open calls that end when their credential is removed."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self._quotas: dict[str, CallerQuota] = {}
        self._configure_quotas(callers)
        self._open: dict[object, tuple[Credential, Callable[[Unauthenticated], None]]] = {}

    @property
    def required(self) -> bool:
        """Whether calls need a credential: they do as soon as one caller is configured."""
        return bool(self._callers)

    def replace(self, callers: Callers) -> None:
        """Uses other callers from now on; open streams of those that are gone end."""
        self._callers = callers
        self._configure_quotas(callers)
        for credential, end in list(self._open.values()):
            error = credential.renew(callers)
            if error is not None:
                end(error)

    def _configure_quotas(self, callers: Callers) -> None:
        now = time.monotonic()
        self._quotas = {name: self._quotas.get(name) or CallerQuota() for name in callers.rates}
        for name, rates in callers.rates.items():
            self._quotas[name].configure(rates, now)

    def _credential(
        self, caller: Caller, *, token_hash: str = "", uris: Names = (), dns_names: Names = ()
    ) -> Credential:
        return Credential(caller, self._quotas[caller.name], token_hash, uris, dns_names)

    @contextmanager
    def revocable(self, end: Callable[[Unauthenticated], None]) -> Iterator[None]:
        """Calls `end` if the credential of the current call is removed while the context is open."""
        credential = _current.get()
        if credential is None:
            yield
            return
        error = credential.renew(self._callers)
        if error is not None:
            end(error)
        ticket = object()
        self._open[ticket] = credential, end
        try:
            yield
        finally:
            del self._open[ticket]

    def by_authorization(self, values: Sequence[str]) -> Credential:
        """Returns the credential that `authorization` headers prove.

        Raises:
            Unauthenticated: they prove none.
        """
        token_hash = hash_of(bearer_token(values))
        caller = self._callers.by_hash(token_hash) if token_hash else None
        if caller is None:
            raise Unauthenticated("CREDENTIALS_INVALID", _INVALID_TOKEN)
        return self._credential(caller, token_hash=token_hash)

    def by_certificate(self, uris: Names, dns_names: Names) -> Credential:
        """Returns the credential that the names of a verified certificate prove.

        Raises:
            Unauthenticated: they do not belong to exactly one caller.
        """
        caller = self._callers.by_names(uris, dns_names)
        if caller is None:
            raise Unauthenticated("CREDENTIALS_INVALID", _INVALID_CERTIFICATE)
        return self._credential(caller, uris=uris, dns_names=dns_names)


class Revocation:
    """Wakes a waiting call when its credential is removed; pass it to `Guard.revocable`."""

    def __init__(self, wake: asyncio.Event) -> None:
        self._wake = wake
        self._error: Unauthenticated | None = None

    def __call__(self, error: Unauthenticated) -> None:
        """Wakes the call."""
        self._error = error
        self._wake.set()

    def check(self) -> None:
        """Checks that the credential is still valid.

        Raises:
            Unauthenticated: it was removed.
        """
        if self._error is not None:
            raise self._error


class Guard:
    """A service's view of its listener's callers and their quotas."""

    def __init__(
        self, anyone: Caller = ANYONE, authenticator: Authenticator | None = None, on_request: OnRequest | None = None
    ) -> None:
        self.anyone = anyone
        """The caller of calls without a credential, while none is needed; a reload may change it."""
        self._authenticator = authenticator
        self._on_request = on_request

    @property
    def caller(self) -> Caller:
        """The caller of the current call."""
        credential = _current.get()
        return self.anyone if credential is None else credential.caller

    @property
    def _quota(self) -> CallerQuota | None:
        """The quota of the current call's caller; None: it has none."""
        credential = _current.get()
        return credential.quota if credential is not None and credential.quota else None

    def check_quota(self) -> None:
        """Checks that a request of the current call may pass.

        Raises:
            QuotaExceeded: the caller has used up its quota.
        """
        quota = self._quota
        if quota is None:
            return
        seconds, name = quota.wait(time.monotonic())
        if seconds:
            raise QuotaExceeded(self.caller.name, name, quota.rate(name), seconds)

    def quota_seconds(self) -> float:
        """Returns the time until a request of the current call may pass; 0.0: now."""
        quota = self._quota
        return 0.0 if quota is None else quota.wait(time.monotonic())[0]

    def take(self, size_bytes: int, envelopes: int) -> None:
        """Takes a request from the quota of the current call's caller."""
        quota = self._quota
        if quota is not None:
            now = time.monotonic()
            quota.take(BYTES, size_bytes, now)
            quota.take(ENVELOPES, envelopes, now)

    def revocable(self, end: Callable[[Unauthenticated], None]) -> AbstractContextManager[None]:
        """Calls `end` if the credential of the current call is removed while the context is open."""
        return self._authenticator.revocable(end) if self._authenticator else nullcontext()

    def on_call(self, method: str, code: str) -> None:
        """Reports the end of the current call."""
        if self._on_request is not None:
            self._on_request(method, code, self.caller.name)


class MethodGate(grpc.GenericRpcHandler):
    """All methods of a listener, behind the authentication. Services register with it as with a server.

    It is the only handler of its server, so a method cannot be reached around it. gRPC's interceptors would do the
    same for two more coroutines in each call, and could not be added by a reload.
    """

    def __init__(self, authenticator: Authenticator, on_refused: OnRefused, *, certificates: bool) -> None:
        """`certificates`: the listener verifies client certificates."""
        self._authenticator = authenticator
        self._on_refused = on_refused
        self._certificates = certificates
        self._handlers: list[grpc.GenericRpcHandler] = []
        # Built once, so that refusing a call is cheap.
        self._missing = _refusing(missing())
        self._invalid = _refusing(Unauthenticated("CREDENTIALS_INVALID", _INVALID_TOKEN))

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Adds methods, as `grpc.Server.add_generic_rpc_handlers`."""
        self._handlers += handlers

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Does nothing: generated code adds the same methods with `add_generic_rpc_handlers`."""

    def service(self, details: grpc.HandlerCallDetails) -> Handler | None:
        """Returns the handler of a call, or one that refuses it; None: the method is unknown."""
        method = details.method
        if not self._authenticator.required or method == HEALTH_CHECK:
            return self._find(details)
        values = [str(value) for key, value in details.invocation_metadata if key == _AUTHORIZATION]
        if values:
            try:
                _current.set(self._authenticator.by_authorization(values))
            except Unauthenticated:
                self._on_refused(method)
                return self._invalid
            return self._find(details)
        if self._certificates:
            return self._with_certificate(self._find(details) or _UNKNOWN_METHOD, method)
        self._on_refused(method)
        return self._missing

    def _find(self, details: grpc.HandlerCallDetails) -> Handler | None:
        return next((found for handler in self._handlers if (found := handler.service(details))), None)

    def _with_certificate(self, handler: Handler, method: str) -> Handler:
        """Returns a handler that first identifies the caller by its certificate, which only a handler can see."""

        async def authenticate(context: Context) -> bool:
            names = context.auth_context()
            try:
                # The peer of a Unix socket has no certificate.
                if not names.get("x509_pem_cert"):
                    raise missing()
                credential = self._authenticator.by_certificate(_names(names, "peer_uri"), _names(names, "peer_dns"))
            except Unauthenticated as error:
                self._on_refused(method)
                await refuse(context, error)
                return False
            _current.set(credential)
            return True

        return _stream(handler, authenticate) if handler.request_streaming else _unary(handler, authenticate)


def missing() -> Unauthenticated:
    """Returns the error of a call without a credential."""
    return Unauthenticated("CREDENTIALS_MISSING", _MISSING)


def _names(auth_context: Mapping[str, Sequence[bytes]], key: str) -> Names:
    return tuple(name.decode(errors="replace") for name in auth_context.get(key, ()))


async def end_call(
    context: Context, code: grpc.StatusCode, message: str, trailers: Sequence[tuple[str, str | bytes]] = ()
) -> None:
    """Ends a call with an error; its method should return then.

    gRPC's `abort` raises an exception that the call's state keeps, with a traceback that leads back to the state. Such
    a cycle has 41 objects, and when many calls are refused, their collection delays other calls by up to 10 ms. gRPC
    raises the exception again when the method returns, so it may end here.
    """
    try:
        await context.abort(code, message, tuple(trailers))
    except grpc.aio.AbortError as aborted:
        aborted.__traceback__ = aborted.__context__ = None


async def refuse(context: Context, error: Unauthenticated) -> None:
    """Ends a call with the status of the error; its method should return then."""
    _, message, trailers = status_of(error)
    await end_call(context, grpc.StatusCode.UNAUTHENTICATED, message, trailers)


def _refusing(error: Unauthenticated) -> Handler:
    _, message, trailers = status_of(error)

    async def call(_requests: object, context: Context) -> None:
        await end_call(context, grpc.StatusCode.UNAUTHENTICATED, message, trailers)

    return grpc.stream_stream_rpc_method_handler(call)


def _unary(handler: Handler, authenticate: Callable[[Context], Awaitable[bool]]) -> Handler:
    """Wraps a method with one request, which is decoded after the authentication."""
    perform = handler.unary_stream if handler.response_streaming else handler.unary_unary
    make = grpc.unary_stream_rpc_method_handler if handler.response_streaming else grpc.unary_unary_rpc_method_handler

    async def call(data: bytes, context: Context) -> Any:  # noqa: ANN401 - as `perform`
        if not await authenticate(context):
            return None
        try:
            request = handler.request_deserializer(data) if handler.request_deserializer else data
        except DecodeError:
            await end_call(context, grpc.StatusCode.INVALID_ARGUMENT, "the request cannot be decoded")
            return None
        return await perform(request, context)

    return make(call, None, handler.response_serializer)


def _stream(handler: Handler, authenticate: Callable[[Context], Awaitable[bool]]) -> Handler:
    """Wraps a method with a stream of requests, none of which is read before the authentication."""

    async def call(requests: Any, context: Context) -> None:  # noqa: ANN401 - an iterator of any requests
        if not await authenticate(context):
            return
        responses = handler.stream_stream(requests, context)
        if isasyncgen(responses):
            async for response in responses:
                await context.write(response)
        else:
            await responses

    return grpc.stream_stream_rpc_method_handler(call, handler.request_deserializer, handler.response_serializer)


async def _refuse_unknown_method(_requests: object, context: Context) -> None:
    await end_call(context, grpc.StatusCode.UNIMPLEMENTED, "this listener has no such method")


_UNKNOWN_METHOD: Handler = grpc.stream_stream_rpc_method_handler(_refuse_unknown_method)
