"""Requests to Intercom and its responses, as plain data; `Call` lists every call that the daemon makes."""

from enum import StrEnum
from typing import Self

import msgspec


class Call(StrEnum):
    """A call by method and path template; the text is what logs and metrics show."""

    CREATE_CONTACT = "POST /contacts"
    UPDATE_CONTACT = "PUT /contacts/{id}"
    READ_CONTACT = "GET /contacts/{id}"
    UNARCHIVE_CONTACT = "POST /contacts/{id}/unarchive"
    TRACK_EVENT = "POST /events"
    READ_ME = "GET /me"
    LIST_ATTRIBUTES = "GET /data_attributes"
    CREATE_ATTRIBUTE = "POST /data_attributes"

    method: str
    """The HTTP method."""
    scope: str
    """The resource that a token or a firewall allows or refuses as a whole: contacts, events, and so on."""
    reads: bool
    """Whether the call changes nothing at Intercom, so that a dry run makes it too."""

    def __new__(cls, text: str) -> Self:
        """Derives what is known of a call from its text, once for each member."""
        call = str.__new__(cls, text)
        call._value_ = text
        call.method, path = text.split(" ")
        call.scope = path.split("/")[1]
        call.reads = call.method == "GET"
        return call


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request; the path holds the query, the body is JSON text or empty."""

    call: Call
    path: str
    body: bytes = b""
    contact_id: str = ""
    """Intercom's id of the contact that the path names; empty if it names none."""


class RateHeaders(msgspec.Struct, frozen=True, gc=False):
    """`X-RateLimit-Limit`, `-Remaining` and `-Reset` (Unix seconds, Intercom's clock)."""

    limit: int
    remaining: int
    reset: float


class Response(msgspec.Struct, frozen=True, gc=False):
    """One HTTP response, or the failure to get one (status 0)."""

    status: int
    body: bytes = b""
    failure: str = ""
    """Why there is no response, such as a timeout or a broken connection."""
    request_id: str = ""
    """Intercom's `x-request-id`."""
    rate: RateHeaders | None = None
    retry_after_seconds: float | None = None
    date: float | None = None
    """The response's `Date`, in whole Unix seconds."""
    html: bool = False
    """Whether `Content-Type` names HTML."""
    complete: bool = True
    """Whether the body arrived as a whole, or up to the bytes that are read of it; else it broke off."""
