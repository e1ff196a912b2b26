"""The body of each call as Intercom's description allows it: fields, types and lengths.

Other bodies are refused as illegal. Checks that depend on the workspace follow later.
"""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from intercomd_daemon.sandbox.http_messages import illegal

MILLISECONDS_FROM = 100_000_000_000
"""From this number on (the year 5138) a time is in milliseconds, not in Unix seconds."""
STRING_MAX = 255
"""Characters of a string value: "string (at most 255 characters), number, boolean"."""

UnixSeconds = Annotated[int, Meta(ge=0, lt=MILLISECONDS_FROM)]
ShortText = Annotated[str, Meta(max_length=STRING_MAX)]
Value = ShortText | int | float | bool | None


class ContactBody(Struct, forbid_unknown_fields=True):
    """`POST /contacts` and `PUT /contacts/{id}`: the writable fields; null clears, UNSET is untouched."""

    role: Literal["user", "lead"] | UnsetType | None = UNSET
    external_id: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET
    phone: str | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    avatar: str | UnsetType | None = UNSET
    signed_up_at: UnixSeconds | UnsetType | None = UNSET
    last_seen_at: UnixSeconds | UnsetType | None = UNSET
    owner_id: int | str | UnsetType | None = UNSET
    unsubscribed_from_emails: bool | UnsetType | None = UNSET
    custom_attributes: dict[str, Value] | UnsetType | None = UNSET


class MergeBody(Struct, forbid_unknown_fields=True, rename={"from_id": "from", "into_id": "into"}):
    """`POST /contacts/merge`: a lead into a user; "Contacts can only be merged when they are duplicates"."""

    from_id: str
    into_id: str
    skip_duplicate_validation: bool = False


class SearchPagination(Struct, frozen=True, forbid_unknown_fields=True):
    """A page of a search: "The default is `50` results per page"."""

    per_page: Annotated[int, Meta(ge=1, le=150)] = 50
    starting_after: Annotated[str, Meta(pattern="^[0-9]{1,9}$")] | None = None


class SearchFilter(Struct, forbid_unknown_fields=True):
    """One filter, or AND and OR over further ones."""

    operator: str
    value: Any
    field: str = ""


class SearchBody(Struct, forbid_unknown_fields=True):
    """`POST /contacts/search`."""

    query: SearchFilter
    pagination: SearchPagination = SearchPagination()


class AttributeOption(Struct, forbid_unknown_fields=True):
    """One choice of a list attribute."""

    value: str


class AttributeBody(Struct, forbid_unknown_fields=True):
    """`POST /data_attributes`. Type and model are checked later: the messages for them are known."""

    name: str
    model: str
    data_type: str
    description: str = ""
    messenger_writable: bool = False
    options: list[AttributeOption] | UnsetType = UNSET


MetadataValue = ShortText | int | float | bool | dict[str, str | int]


class EventBody(Struct, forbid_unknown_fields=True):
    """`POST /events`: a name, a time in Unix seconds, one of three identifiers, and flat metadata."""

    event_name: Annotated[str, Meta(min_length=1)]
    created_at: UnixSeconds
    user_id: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    metadata: dict[str, MetadataValue] | UnsetType = UNSET


Body = TypeVar("Body")


def decode(decoder: msgspec.json.Decoder[Body], body: bytes) -> Body:
    """Decodes a body; refuses other fields and types, and malformed JSON, with a recorded 400 `parameter_invalid`."""
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise illegal(str(error)) from None


CONTACT = msgspec.json.Decoder(ContactBody)
MERGE = msgspec.json.Decoder(MergeBody)
SEARCH = msgspec.json.Decoder(SearchBody)
ATTRIBUTE = msgspec.json.Decoder(AttributeBody)
EVENT = msgspec.json.Decoder(EventBody)
