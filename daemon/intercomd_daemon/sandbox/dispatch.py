"""Answers a request: checks headers, token, version and budget, finds the endpoint and performs the call.

Nothing here waits; the only state is the workspace.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, unquote

from intercomd_daemon.sandbox import endpoints
from intercomd_daemon.sandbox.contact import Version
from intercomd_daemon.sandbox.contacts import user_not_found
from intercomd_daemon.sandbox.endpoints import Admitted
from intercomd_daemon.sandbox.http_messages import (
    ErrorResponse,
    Headers,
    HttpResponse,
    ReceivedRequest,
    error_body,
    illegal,
)
from intercomd_daemon.sandbox.rate import Rate
from intercomd_daemon.sandbox.workspace import Workspace

MERGED_ANSWERS_FROM = (2, 16)
""""410 `contact_merged` from 2.16"; 404 before."""
FIND_BY_EXTERNAL_ID_FROM = (2, 13)
"""`GET /contacts/find_by_external_id/{external_id}`: "from 2.13"."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The function that performs a call, and its query parameters."""

    perform: Callable[[Workspace, Admitted], HttpResponse]
    query: frozenset[str] = frozenset()


Methods = Mapping[str, Endpoint]

FIND: Methods = {"GET": Endpoint(endpoints.find_contact)}
ROUTES: Mapping[str, Methods] = {
    "/events": {"POST": Endpoint(endpoints.track_event)},
    "/contacts": {"POST": Endpoint(endpoints.create_contact)},
    "/contacts/*": {
        "GET": Endpoint(endpoints.get_contact),
        "PUT": Endpoint(endpoints.update_contact),
        "DELETE": Endpoint(endpoints.delete_contact),
    },
    "/contacts/search": {"POST": Endpoint(endpoints.search_contacts)},
    "/contacts/merge": {"POST": Endpoint(endpoints.merge_contacts)},
    "/contacts/find_by_external_id/*": FIND,
    "/contacts/*/archive": {"POST": Endpoint(endpoints.archive_contact)},
    "/contacts/*/unarchive": {"POST": Endpoint(endpoints.unarchive_contact)},
    "/data_attributes": {
        "GET": Endpoint(endpoints.list_attributes, frozenset({"model", "include_archived"})),
        "POST": Endpoint(endpoints.create_attribute),
    },
    "/me": {"GET": Endpoint(endpoints.identify)},
}
"""The supported calls; `*` is the variable part of a path."""


def answer(workspace: Workspace, request: ReceivedRequest, request_id: str, now: float) -> HttpResponse:
    """Performs a request and answers it. Every answer has a request id and, once admitted, version and budget."""
    headers: Headers = (("x-request-id", request_id),)
    try:
        version = _admit(workspace, request)
        rate = workspace.rate.take(now)
        headers += (("intercom-version", version), *rate_headers(workspace, rate))
        _refuse_over_limit(workspace, rate)
        given = _perform(workspace, request, _version(version), request_id, now)
    except ErrorResponse as refused:
        body = error_body(request_id, refused.code, refused.message, refused.field)
        given = HttpResponse(refused.status, body, refused.headers, refused.message if refused.illegal else "")
    return replace(given, headers=headers + given.headers)


def faulty_headers(workspace: Workspace, request: ReceivedRequest, request_id: str, status: int, now: float) -> Headers:
    """Returns the headers of a fault's answer. The call counts to the budget, and a 429 uses it up."""
    rate = workspace.rate.exceeded(now) if status == 429 else workspace.rate.take(now)
    version = request.headers.get("Intercom-Version", workspace.settings.version_default)
    return (("x-request-id", request_id), ("intercom-version", version), *rate_headers(workspace, rate))


def rate_headers(workspace: Workspace, rate: Rate) -> Headers:
    """Returns the three headers: calls allowed, calls left, and the reset in Unix seconds."""
    if not workspace.settings.rate_headers:
        return ()  # "They may be absent."
    return (
        ("X-RateLimit-Limit", str(rate.limit)),
        ("X-RateLimit-Remaining", str(rate.remaining)),
        ("X-RateLimit-Reset", str(rate.reset)),
    )


def _admit(workspace: Workspace, request: ReceivedRequest) -> str:
    accept = request.headers.get("Accept", "")
    content_type = request.headers.get("Content-Type", "")
    if "application/json" not in accept or (request.body and not content_type.startswith("application/json")):
        # "`Content-Type` and `Accept: application/json`; otherwise 406 `media_type_not_acceptable`".
        message = "Content-Type and Accept must be application/json"
        raise illegal(message, code="media_type_not_acceptable", status=406)
    scheme, _, access_token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or access_token not in workspace.access_tokens:
        raise ErrorResponse(401, "unauthorized", "Access Token Invalid")
    version = request.headers.get("Intercom-Version", workspace.settings.version_default)
    if version not in workspace.settings.versions:
        raise illegal(f"The requested version {version} is not known", code="intercom_version_invalid")
    return version


def _refuse_over_limit(workspace: Workspace, rate: Rate) -> None:
    if rate.limited:
        raise ErrorResponse(429, "rate_limit_exceeded", workspace.rate.message)


def _perform(
    workspace: Workspace, request: ReceivedRequest, version: Version, request_id: str, now: float
) -> HttpResponse:
    if len(request.body) > workspace.settings.request_bytes_max:
        raise ErrorResponse(413, "client_error", "Request Entity Too Large")
    methods, argument = find_route(request.path, version)
    if not methods:
        raise illegal(f"{request.path} is not a path of the API", code="not_found", status=404)
    endpoint = methods.get(request.method)
    if endpoint is None:
        raise illegal(f"{request.path} has no method {request.method}", code="client_error", status=405)
    for name, _ in parse_qsl(request.query, keep_blank_values=True) if request.query else ():
        if name not in endpoint.query:
            raise illegal(f"Unknown query parameter '{name}'", field=name)
    admitted = Admitted(argument, request.query, request.body, version, request_id, now)
    try:
        return endpoint.perform(workspace, admitted)
    except ErrorResponse as refused:
        if refused.status == 410 and version < MERGED_ANSWERS_FROM:
            raise user_not_found() from None
        raise


def find_route(path: str, version: Version) -> tuple[Methods, str]:
    """Returns the methods of a path, none for an unknown one, and the decoded variable part of the path."""
    if path in ROUTES:
        return ROUTES[path], ""
    segments = path.split("/")
    for position, segment in enumerate(segments):
        methods = ROUTES.get("/".join([*segments[:position], "*", *segments[position + 1 :]]))
        if methods is not None and segment and not (methods is FIND and version < FIND_BY_EXTERNAL_ID_FROM):
            return methods, unquote(segment)
    return {}, ""


def _version(text: str) -> Version:
    parts = text.split(".")
    # A version without a number ("Unstable", "Preview") is newer than all numbered ones.
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else (99,)
