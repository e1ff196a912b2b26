"""Authenticates HTTP requests on the operations listener like gRPC calls; `/healthz` and `/readyz` stay open."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response

from intercomd_daemon.errors import OperationsNotAllowed, Unauthenticated
from intercomd_daemon.operations.http import Authenticate, Handler
from intercomd_daemon.rpc.authentication import Authenticator, Guard, invalid_token, missing
from intercomd_daemon.rpc.callers import Caller, Level


def authentication(authenticator: Authenticator, guard: Guard) -> Authenticate:
    """Returns what puts a handler behind a credential; while none is needed, each request is of `guard.anyone`."""

    def authenticate(handler: Handler) -> Handler:
        async def handle(request: BaseRequest) -> Response:
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


def _caller_of(request: BaseRequest, authenticator: Authenticator) -> Caller:
    values = request.headers.getall("Authorization", [])
    if values:
        credential = authenticator.by_authorization(values)
        if credential is None:
            raise invalid_token()
        return credential.caller
    ssl_object = request.get_extra_info("ssl_object")
    certificate: Mapping[str, Any] | None = ssl_object.getpeercert() if ssl_object is not None else None
    if not certificate:
        raise missing()
    names: Sequence[tuple[str, str]] = certificate.get("subjectAltName", ())
    uris = tuple(name for kind, name in names if kind == "URI")
    dns_names = tuple(name for kind, name in names if kind == "DNS")
    return authenticator.by_certificate(uris, dns_names).caller


def _refusal(status: int, reason: str, message: str, headers: Mapping[str, str]) -> Response:
    body = msgspec.json.encode({"reason": reason, "message": message})
    return Response(body=body, content_type="application/json", status=status, headers=headers)
