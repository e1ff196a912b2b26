"""Requests, answers, and refusals in Intercom's format."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """An HTTP request: `path` still percent-encoded and without its `query`, `headers` looked up by canonical name."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP answer. `illegal` says why Intercom's description does not allow the request, or is empty."""

    status: int
    body: bytes = b""
    headers: Headers = ()
    illegal: str = ""


class ErrorResponse(Exception):
    """An error response: status, Intercom's code, message, and additional headers."""

    def __init__(
        self, status: int, code: str, message: str, *, field: str = "", illegal: bool = False, headers: Headers = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.illegal = illegal
        self.headers = headers


def invalid(message: str, *, field: str = "") -> ErrorResponse:
    """Returns a refusal that depends on the workspace: 400 `parameter_invalid`."""
    return ErrorResponse(400, "parameter_invalid", message, field=field)


def illegal(message: str, *, field: str = "", code: str = "parameter_invalid", status: int = 400) -> ErrorResponse:
    """Returns a refusal of what Intercom's description never allows: a bug in the client."""
    return ErrorResponse(status, code, message, field=field, illegal=True)


def error_body(request_id: str, code: str, message: str, field: str = "") -> bytes:
    """Returns the body of an error: `{"type":"error.list","request_id":…,"errors":[{"code","message"?,"field"?}]}`."""
    error = {"code": code, "message": message}
    if field:
        error["field"] = field
    return msgspec.json.encode({"type": "error.list", "request_id": request_id, "errors": [error]})


def json_answer(value: object, status: int = 200) -> HttpResponse:
    """Returns an answer with a JSON value."""
    return HttpResponse(status, msgspec.json.encode(value))
