"""The findings about an envelope, as they are collected, and the result of accepting it."""

from enum import IntEnum

import msgspec

from intercomd_daemon.envelope import AcceptedEnvelope, Finding, Priority
from intercomd_daemon.ingest.limits import FINDINGS_MAX


class Disposition(IntEnum):
    """Whether an envelope was taken; the numbers are the contract's."""

    ACCEPTED = 1
    DUPLICATE = 2
    SKIPPED = 3
    REJECTED = 4


class Findings:
    """Gathers what is wrong with an envelope and what was changed in it, each up to a maximum."""

    __slots__ = ("adjustments", "adjustments_omitted", "violations")

    def __init__(self, violations: tuple[Finding, ...] = (), adjustments: tuple[Finding, ...] = ()) -> None:
        """Starts with what is known already."""
        self.violations: list[Finding] = list(violations) if violations else []
        self.adjustments: list[Finding] = list(adjustments) if adjustments else []
        self.adjustments_omitted = 0

    def reject(self, reason: str, field: str, message: str) -> None:
        """The sender must change `field`; `message` has the limit and the remedy."""
        if len(self.violations) < FINDINGS_MAX:
            self.violations.append(Finding(reason, field, message))

    def adjust(self, reason: str, field: str, message: str) -> None:
        """`field` was changed; `message` has the rule and what was made of it."""
        if len(self.adjustments) < FINDINGS_MAX:
            self.adjustments.append(Finding(reason, field, message))
        else:
            self.adjustments_omitted += 1


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Whether one envelope is accepted, as what, and why not."""

    envelope_id: str
    connection: str
    """The one that it goes to: for data of development not the one that the sender named."""
    disposition: Disposition
    violations: tuple[Finding, ...] = ()
    """Why it is rejected or skipped; empty otherwise."""
    adjustments: tuple[Finding, ...] = ()
    adjustments_omitted: int = 0
    priority: Priority = Priority.NORMAL
    recognised: bool = True
    accepted: AcceptedEnvelope | None = None
    """Set where the disposition is ACCEPTED."""
