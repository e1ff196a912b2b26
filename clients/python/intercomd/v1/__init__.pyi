from intercomd.v1.envelope_pb2 import Adjustment as Adjustment
from intercomd.v1.attribute_pb2 import Attribute as Attribute
from intercomd.v1.attribute_pb2 import AttributeValue as AttributeValue
from intercomd.v1.operations_pb2 import Budget as Budget
from intercomd.v1.event_pb2 import CommerceEvent as CommerceEvent
from intercomd.v1.operations_pb2 import ConnectionState as ConnectionState
from intercomd.v1.operations_pb2 import ConnectionStatus as ConnectionStatus
from intercomd.v1.event_pb2 import CustomEvent as CustomEvent
from intercomd.v1.event_pb2 import CustomEventType as CustomEventType
from intercomd.v1.operations_pb2 import DaemonState as DaemonState
from intercomd.v1.operations_pb2 import DatabaseHealth as DatabaseHealth
from intercomd.v1.outcome_pb2 import DeadLetter as DeadLetter
from intercomd.v1.operations_pb2 import DeadLetterCount as DeadLetterCount
from intercomd.v1.operations_pb2 import DeadLetterFilter as DeadLetterFilter
from intercomd.v1.operations_pb2 import DiscardDeadLettersRequest as DiscardDeadLettersRequest
from intercomd.v1.operations_pb2 import DiscardDeadLettersResponse as DiscardDeadLettersResponse
from intercomd.v1.ingest_pb2 import Disposition as Disposition
from intercomd.v1.operations_pb2 import DrainRequest as DrainRequest
from intercomd.v1.operations_pb2 import DrainResponse as DrainResponse
from intercomd.v1.outcome_pb2 import Effect as Effect
from intercomd.v1.outcome_pb2 import EffectKind as EffectKind
from intercomd.v1.envelope_pb2 import Envelope as Envelope
from intercomd.v1.ingest_pb2 import EnvelopePreview as EnvelopePreview
from intercomd.v1.ingest_pb2 import EnvelopeResult as EnvelopeResult
from intercomd.v1.envelope_pb2 import Environment as Environment
from intercomd.v1.operations_pb2 import Fleet as Fleet
from intercomd.v1.operations_pb2 import FleetMember as FleetMember
from intercomd.v1.ingest_pb2 import Forwarder as Forwarder
from intercomd.v1.operations_pb2 import GetStatusRequest as GetStatusRequest
from intercomd.v1.operations_pb2 import GetStatusResponse as GetStatusResponse
from intercomd.v1.operations_pb2 import GetWaitingEnvelopeRequest as GetWaitingEnvelopeRequest
from intercomd.v1.operations_pb2 import GetWaitingEnvelopeResponse as GetWaitingEnvelopeResponse
from intercomd.v1.operations_pb2 import GiveUpEnvelopeRequest as GiveUpEnvelopeRequest
from intercomd.v1.operations_pb2 import GiveUpEnvelopeResponse as GiveUpEnvelopeResponse
from intercomd.v1.ingest_pb2 import HttpRequest as HttpRequest
from intercomd.v1.identity_pb2 import Identity as Identity
from intercomd.v1.event_pb2 import ImpressionList as ImpressionList
from intercomd.v1.ingest_pb2_grpc import IngestServiceServicer as IngestServiceServicer
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub as IngestServiceStub
from intercomd.v1.attribute_pb2 import Link as Link
from intercomd.v1.operations_pb2 import ListDeadLettersRequest as ListDeadLettersRequest
from intercomd.v1.operations_pb2 import ListDeadLettersResponse as ListDeadLettersResponse
from intercomd.v1.operations_pb2 import ListOutcomesRequest as ListOutcomesRequest
from intercomd.v1.operations_pb2 import ListOutcomesResponse as ListOutcomesResponse
from intercomd.v1.operations_pb2 import ListTrailRequest as ListTrailRequest
from intercomd.v1.operations_pb2 import ListTrailResponse as ListTrailResponse
from intercomd.v1.attribute_pb2 import Money as Money
from intercomd.v1.operations_pb2_grpc import OperationsServiceServicer as OperationsServiceServicer
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub as OperationsServiceStub
from intercomd.v1.event_pb2 import OtherEvent as OtherEvent
from intercomd.v1.outcome_pb2 import Outcome as Outcome
from intercomd.v1.operations_pb2 import OutcomeFilter as OutcomeFilter
from intercomd.v1.outcome_pb2 import OutcomeType as OutcomeType
from intercomd.v1.operations_pb2 import PauseConnectionRequest as PauseConnectionRequest
from intercomd.v1.operations_pb2 import PauseConnectionResponse as PauseConnectionResponse
from intercomd.v1.ingest_pb2 import PreviewRequest as PreviewRequest
from intercomd.v1.ingest_pb2 import PreviewResponse as PreviewResponse
from intercomd.v1.envelope_pb2 import Priority as Priority
from intercomd.v1.event_pb2 import Product as Product
from intercomd.v1.event_pb2 import ProductAction as ProductAction
from intercomd.v1.event_pb2 import ProductActionType as ProductActionType
from intercomd.v1.event_pb2 import ProductImpressions as ProductImpressions
from intercomd.v1.event_pb2 import Promotion as Promotion
from intercomd.v1.event_pb2 import PromotionAction as PromotionAction
from intercomd.v1.event_pb2 import PromotionActionType as PromotionActionType
from intercomd.v1.ingest_pb2 import PublishRequest as PublishRequest
from intercomd.v1.ingest_pb2 import PublishResponse as PublishResponse
from intercomd.v1.ingest_pb2 import PublishStreamRequest as PublishStreamRequest
from intercomd.v1.ingest_pb2 import PublishStreamResponse as PublishStreamResponse
from intercomd.v1.operations_pb2 import Refusal as Refusal
from intercomd.v1.operations_pb2 import ReloadRequest as ReloadRequest
from intercomd.v1.operations_pb2 import ReloadResponse as ReloadResponse
from intercomd.v1.operations_pb2 import ReplayDeadLettersRequest as ReplayDeadLettersRequest
from intercomd.v1.operations_pb2 import ReplayDeadLettersResponse as ReplayDeadLettersResponse
from intercomd.v1.operations_pb2 import ResumeConnectionRequest as ResumeConnectionRequest
from intercomd.v1.operations_pb2 import ResumeConnectionResponse as ResumeConnectionResponse
from intercomd.v1.operations_pb2 import RetryConnectionRequest as RetryConnectionRequest
from intercomd.v1.operations_pb2 import RetryConnectionResponse as RetryConnectionResponse
from intercomd.v1.event_pb2 import SessionEndEvent as SessionEndEvent
from intercomd.v1.envelope_pb2 import Source as Source
from intercomd.v1.ingest_pb2 import SpoolStatus as SpoolStatus
from intercomd.v1.attribute_pb2 import StringList as StringList
from intercomd.v1.attribute_pb2 import Tag as Tag
from intercomd.v1.operations_pb2 import TrailEntry as TrailEntry
from intercomd.v1.ingest_pb2 import Violation as Violation
from intercomd.v1.operations_pb2 import WaitingEnvelope as WaitingEnvelope
from intercomd.v1.operations_pb2 import WatchOutcomesRequest as WatchOutcomesRequest
from intercomd.v1.operations_pb2 import WatchOutcomesResponse as WatchOutcomesResponse
from intercomd.v1.operations_pb2 import WorkspaceDelivery as WorkspaceDelivery

__all__ = [
    "Adjustment",
    "Attribute",
    "AttributeValue",
    "Budget",
    "CommerceEvent",
    "ConnectionState",
    "ConnectionStatus",
    "CustomEvent",
    "CustomEventType",
    "DaemonState",
    "DatabaseHealth",
    "DeadLetter",
    "DeadLetterCount",
    "DeadLetterFilter",
    "DiscardDeadLettersRequest",
    "DiscardDeadLettersResponse",
    "Disposition",
    "DrainRequest",
    "DrainResponse",
    "Effect",
    "EffectKind",
    "Envelope",
    "EnvelopePreview",
    "EnvelopeResult",
    "Environment",
    "Fleet",
    "FleetMember",
    "Forwarder",
    "GetStatusRequest",
    "GetStatusResponse",
    "GetWaitingEnvelopeRequest",
    "GetWaitingEnvelopeResponse",
    "GiveUpEnvelopeRequest",
    "GiveUpEnvelopeResponse",
    "HttpRequest",
    "Identity",
    "ImpressionList",
    "IngestServiceServicer",
    "IngestServiceStub",
    "Link",
    "ListDeadLettersRequest",
    "ListDeadLettersResponse",
    "ListOutcomesRequest",
    "ListOutcomesResponse",
    "ListTrailRequest",
    "ListTrailResponse",
    "Money",
    "OperationsServiceServicer",
    "OperationsServiceStub",
    "OtherEvent",
    "Outcome",
    "OutcomeFilter",
    "OutcomeType",
    "PauseConnectionRequest",
    "PauseConnectionResponse",
    "PreviewRequest",
    "PreviewResponse",
    "Priority",
    "Product",
    "ProductAction",
    "ProductActionType",
    "ProductImpressions",
    "Promotion",
    "PromotionAction",
    "PromotionActionType",
    "PublishRequest",
    "PublishResponse",
    "PublishStreamRequest",
    "PublishStreamResponse",
    "Refusal",
    "ReloadRequest",
    "ReloadResponse",
    "ReplayDeadLettersRequest",
    "ReplayDeadLettersResponse",
    "ResumeConnectionRequest",
    "ResumeConnectionResponse",
    "RetryConnectionRequest",
    "RetryConnectionResponse",
    "SessionEndEvent",
    "Source",
    "SpoolStatus",
    "StringList",
    "Tag",
    "TrailEntry",
    "Violation",
    "WaitingEnvelope",
    "WatchOutcomesRequest",
    "WatchOutcomesResponse",
    "WorkspaceDelivery",
]
