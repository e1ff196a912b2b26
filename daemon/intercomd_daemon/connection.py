"""The settings of one connection, `[connections.<name>]`: one Intercom workspace and how envelopes reach it.

Accepting and delivering use the same struct, so that a key is declared once and read where it is needed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec

from intercomd_daemon.setting import kinds, places
from intercomd_daemon.setting.kinds import DAY
from intercomd_daemon.setting.secret import Secret

NAME = r"[a-z][a-z0-9-]*"
"""The pattern of a connection's name."""
# Intercom's hosts (I1).
HOSTS = MappingProxyType(
    {"us": "https://api.intercom.io", "eu": "https://api.eu.intercom.io", "au": "https://api.au.intercom.io"}
)
# The integration's page: "5 attributes per event"; Intercom tracks the first 10 keys (I27).
EVENT_ATTRIBUTES_MAX = 5
# The integration's page: "100 user attributes".
USER_ATTRIBUTES_MAX = 100
# "At most 250 custom attributes", in a workspace (I20).
_CUSTOM_ATTRIBUTES_MAX = 250
# "The first 10 metadata keys; a help page says 20" (I27).
_EVENT_ATTRIBUTES_ALLOWED = 20
_PATH_CHARACTERS_MAX = 4_096


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`limits`: how many attributes an envelope may hold."""

    event_attributes_max: Annotated[int, kinds.integer(0, _EVENT_ATTRIBUTES_ALLOWED)] = EVENT_ATTRIBUTES_MAX
    user_attributes_max: Annotated[int, kinds.integer(1, _CUSTOM_ATTRIBUTES_MAX)] = USER_ATTRIBUTES_MAX
    on_excess: Annotated[Literal["trim", "reject"], kinds.choice("trim", "reject")] = "trim"


class RateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`rate`: the share of Intercom's budget to use."""

    share: Annotated[float, kinds.share()] = 1.0
    calls_per_window: Annotated[int, kinds.integer(1, 100_000)] = 167
    """Until the first headers arrive."""


class ConnectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One Intercom workspace, as configured."""

    name: str
    """The table's name below `connections.`; not a setting itself."""
    app_id: Annotated[str, kinds.text("an App ID of letters and digits", r"[A-Za-z0-9_-]*", 64)] = ""
    access_token: Annotated[Secret, kinds.secret()] = Secret("")
    """If set, this is the token; otherwise `access_token_file` holds it."""
    access_token_file: Annotated[str, kinds.text("a path", characters_max=_PATH_CHARACTERS_MAX)] = ""
    region: Annotated[str, kinds.choice("us", "eu", "au")] = "us"
    base_url: Annotated[str, places.base_url()] = ""
    """Overrides the region's host."""
    proxy: Annotated[Secret, places.proxy()] = Secret("")
    """Empty: HTTPS_PROXY and NO_PROXY decide; "none": no proxy."""
    ca_file: Annotated[str, kinds.text("a path", characters_max=_PATH_CHARACTERS_MAX)] = ""
    """Certificates to trust in addition to the system's."""
    api_version: Annotated[str, kinds.text('a version such as "2.16"', r"[2-9]\.\d{1,3}")] = "2.16"
    active: Annotated[bool, kinds.boolean()] = True
    dry_run: Annotated[bool, kinds.boolean()] = False
    verify_app_id: Annotated[bool, kinds.boolean()] = True
    development_connection: Annotated[str, kinds.text("a connection's name, or nothing", rf"(?:{NAME})?")] = ""
    """Where envelopes of the development environment go; empty: they are skipped."""
    placeholder_ids: Annotated[
        tuple[str, ...], kinds.texts('texts such as ["null", "undefined"]', r"(?s).+", lower=True)
    ] = (*("null", "undefined", "nan", "none", "nil", "(null)", "[object object]", "true", "false"),)
    """Customer ids, in lower case, that stand for a missing one and are rejected in any case."""
    widget_id: Annotated[str, kinds.text()] = "#IntercomDefaultWidget"
    update_email: Annotated[bool, kinds.boolean()] = True
    unchanged_for_seconds: Annotated[float, kinds.duration(0.0, 365 * DAY)] = msgspec.field(
        default=DAY, name="unchanged_for"
    )
    missing_attributes: Annotated[str, kinds.choice("create", "drop")] = "create"
    attributes_created_max: Annotated[int, kinds.integer(0, _CUSTOM_ATTRIBUTES_MAX)] = 20
    """Per day."""
    unarchive: Annotated[bool, kinds.boolean()] = False
    session_end_name: Annotated[str, kinds.text("an event's name, or nothing")] = "Session End"
    """Empty: session ends are skipped."""
    commerce: Annotated[Literal["expanded", "summary", "off"], kinds.choice("expanded", "summary", "off")] = "expanded"
    commerce_from_web: Annotated[bool, kinds.boolean()] = False
    same_second: Annotated[Literal["shift", "keep"], kinds.choice("shift", "keep")] = "shift"
    event_age_max_seconds: Annotated[float, kinds.duration(1.0, 3_650 * DAY, none=True)] = msgspec.field(
        default=0.0, name="event_age_max"
    )
    """0.0: any age."""
    attribute_types: Annotated[Mapping[str, str], kinds.attribute_types()] = MappingProxyType({})
    limits: LimitSettings = LimitSettings()
    rate: RateSettings = RateSettings()

    @property
    def url(self) -> str:
        """The base URL of calls, without a trailing slash."""
        return (self.base_url or HOSTS[self.region]).rstrip("/")

    @property
    def workspace(self) -> str:
        """A name of API and workspace; without an App ID it is the connection's own."""
        return f"{self.url} {self.app_id or self.name}"

    @property
    def owner_id_is_text(self) -> bool:
        """Whether `owner_id` is text: "an integer up to version 2.15, and a string from 2.16 on" (I13)."""
        return tuple(int(part) for part in self.api_version.split(".")) >= (2, 16)


ConnectionsByName = Mapping[str, ConnectionSettings]
"""The configured connections by name."""


def by_workspace(connections: ConnectionsByName) -> dict[str, list[str]]:
    """Returns the names of the connections that write to each workspace, sorted."""
    names: dict[str, list[str]] = {}
    for name, connection in sorted(connections.items()):
        if connection.active and not connection.dry_run:
            names.setdefault(connection.workspace, []).append(name)
    return names
