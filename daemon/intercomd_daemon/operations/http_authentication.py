"""Authenticates HTTP requests on the operations listener like gRPC calls; `/healthz` and `/readyz` stay open."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from intercomd_daemon.errors import OperationsNotAllowed, Unauthenticated
from intercomd_daemon.operations.http import Authenticate
from intercomd_daemon.rpc.authentication import Authenticator, Guard, missing
from intercomd_daemon.rpc.callers import Caller, Level


def authentication(authenticator: Authenticator, guard: Guard) -> Authenticate:
    """Returns what puts a handler behind a credential; while none is needed, each request is of the guard's `anyone`.

    aiohttp's middlewares would do the same, but its cache of them keeps the application alive until the process ends.
    """

    def authenticate(handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                caller = _caller_of(request, authenticator) if authenticator.required else guard.anyone
                caller.check_level(Level.STATUS, request.path)
            except Unauthenticated as error:
                return _refusal(401, error.reason, str(error), {"WWW-Authenticate": "Bearer"})
            except OperationsNotAllowed as error:
                return _refusal(403, "OPERATIONS_NOT_ALLOWED", str(error), {})
            return await handler(request)

        return handle

    return authenticate


def _caller_of(request: web.Request, authenticator: Authenticator) -> Caller:
    values = request.headers.getall("Authorization", [])
    if values:
        return authenticator.by_authorization(values).caller
    ssl_object = request.get_extra_info("ssl_object")
    certificate: Mapping[str, Any] | None = ssl_object.getpeercert() if ssl_object is not None else None
    if not certificate:
        raise missing()
    names: Sequence[tuple[str, str]] = certificate.get("subjectAltName", ())
    uris = tuple(name for kind, name in names if kind == "URI")
    dns_names = tuple(name for kind, name in names if kind == "DNS")
    return authenticator.by_certificate(uris, dns_names).caller


def _refusal(status: int, reason: str, message: str, headers: Mapping[str, str]) -> web.Response:
    body = msgspec.json.encode({"reason": reason, "message": message})
    return web.Response(body=body, content_type="application/json", status=status, headers=headers)
