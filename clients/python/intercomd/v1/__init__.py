"""Every message, enum and service stub of intercomd.v1. Written by generate.py; do not edit it.

A name is imported when it is first used: `from intercomd.v1 import Envelope` loads neither grpc nor the other files.
"""

from importlib import import_module

_MODULES = {
    "Adjustment": "envelope_pb2",
    "Attribute": "attribute_pb2",
    "AttributeValue": "attribute_pb2",
    "Budget": "operations_pb2",
    "CommerceEvent": "event_pb2",
    "ConnectionState": "operations_pb2",
    "ConnectionStatus": "operations_pb2",
    "CustomEvent": "event_pb2",
    "CustomEventType": "event_pb2",
    "DaemonState": "operations_pb2",
    "DatabaseHealth": "operations_pb2",
    "DeadLetter": "outcome_pb2",
    "DeadLetterCount": "operations_pb2",
    "DeadLetterFilter": "operations_pb2",
    "DiscardDeadLettersRequest": "operations_pb2",
    "DiscardDeadLettersResponse": "operations_pb2",
    "Disposition": "ingest_pb2",
    "DrainRequest": "operations_pb2",
    "DrainResponse": "operations_pb2",
    "Effect": "outcome_pb2",
    "EffectKind": "outcome_pb2",
    "Envelope": "envelope_pb2",
    "EnvelopePreview": "ingest_pb2",
    "EnvelopeResult": "ingest_pb2",
    "Environment": "envelope_pb2",
    "Fleet": "operations_pb2",
    "FleetMember": "operations_pb2",
    "Forwarder": "ingest_pb2",
    "GetStatusRequest": "operations_pb2",
    "GetStatusResponse": "operations_pb2",
    "GetWaitingEnvelopeRequest": "operations_pb2",
    "GetWaitingEnvelopeResponse": "operations_pb2",
    "GiveUpEnvelopeRequest": "operations_pb2",
    "GiveUpEnvelopeResponse": "operations_pb2",
    "HttpRequest": "ingest_pb2",
    "Identity": "identity_pb2",
    "ImpressionList": "event_pb2",
    "IngestServiceServicer": "ingest_pb2_grpc",
    "IngestServiceStub": "ingest_pb2_grpc",
    "Link": "attribute_pb2",
    "ListDeadLettersRequest": "operations_pb2",
    "ListDeadLettersResponse": "operations_pb2",
    "ListOutcomesRequest": "operations_pb2",
    "ListOutcomesResponse": "operations_pb2",
    "ListTrailRequest": "operations_pb2",
    "ListTrailResponse": "operations_pb2",
    "Money": "attribute_pb2",
    "OperationsServiceServicer": "operations_pb2_grpc",
    "OperationsServiceStub": "operations_pb2_grpc",
    "OtherEvent": "event_pb2",
    "Outcome": "outcome_pb2",
    "OutcomeFilter": "operations_pb2",
    "OutcomeType": "outcome_pb2",
    "PauseConnectionRequest": "operations_pb2",
    "PauseConnectionResponse": "operations_pb2",
    "PreviewRequest": "ingest_pb2",
    "PreviewResponse": "ingest_pb2",
    "Priority": "envelope_pb2",
    "Product": "event_pb2",
    "ProductAction": "event_pb2",
    "ProductActionType": "event_pb2",
    "ProductImpressions": "event_pb2",
    "Promotion": "event_pb2",
    "PromotionAction": "event_pb2",
    "PromotionActionType": "event_pb2",
    "PublishRequest": "ingest_pb2",
    "PublishResponse": "ingest_pb2",
    "PublishStreamRequest": "ingest_pb2",
    "PublishStreamResponse": "ingest_pb2",
    "Refusal": "operations_pb2",
    "ReloadRequest": "operations_pb2",
    "ReloadResponse": "operations_pb2",
    "ReplayDeadLettersRequest": "operations_pb2",
    "ReplayDeadLettersResponse": "operations_pb2",
    "ResumeConnectionRequest": "operations_pb2",
    "ResumeConnectionResponse": "operations_pb2",
    "RetryConnectionRequest": "operations_pb2",
    "RetryConnectionResponse": "operations_pb2",
    "SessionEndEvent": "event_pb2",
    "Source": "envelope_pb2",
    "SpoolStatus": "ingest_pb2",
    "StringList": "attribute_pb2",
    "Tag": "attribute_pb2",
    "TrailEntry": "operations_pb2",
    "Violation": "ingest_pb2",
    "WaitingEnvelope": "operations_pb2",
    "WatchOutcomesRequest": "operations_pb2",
    "WatchOutcomesResponse": "operations_pb2",
    "WorkspaceDelivery": "operations_pb2",
}

__all__ = list(_MODULES)  # noqa: PLE0605 - __init__.pyi lists them for type checkers


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
