"""The decision about an envelope, and the findings that are collected for it."""

from enum import IntEnum
from typing import NamedTuple

import msgspec

from intercomd_daemon.envelope import AcceptedEnvelope, Finding, Priority
from intercomd_daemon.ingest.limits import FINDINGS_MAX


class Disposition(IntEnum):
    """The result of an envelope; the numbers are those of the proto."""

    ACCEPTED = 1
    DUPLICATE = 2
    SKIPPED = 3
    REJECTED = 4


class Findings:
    """Collects the violations and the adjustments of an envelope, each up to a maximum."""

    __slots__ = ("_reject_values", "adjustments", "adjustments_omitted", "violations")

    def __init__(
        self,
        violations: tuple[Finding, ...] = (),
        adjustments: tuple[Finding, ...] = (),
        *,
        reject_values: bool = False,
    ) -> None:
        """Starts with the findings of decoding; `reject_values` is `on_excess = "reject"` of the connection."""
        self._reject_values = reject_values
        self.violations: list[Finding] = list(violations) if violations else []
        self.adjustments: list[Finding] = list(adjustments) if adjustments else []
        self.adjustments_omitted = 0

    def refuse_value(self, reason: str, field: str, message: str) -> None:
        """Rejects the envelope for an invalid value, or drops the attribute, according to `reject_values`."""
        if self._reject_values:
            self.reject(reason, field, message)
        else:
            self.adjust("ATTRIBUTE_DROPPED", field, f"{message}; the attribute was dropped")

    def reject(self, reason: str, field: str, message: str) -> None:
        """Adds a violation; `message` names the value, the limit and the fix."""
        if len(self.violations) < FINDINGS_MAX:
            self.violations.append(Finding(reason, field, message))

    def adjust(self, reason: str, field: str, message: str) -> None:
        """Adds an adjustment of `field`; `message` names the value, the limit and what it became."""
        if len(self.adjustments) < FINDINGS_MAX:
            self.adjustments.append(Finding(reason, field, message))
        else:
            self.adjustments_omitted += 1


class AcceptTimes(NamedTuple):
    """When a request was accepted, in Unix seconds."""

    received: float
    decided: float
    committed: float
    """0.0: no envelope was appended."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The disposition of one envelope with its reasons and, if it is accepted, the envelope to store.

    Once the row of an accepted envelope is made, its decision holds the envelope no longer.
    """

    envelope_id: str
    connection: str
    """The connection that the envelope goes to; for development data not the one that the sender named."""
    disposition: Disposition
    violations: tuple[Finding, ...] = ()
    """Why it is rejected or skipped; empty otherwise."""
    adjustments: tuple[Finding, ...] = ()
    adjustments_omitted: int = 0
    priority: Priority = Priority.NORMAL
    recognised: bool = True
    accepted: AcceptedEnvelope | None = None
    """Set where the disposition is ACCEPTED, until the row is made."""
    event_time: int | None = None
    """The time of its first event, Unix seconds; provisional if another daemon decides on it. None: it has none."""
    traceparent: str = ""
    """Of an accepted envelope."""
