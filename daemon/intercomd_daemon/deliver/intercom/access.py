"""Checks from the response of `GET /me` whether the access token belongs to the configured workspace.

"`app.id_code` is the App ID that the Messenger uses, and `app.region` names the host of the workspace" (I4). `app` "may
be null" (I3).
"""

from enum import Enum, auto

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.classification import ACCESS_CODES, NOT_INTERCOM, Kind, classify
from intercomd_daemon.deliver.intercom.messages import Call, Response

# While suspended, `GET /me` is called after the first wait, and then after longer ones up to the cap.
PROBE_FIRST_SECONDS = 5.0
PROBE_CAP_SECONDS = 300.0
# Of the workspace's name and region in status and log lines.
NAME_CHARACTERS_MAX = 255


class Grant(Enum):
    """Whether the access is granted."""

    GRANTED = auto()
    SUSPENDED = auto()
    UNKNOWN = auto()
    """No conclusive response yet: repeat the call."""


class Access(msgspec.Struct, frozen=True):
    """The result; `message` holds the problem and the remedy, or a warning."""

    grant: Grant
    reason: str = ""
    message: str = ""
    workspace_name: str = ""
    region: str = ""


class _App(msgspec.Struct):
    id_code: str | None = None
    # A strange name must not keep the App ID from being verified.
    name: object = None
    region: object = None


class _Error(msgspec.Struct):
    code: str | None = None


class _Me(msgspec.Struct):
    app: _App | None = None
    errors: list[_Error] | None = None


_REMEDIES = {
    "UNAUTHORIZED": "Intercom does not know the access token: put a valid one into access_token_file",
    "PLAN_RESTRICTED": "the workspace's plan does not include the API: talk to Intercom, or use another workspace",
    "FORBIDDEN": (
        "the access token may not do this: give it the scopes to read and write users and events; "
        "if an HTML page came, a proxy or firewall on the way refuses: allow these calls there"
    ),
    "NOT_INTERCOM": (
        "another server responds in Intercom's place (a proxy, a captive portal, a firewall): "
        "correct base_url, or let the calls pass there"
    ),
    "VERSION_INVALID": "Intercom does not know this api_version: set one that it supports, such as 2.16",
}


# Refusals of a proxy or another server on the way to Intercom, by status.
_PROXY_REMEDIES = {
    407: "a proxy on the way demands credentials (407): set them there, or reach Intercom without it",
    421: "another server responds, which does not serve this host (421): correct base_url, or the proxy on the way",
    431: "a server on the way takes no headers of this size (431): shorten the access token, or raise its limit",
}


def remedy_of(reason: str, status: int = 0) -> str:
    """Returns the remedy for a suspension with this reason, after a response with this status."""
    if reason == NOT_INTERCOM and status in _PROXY_REMEDIES:
        return _PROXY_REMEDIES[status]
    return _REMEDIES.get(reason, "look at the access token and the App ID")


def read_access(response: Response, settings: ConnectionSettings) -> Access:
    """Returns what the response of `GET /me` means for this connection."""
    classification = classify(Call.READ_ME, response)
    if classification.kind is Kind.TRANSIENT:
        return Access(Grant.UNKNOWN, classification.reason, response.failure or f"GET /me returned {response.status}")
    try:
        me = msgspec.json.decode(response.body, type=_Me)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        me = _Me()
    if classification.kind is Kind.SUSPENDED:
        codes = [error.code or "" for error in me.errors or []]
        about_me_only = response.status == 403 and not any(code.startswith(ACCESS_CODES) for code in codes)
        if not about_me_only or classification.reason == NOT_INTERCOM:
            return Access(Grant.SUSPENDED, classification.reason, remedy_of(classification.reason, response.status))
    if classification.kind is not Kind.DONE:
        message = f"GET /me returned {response.status}: the App ID could not be verified"
        return Access(Grant.GRANTED, "ACCESS_UNVERIFIED", message)
    return _compare(me.app, settings)


def _text(value: object) -> str:
    """The text as status and log lines show it: a terminal would obey control characters."""
    text = value[:NAME_CHARACTERS_MAX] if isinstance(value, str) else ""
    return "".join(character if character.isprintable() else " " for character in text)


def _compare(app: _App | None, settings: ConnectionSettings) -> Access:
    if app is None or not app.id_code:
        message = "GET /me names no workspace: the App ID could not be verified"
        return Access(Grant.GRANTED, "ACCESS_UNVERIFIED", message)
    name, region = _text(app.name), _text(app.region).lower()
    if settings.verify_app_id and settings.app_id and app.id_code != settings.app_id:
        message = (
            f"the access token belongs to App ID {_text(app.id_code)} ({name}), "
            f"the settings name {settings.app_id}: "
            "correct one of them, or set verify_app_id = false"
        )
        return Access(Grant.SUSPENDED, "APP_ID_MISMATCH", message, name, region)
    if not settings.base_url and region and region != settings.region:
        message = (
            f'the workspace is in region "{region}", the settings name "{settings.region}": set region = "{region}"'
        )
        return Access(Grant.SUSPENDED, "REGION_MISMATCH", message, name, region)
    return Access(Grant.GRANTED, "", "", name, region)


def next_probe_seconds(last_seconds: float) -> float:
    """Returns the wait before the next probe, after one of `last_seconds` (0: the first)."""
    return min(PROBE_CAP_SECONDS, max(PROBE_FIRST_SECONDS, 2 * last_seconds))
