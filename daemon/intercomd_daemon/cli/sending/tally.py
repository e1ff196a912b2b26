"""What has become of the lines so far, as numbers that add up. Pure."""

from collections import Counter
from dataclasses import dataclass, field

from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd_daemon.cli.outcome_text import name_of

# In the order of the summary.
DISPOSITIONS = {
    ingest_pb2.DISPOSITION_ACCEPTED: "accepted",
    ingest_pb2.DISPOSITION_DUPLICATE: "duplicates",
    ingest_pb2.DISPOSITION_SKIPPED: "skipped",
    ingest_pb2.DISPOSITION_REJECTED: "rejected",
}


@dataclass
class Tally:
    """Counts of lines; `sent` is all that were read, blank ones left out."""

    sent: int = 0
    unreadable: int = 0
    answered: Counter[int] = field(default_factory=Counter)
    """By disposition."""
    outcomes: Counter[int] = field(default_factory=Counter)
    """By type, of the envelopes that were waited for."""
    awaited: int = 0
    """Envelopes whose outcome was never seen."""

    @property
    def unanswered(self) -> int:
        """Lines that were read and never answered, because sending ended early."""
        return self.sent - self.unreadable - sum(self.answered.values())

    @property
    def well(self) -> bool:
        """Whether every line was taken, and none that was waited for came to a bad end or to none."""
        bad = self.unreadable + self.unanswered + self.answered[ingest_pb2.DISPOSITION_REJECTED] + self.awaited
        return not bad and not self.outcomes[outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED]

    def parts(self) -> dict[str, int]:
        """The summands of `sent`, in the order of the summary."""
        named = {name: self.answered[disposition] for disposition, name in DISPOSITIONS.items()}
        others = sum(count for disposition, count in self.answered.items() if disposition not in DISPOSITIONS)
        more = {"other": others, "unanswered": self.unanswered}
        return named | {"unreadable": self.unreadable} | {name: count for name, count in more.items() if count}

    def ends(self) -> dict[str, int]:
        """The outcomes that were waited for, by name."""
        named = {name_of(outcome_pb2.OutcomeType.ValueType(end)): count for end, count in self.outcomes.items()}
        return dict(sorted(named.items(), key=lambda item: -item[1])) | (
            {"unknown": self.awaited} if self.awaited else {}
        )

    def summary(self, verb: str) -> str:
        """`sent 12 = accepted 10 + duplicates 2 + skipped 0 + rejected 0 + unreadable 0`, for one."""
        return f"{verb} {self.sent:,} = " + " + ".join(f"{name} {count:,}" for name, count in self.parts().items())

    def outcome_summary(self) -> str:
        """`outcomes 10 = delivered 9 + unchanged 1`, for one."""
        total = sum(self.outcomes.values()) + self.awaited
        return f"outcomes {total:,}" + "".join(
            (" = " if not place else " + ") + f"{name} {count:,}"
            for place, (name, count) in enumerate(self.ends().items())
        )
