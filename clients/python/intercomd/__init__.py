"""Publishers for intercomd, functions that turn Python values into its messages, and the messages that senders use.

All messages, enums and gRPC stubs are in `intercomd.v1`. A name is imported when it is first used (PEP 562), so that a
program that needs only messages loads no publisher.
"""

from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from intercomd.access import Tls
    from intercomd.blocking import BlockingPublisher
    from intercomd.envelope_id import new_envelope_id
    from intercomd.errors import PublishError
    from intercomd.publisher import Publisher
    from intercomd.settings import PublisherSettings
    from intercomd.signing import user_hash, user_jwt
    from intercomd.v1 import (
        Adjustment,
        Attribute,
        AttributeValue,
        CommerceEvent,
        CustomEvent,
        CustomEventType,
        Disposition,
        Envelope,
        EnvelopeResult,
        Environment,
        Identity,
        ImpressionList,
        Link,
        Money,
        OtherEvent,
        Priority,
        Product,
        ProductAction,
        ProductActionType,
        ProductImpressions,
        Promotion,
        PromotionAction,
        PromotionActionType,
        SessionEndEvent,
        Source,
        StringList,
        Tag,
        Violation,
    )
    from intercomd.values import attributes, link, money, tag, timestamp

__all__ = [
    "Adjustment",
    "Attribute",
    "AttributeValue",
    "BlockingPublisher",
    "CommerceEvent",
    "CustomEvent",
    "CustomEventType",
    "Disposition",
    "Envelope",
    "EnvelopeResult",
    "Environment",
    "Identity",
    "ImpressionList",
    "Link",
    "Money",
    "OtherEvent",
    "Priority",
    "Product",
    "ProductAction",
    "ProductActionType",
    "ProductImpressions",
    "Promotion",
    "PromotionAction",
    "PromotionActionType",
    "PublishError",
    "Publisher",
    "PublisherSettings",
    "SessionEndEvent",
    "Source",
    "StringList",
    "Tag",
    "Tls",
    "Violation",
    "attributes",
    "link",
    "money",
    "new_envelope_id",
    "tag",
    "timestamp",
    "user_hash",
    "user_jwt",
]

_MODULES = {
    "BlockingPublisher": "blocking",
    "PublishError": "errors",
    "Publisher": "publisher",
    "PublisherSettings": "settings",
    "Tls": "access",
    "attributes": "values",
    "link": "values",
    "money": "values",
    "new_envelope_id": "envelope_id",
    "tag": "values",
    "timestamp": "values",
    "user_hash": "signing",
    "user_jwt": "signing",
}
"""The modules of the names that are not in `intercomd.v1`."""


if not TYPE_CHECKING:  # A type checker that saw it would accept every name.

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'v1')}"), name)
        if name not in _MODULES and hasattr(value, "DESCRIPTOR") and isinstance(value, type):
            _check_fields(value)
        return value


def _check_fields(message_class: Any) -> None:  # noqa: ANN401 - a generated class, whose methods are replaced
    """Makes errors of a message's construction name the field, and refuses a datetime without a time zone.

    Protobuf's own errors say "bad argument type for built-in operation". It takes a naive datetime for UTC, so that the
    local time of New York would be five hours early. It converts the value at once, so that `publish` could not see the
    mistake any more: an assignment is checked, too.
    """
    if "_intercomd_checks" in message_class.__dict__:
        return
    construct, assign = message_class.__init__, message_class.__setattr__

    def __init__(self: object, *arguments: object, **fields: object) -> None:  # noqa: N807
        for field, value in fields.items():
            _check_zone(f"{message_class.__name__}.{field}", value)
        try:
            construct(self, *arguments, **fields)
        except (TypeError, ValueError) as error:
            for field, value in fields.items():
                try:
                    construct(message_class.__new__(message_class), **{field: value})
                except (TypeError, ValueError) as cause:
                    kind = TypeError if isinstance(cause, TypeError) else ValueError
                    raise kind(
                        f"{message_class.__name__}.{field}: {value!r:.60}, a {type(value).__name__}, does not fit: "
                        f"convert it to the field's type ({cause})"
                    ) from error
            raise

    def __setattr__(self: object, field: str, value: object) -> None:  # noqa: N807
        if isinstance(value, datetime):
            _check_zone(f"{message_class.__name__}.{field}", value)
        assign(self, field, value)

    message_class.__init__ = __init__
    message_class.__setattr__ = __setattr__
    message_class._intercomd_checks = True  # noqa: SLF001 - our own mark


def _check_zone(path: str, value: object) -> None:
    """Raises ValueError for a datetime without a time zone, also in a dict or a list that becomes a message."""
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError(
                f"{path}: {value!r} has no time zone, so its moment is unknown: use datetime.now(UTC), or "
                "value.astimezone() for local time"
            )
    elif isinstance(value, dict):
        for field, item in value.items():
            _check_zone(f"{path}.{field}", item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if isinstance(item, datetime | dict):
                _check_zone(f"{path}[{index}]", item)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
