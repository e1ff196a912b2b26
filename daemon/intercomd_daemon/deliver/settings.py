"""The settings of one connection's deliveries, with the contract's defaults."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

# "Hosts: US https://api.intercom.io, EU https://api.eu.intercom.io, AU https://api.au.intercom.io"
HOSTS = MappingProxyType(
    {"us": "https://api.intercom.io", "eu": "https://api.eu.intercom.io", "au": "https://api.au.intercom.io"}
)


class ConnectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One Intercom workspace, as configured. The token itself is asked of `token.py`, and never shown."""

    name: str
    app_id: str = ""
    access_token_file: str = ""
    base_url: str = ""
    """Overrides the region's host."""
    region: str = "us"
    api_version: str = "2.16"
    active: bool = True
    dry_run: bool = False
    verify_app_id: bool = True
    update_email: bool = True
    unchanged_for_seconds: float = 86_400.0
    missing_attributes: str = "create"
    attributes_created_max: int = 20
    """A day."""
    unarchive: bool = False
    event_age_max_seconds: float = 0.0
    """0: any age."""
    attribute_types: Mapping[str, str] = msgspec.field(default_factory=dict)
    user_attributes_max: int = 100
    rate_share: float = 1.0
    calls_per_window: int = 167

    @property
    def url(self) -> str:
        """Where the calls go."""
        return (self.base_url or HOSTS[self.region]).rstrip("/")

    @property
    def owner_id_is_text(self) -> bool:
        """`owner_id`: "integer to 2.15, string from 2.16"."""
        return tuple(int(part) for part in self.api_version.split(".")) >= (2, 16)
