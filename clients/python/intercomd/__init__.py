"""Publishers for intercomd, functions that turn Python values into its messages, and the messages that senders use.

All messages, enums and gRPC stubs are in `intercomd.v1`. A name is imported when it is first used (PEP 562), so that a
program that needs only messages loads no publisher.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intercomd.blocking import BlockingPublisher
    from intercomd.envelope_id import new_envelope_id
    from intercomd.errors import PublishError
    from intercomd.publisher import Publisher
    from intercomd.settings import PublisherSettings
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
    "Violation",
    "attributes",
    "link",
    "money",
    "new_envelope_id",
    "tag",
    "timestamp",
]

_MODULES = {
    "BlockingPublisher": "blocking",
    "PublishError": "errors",
    "Publisher": "publisher",
    "PublisherSettings": "settings",
    "attributes": "values",
    "link": "values",
    "money": "values",
    "new_envelope_id": "envelope_id",
    "tag": "values",
    "timestamp": "values",
}
"""The modules of the names that are not in `intercomd.v1`."""


if not TYPE_CHECKING:  # A type checker that saw it would accept every name.

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'v1')}"), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
