"""The control API of a sandbox over HTTP, below `/_sandbox/`: state, calls, faults, reset.

Its calls need no token, do not count to the budget and are not recorded: Intercom does not have them.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec

from intercomd_daemon.sandbox.calls import Calls
from intercomd_daemon.sandbox.contact import contact_json
from intercomd_daemon.sandbox.fault_text import FaultSyntaxError, parse_fault
from intercomd_daemon.sandbox.faults import Faults
from intercomd_daemon.sandbox.http_messages import HttpResponse, ReceivedRequest, error_body, json_answer
from intercomd_daemon.sandbox.workspace import Workspace

PREFIX = "/_sandbox/"
LIMIT = 100
"""Entries of a list, the newest, unless `?limit=` is given."""
NEWEST_VERSION = (2, 16)


class Controlled(Protocol):
    """The sandbox under control."""

    workspace: Workspace
    faults: Faults
    record: Calls

    def reset(self) -> None:
        """Resets everything but the settings."""


class FaultsBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sandbox/faults`: each as text, such as `POST /events 503 times=3`."""

    faults: list[str]


def answer_control(sandbox: Controlled, request: ReceivedRequest) -> HttpResponse:
    """Answers a request below `/_sandbox/`: 404 for an unknown path, 400 for a malformed body."""
    perform = CONTROLS.get(f"{request.method} {request.path.removeprefix(PREFIX)}")
    if perform is None:
        return HttpResponse(404, error_body("", "not_found", f"There is no {request.method} {request.path}"))
    try:
        return json_answer(perform(sandbox, request))
    except (msgspec.DecodeError, FaultSyntaxError) as error:
        return HttpResponse(400, error_body("", "parameter_invalid", str(error)))


def _state(sandbox: Controlled, _: ReceivedRequest) -> dict[str, Any]:
    workspace, events = sandbox.workspace, sandbox.workspace.events
    return {
        "app_id": workspace.settings.app_id,
        "workspace_name": workspace.settings.workspace_name,
        "calls": sandbox.record.count,
        "illegal_requests": len(sandbox.record.illegal()),
        "contacts": len(workspace.contacts.all()),
        "custom_attributes": [attribute.name for attribute in workspace.attributes.all()],
        "events": events.taken,
        "repeated_events": events.repeated,
        "event_names": events.names(),
    }


def _calls(sandbox: Controlled, request: ReceivedRequest) -> list[Any]:
    query = _query(request)
    method, path = query.get("method", ""), query.get("path", "")
    calls = [call for call in sandbox.record.all() if call.method.startswith(method) and call.path.startswith(path)]
    return [call.as_json() for call in _newest(calls, request)]


def _illegal_requests(sandbox: Controlled, request: ReceivedRequest) -> list[Any]:
    return [call.as_json() for call in _newest(sandbox.record.illegal(), request)]


def _contacts(sandbox: Controlled, request: ReceivedRequest) -> list[Any]:
    contacts = _newest(sandbox.workspace.contacts.all(), request)
    app_id = sandbox.workspace.settings.app_id
    return [contact_json(contact, app_id, NEWEST_VERSION) | {"state": contact.state} for contact in contacts]


def _events(sandbox: Controlled, request: ReceivedRequest) -> list[Any]:
    return _newest(sandbox.workspace.events.all(), request)


def _faults(sandbox: Controlled, _: ReceivedRequest) -> list[dict[str, Any]]:
    return [
        {
            "method": count.fault.method,
            "path": count.fault.path,
            "fault": str(count.fault),
            "times": count.fault.times,
            "probability": count.fault.probability,
            "matched": count.matched,
            "hit": count.hit,
        }
        for count in sandbox.faults.counts
    ]


def _add_faults(sandbox: Controlled, request: ReceivedRequest) -> list[dict[str, Any]]:
    body = msgspec.json.decode(request.body, type=FaultsBody)
    for fault in [parse_fault(text) for text in body.faults]:  # all are read before the first is in force
        sandbox.faults.add(fault)
    return _faults(sandbox, request)


def _clear_faults(sandbox: Controlled, request: ReceivedRequest) -> list[dict[str, Any]]:
    sandbox.faults.clear()
    return _faults(sandbox, request)


def _reset(sandbox: Controlled, request: ReceivedRequest) -> dict[str, Any]:
    sandbox.reset()
    return _state(sandbox, request)


def _newest(entries: list[Any], request: ReceivedRequest) -> list[Any]:
    asked = _query(request).get("limit", "")
    limit = int(asked) if asked.isdecimal() else LIMIT
    return entries[max(0, len(entries) - limit) :]


def _query(request: ReceivedRequest) -> dict[str, str]:
    return dict(parse_qsl(request.query))


CONTROLS: Mapping[str, Callable[[Controlled, ReceivedRequest], Any]] = {
    "GET state": _state,
    "GET calls": _calls,
    "GET illegal_requests": _illegal_requests,
    "GET contacts": _contacts,
    "GET events": _events,
    "GET faults": _faults,
    "POST faults": _add_faults,
    "DELETE faults": _clear_faults,
    "POST reset": _reset,
}
