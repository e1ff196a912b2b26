"""Requests to Intercom and its responses, as plain data; `Call` lists every call that the daemon makes."""

from enum import StrEnum

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

    @property
    def reads(self) -> bool:
        """Whether the call changes nothing at Intercom, so that a dry run makes it too."""
        return self.value.startswith("GET ")

    @property
    def scope(self) -> str:
        """The resource that a token or a firewall allows or refuses as a whole: contacts, events, and so on."""
        return self.value.split("/")[1]

    @property
    def repeatable(self) -> bool:
        """Whether the method is idempotent by HTTP (RFC 9110, 9.2.2), so that an HTTP client may repeat it."""
        return not self.value.startswith("POST ")


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request; the path holds the query, the body is JSON text or empty."""

    call: Call
    path: str
    body: bytes = b""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.call.value.split(" ", 1)[0]

    @property
    def contact_id(self) -> str:
        """Intercom's id of the contact that the path names; empty if it names none."""
        return self.path.split("/")[2] if "/{id}" in self.call.value else ""


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
