"""Every setting: its key, its kind and its default, which are the contract's. A key is added here and nowhere else.

A field's encoded name is its key in the file; a field without a kind, and without fields of its own, is no setting.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

import msgspec

from intercomd_daemon.config import kinds, places
from intercomd_daemon.config.kinds import DAY, GIB, HOUR, KIB, MIB
from intercomd_daemon.config.secret import Secret

NAME = r"[a-z][a-z0-9-]*"
"""What a connection may be called."""

# A request waits for the writer as a whole, whose queue holds 32 MiB.
_REQUEST_BYTES_MAX = 16 * MIB
# Ten thousand results of the usual size are a response of 1 MiB.
_ENVELOPES_MAX = 10_000
_SIZE_MAX = 1 << 50
# "At most 250 per workspace; beyond: `custom_data_limit_reached`"
_CUSTOM_ATTRIBUTES_MAX = 250
# "Intercom tracks the first 10 keys in the order sent [...]; a help page says 20"
_EVENT_ATTRIBUTES_MAX = 20
_PATH_CHARACTERS_MAX = 4_096
_FILE_MODE = ('a mode of a socket such as "0660"', r"0?[0-7]{3}")


class Ingest(msgspec.Struct, frozen=True, kw_only=True):
    """The gRPC entry."""

    listen: Annotated[tuple[str, ...], places.addresses(minimum=1)] = ("127.0.0.1:50051",)
    envelopes_max: Annotated[int, kinds.integer(1, _ENVELOPES_MAX)] = 500
    """Of one request."""
    request_bytes_max: Annotated[int, kinds.size(KIB, _REQUEST_BYTES_MAX)] = 4 * MIB
    unix_mode: Annotated[str, kinds.text(*_FILE_MODE)] = "0660"
    unix_group: Annotated[str, kinds.text()] = ""


class Spool(msgspec.Struct, frozen=True, kw_only=True):
    """The durable store."""

    url: Annotated[str, places.spool_url()] = "sqlite:intercomd.db"
    bytes_max: Annotated[int, kinds.size(MIB, _SIZE_MAX)] = 2 * GIB
    free_bytes_min: Annotated[int, kinds.size(0, _SIZE_MAX)] = 256 * MIB
    duplicate_window_seconds: Annotated[float, kinds.duration(1.0, 30 * DAY)] = msgspec.field(
        default=DAY, name="duplicate_window"
    )
    outcomes_max: Annotated[int, kinds.integer(1, 100_000_000)] = 200_000
    lock_wait_seconds: Annotated[float, kinds.duration(0.0, HOUR)] = msgspec.field(default=60.0, name="lock_wait")

    @property
    def engine(self) -> str:
        """`sqlite` or `memory`."""
        return self.url.partition(":")[0]

    @property
    def path(self) -> str:
        """The file of a `sqlite` spool, relative to the working directory; empty for `memory`."""
        return self.url.partition(":")[2]


class Operations(msgspec.Struct, frozen=True, kw_only=True):
    """The operators' listeners."""

    listen: Annotated[str, places.address()] = "127.0.0.1:9090"
    grpc_listen: Annotated[str, places.address()] = "127.0.0.1:9091"
    unix_mode: Annotated[str, kinds.text(*_FILE_MODE)] = "0600"
    unix_group: Annotated[str, kinds.text()] = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Health and metrics alone."""

    listen: Annotated[tuple[str, ...], places.addresses()] = ()


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What is told, and how."""

    format: Annotated[str, kinds.choice("json", "console")] = "json"
    level: Annotated[str, kinds.choice("debug", "info", "warning", "error")] = "info"
    values: Annotated[bool, kinds.boolean()] = False
    """Attribute values and emails in debug lines."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What an envelope may hold."""

    event_attributes_max: Annotated[int, kinds.integer(0, _EVENT_ATTRIBUTES_MAX)] = 5
    user_attributes_max: Annotated[int, kinds.integer(1, _CUSTOM_ATTRIBUTES_MAX)] = 100
    on_excess: Annotated[str, kinds.choice("trim", "reject")] = "trim"


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """How much of Intercom's budget to take."""

    share: Annotated[float, kinds.share()] = 1.0
    calls_per_window: Annotated[int, kinds.integer(1, 100_000)] = 167
    """Until the first headers arrive."""


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One Intercom workspace."""

    name: str
    """What stands behind `connections.` in its keys; no setting itself."""
    app_id: Annotated[str, kinds.text("an App ID of letters and digits", r"[A-Za-z0-9_-]*", 64)] = ""
    access_token: Annotated[Secret, kinds.secret()] = Secret("")
    """Set, it is the token; else `access_token_file` holds it."""
    access_token_file: Annotated[str, kinds.text("a path", characters_max=_PATH_CHARACTERS_MAX)] = ""
    region: Annotated[str, kinds.choice("us", "eu", "au")] = "us"
    base_url: Annotated[str, places.base_url()] = ""
    api_version: Annotated[str, kinds.text('a version such as "2.16"', r"[2-9]\.\d{1,3}")] = "2.16"
    active: Annotated[bool, kinds.boolean()] = True
    dry_run: Annotated[bool, kinds.boolean()] = False
    verify_app_id: Annotated[bool, kinds.boolean()] = True
    development_connection: Annotated[str, kinds.text("a connection's name, or nothing", rf"(?:{NAME})?")] = ""
    widget_id: Annotated[str, kinds.text()] = "#IntercomDefaultWidget"
    update_email: Annotated[bool, kinds.boolean()] = True
    unchanged_for_seconds: Annotated[float, kinds.duration(0.0, 365 * DAY)] = msgspec.field(
        default=DAY, name="unchanged_for"
    )
    missing_attributes: Annotated[str, kinds.choice("create", "drop")] = "create"
    attributes_created_max: Annotated[int, kinds.integer(0, _CUSTOM_ATTRIBUTES_MAX)] = 20
    """A day."""
    unarchive: Annotated[bool, kinds.boolean()] = False
    session_end_name: Annotated[str, kinds.text("an event's name, or nothing")] = "Session End"
    commerce: Annotated[str, kinds.choice("expanded", "summary", "off")] = "expanded"
    commerce_from_web: Annotated[bool, kinds.boolean()] = False
    same_second: Annotated[str, kinds.choice("shift", "keep")] = "shift"
    event_age_max_seconds: Annotated[float, kinds.duration(1.0, 3_650 * DAY, none=True)] = msgspec.field(
        default=0.0, name="event_age_max"
    )
    """0.0: any age."""
    attribute_types: Annotated[Mapping[str, str], kinds.attribute_types()] = MappingProxyType({})
    limits: Limits = Limits()
    rate: Rate = Rate()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    ingest: Ingest = Ingest()
    spool: Spool = Spool()
    operations: Operations = Operations()
    health: Health = Health()
    log: Log = Log()
    connections: Mapping[str, Connection] = MappingProxyType({})
    """By name, in the order of the file."""
