"""Names of attributes and events: replaces the characters that Intercom forbids, and recognises the reserved names."""

import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from intercomd_daemon.envelope import CONTACT_FIELDS, FIRST_NAME, LAST_NAME
from intercomd_daemon.ingest.limits import ATTRIBUTE_NAME_CHARACTERS_MAX, EVENT_NAME_CHARACTERS_MAX

CACHED_NAMES_MAX = 4096
"""Senders use few names, each many times; at 190 characters these are a few megabytes at most."""


class Meaning(IntEnum):
    """What an attribute's name addresses."""

    CUSTOM = 0
    CONTACT_FIELD = 1
    """A field of Intercom's own; `FirstName` and `LastName` are parts of one."""
    MOBILE = 2
    """The contact field `phone`, unless the sender also sets `phone` itself."""
    IDENTITY = 3
    """The user's identity, which is not an attribute."""
    EMPTY = 4
    """The normalized name is empty."""


class AttributeName(NamedTuple):
    """A normalized name."""

    name: str
    meaning: Meaning
    renamed: bool
    """Whether it differs from the sender's name, which is reported."""


# Intercom forbids these characters (I18), among them NUL; other control characters are replaced, too.
_FORBIDDEN_IN_ATTRIBUTES = re.compile(r"""[.$~`!@#%^&*'{}|\\"\x00-\x1f\x7f]""")
# Intercom: "`.` and `$` become `-`" (I25); control characters are replaced, too.
_FORBIDDEN_IN_EVENTS = re.compile(r"[.$\x00-\x1f\x7f]")
_IDENTITY = frozenset({"id", "email", "user_id", "external_id", "role"})
# The platform's reserved names, "matched without regard to case, with or without `$`". The others (Age, Gender,
# Address, City, State, Zip, Country) become custom attributes without their `$`, as any name does.
_RESERVED = {
    "firstname": (FIRST_NAME, Meaning.CONTACT_FIELD),
    "lastname": (LAST_NAME, Meaning.CONTACT_FIELD),
    "mobile": ("phone", Meaning.MOBILE),
}


def normalize_attribute_name(name: str) -> AttributeName:
    """Returns the name of a user's attribute as Intercom accepts it, and what it addresses there.

    Trimmed, without leading `$`, forbidden characters as `-`, at most 190 long.
    """
    reserved = _RESERVED.get(_bare(name).lower())
    if reserved:
        return AttributeName(*reserved, renamed=False)
    normalized = normalize_key(name)
    if normalized.meaning is Meaning.CUSTOM and normalized.name.lower() in _IDENTITY:
        return normalized._replace(meaning=Meaning.IDENTITY)
    if normalized.name in CONTACT_FIELDS:
        return normalized._replace(meaning=Meaning.CONTACT_FIELD)
    return normalized


def normalize_key(name: str) -> AttributeName:
    """Returns the name of an event's attribute as Intercom accepts it; no name is reserved there."""
    normalized = _FORBIDDEN_IN_ATTRIBUTES.sub("-", _bare(name)[:ATTRIBUTE_NAME_CHARACTERS_MAX]).strip()
    return AttributeName(normalized, Meaning.CUSTOM if normalized else Meaning.EMPTY, renamed=normalized != name)


def _bare(name: str) -> str:
    return name.strip().lstrip("$").strip()


_cached_attribute_name = lru_cache(CACHED_NAMES_MAX)(normalize_attribute_name)


def attribute_name(name: str) -> AttributeName:
    """Returns the normalized name, from the cache unless it is too long for it."""
    return (_cached_attribute_name if len(name) <= ATTRIBUTE_NAME_CHARACTERS_MAX else normalize_attribute_name)(name)


@lru_cache(CACHED_NAMES_MAX)
def is_normal(name: str) -> bool:
    """Returns whether a name of at most 190 characters is sent unchanged and is that of a custom attribute."""
    return normalize_attribute_name(name) == AttributeName(name, Meaning.CUSTOM, renamed=False)


def date_name(name: str) -> str:
    """Returns the name of a time in an event's metadata: "date = key ending in _date"."""
    if name.endswith("_date"):
        return name
    return name[: ATTRIBUTE_NAME_CHARACTERS_MAX - len("_date")] + "_date"


def normalize_event_name(name: str) -> str:
    """Returns an event's name, of any length: trimmed, with `-` for `.`, `$` and control characters."""
    return _FORBIDDEN_IN_EVENTS.sub("-", name.strip())


_cached_event_name = lru_cache(CACHED_NAMES_MAX)(normalize_event_name)


def event_name(name: str) -> str:
    """Returns the normalized name, from the cache unless it is too long for it."""
    return (_cached_event_name if len(name) <= EVENT_NAME_CHARACTERS_MAX else normalize_event_name)(name)
