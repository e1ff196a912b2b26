"""Authenticates each call before any of its messages is read.

An `authorization` header, if present, decides alone; otherwise the names in the verified client certificate do.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from inspect import isasyncgen
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from intercomd_daemon.errors import QuotaExceeded, Unauthenticated
from intercomd_daemon.rpc.caller_quota import BYTES, ENVELOPES, CallerQuota, retry_seconds
from intercomd_daemon.rpc.callers import ANYONE, Caller, Callers, bearer_token, hash_of
from intercomd_daemon.rpc.refused_call import (
    Context,
    Handler,
    end_call,
    refuse,
    refusing,
    refusing_above_quota,
    refusing_with,
)

HEALTH_CHECK: Final = "/grpc.health.v1.Health/Check"
"""The only method that needs no credential."""
_AUTHORIZATION = "authorization"
_MISSING = "this listener needs a token (authorization: Bearer TOKEN) or the client certificate of a configured caller"
_INVALID_TOKEN = "the token does not belong to any configured caller, or was revoked"  # noqa: S105 - a message
_INVALID_CERTIFICATE = "the names of the client certificate must match exactly one configured caller"

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
        self._quotas: dict[str, CallerQuota] = {}
        self._open: dict[object, tuple[Credential, Callable[[Unauthenticated], None]]] = {}
        self._use(callers)

    def replace(self, callers: Callers) -> None:
        """Uses other callers from now on; open streams of those that are gone end."""
        self._use(callers)
        for credential, end in list(self._open.values()):
            error = credential.renew(callers)
            if error is not None:
                end(error)

    def _use(self, callers: Callers) -> None:
        self._callers = callers
        self.required = bool(callers)
        """Whether calls need a credential: they do as soon as one caller is configured."""
        now = time.monotonic()
        self._quotas = {name: self._quotas.get(name) or CallerQuota() for name in callers.rates}
        for name, rates in callers.rates.items():
            self._quotas[name].configure(rates, now)

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

    def by_authorization(self, values: Sequence[str]) -> Credential | None:
        """Returns the credential that `authorization` headers prove; None: they prove none."""
        token_hash = hash_of(bearer_token(values))
        caller = self._callers.by_hash(token_hash) if token_hash else None
        return None if caller is None else Credential(caller, self._quotas[caller.name], token_hash)

    def by_certificate(self, uris: Names, dns_names: Names) -> Credential:
        """Returns the credential that the names of a verified certificate prove.

        Raises:
            Unauthenticated: they do not belong to exactly one caller.
        """
        caller = self._callers.by_names(uris, dns_names)
        if caller is None:
            raise Unauthenticated("CREDENTIALS_INVALID", _INVALID_CERTIFICATE)
        return Credential(caller, self._quotas[caller.name], uris=uris, dns_names=dns_names)


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

    def check_quota(self) -> None:
        """Checks that a request of the current call may pass.

        Raises:
            QuotaExceeded: the caller has used up its quota.
        """
        exceeded = self._exceeded()
        if exceeded is not None:
            raise QuotaExceeded(*exceeded)

    def above_quota(self) -> Handler | None:
        """Returns the handler that refuses the current call before its request is read; None: a request may pass."""
        exceeded = self._exceeded()
        return None if exceeded is None else refusing_above_quota(*exceeded)

    def quota_seconds(self) -> float:
        """Returns the time until a request of the current call may pass; 0.0: now."""
        credential = _current.get()
        return 0.0 if credential is None else credential.quota.wait(time.monotonic())[0]

    def take(self, size_bytes: int, envelopes: int) -> None:
        """Takes a request from the quota of the current call's caller."""
        credential = _current.get()
        if credential is not None:
            now = time.monotonic()
            credential.quota.take(BYTES, size_bytes, now)
            credential.quota.take(ENVELOPES, envelopes, now)

    def _exceeded(self) -> tuple[str, str, float, float] | None:
        """Returns the arguments of QuotaExceeded; None: a request of the current call may pass."""
        credential = _current.get()
        if credential is None:
            return None
        seconds, setting = credential.quota.wait(time.monotonic())
        if not seconds:
            return None
        return credential.caller.name, setting, credential.quota.rate(setting), retry_seconds(seconds)

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
        self._missing = refusing(missing())
        self._invalid = refusing(invalid_token())

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
            credential = self._authenticator.by_authorization(values)
            if credential is None:
                self._on_refused(method)
                return self._invalid
            _current.set(credential)
            return self._find(details)
        if self._certificates:
            return self._with_certificate(self._find(details) or _UNKNOWN_METHOD, method)
        self._on_refused(method)
        return self._missing

    def _find(self, details: grpc.HandlerCallDetails) -> Handler | None:
        for handler in self._handlers:
            found = handler.service(details)
            if found is not None:
                return found
        return None

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


def invalid_token() -> Unauthenticated:
    """Returns the error of a call with an invalid token."""
    return Unauthenticated("CREDENTIALS_INVALID", _INVALID_TOKEN)


def _names(auth_context: Mapping[str, Iterable[bytes]], key: str) -> Names:
    return tuple(name.decode(errors="replace") for name in auth_context.get(key, ()))


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


_UNKNOWN_METHOD = refusing_with(grpc.StatusCode.UNIMPLEMENTED, "this listener has no such method")
