"""Whether appends are refused: reports when they begin to be, and when they are accepted again."""

from collections.abc import Callable
from math import inf

REPORT_SECONDS = 1.0
"""Between two reports of refused appends: on the brink of full the answer changes with each request."""


class IntakeState:
    """The last report."""

    def __init__(self, on_change: Callable[[str], None], monotonic: Callable[[], float]) -> None:
        """`on_change` is called with the reason when appends begin to be refused, and with "" when they go on."""
        self._on_change = on_change
        self._monotonic = monotonic
        self._refuses = False
        self._reported_at = -inf

    def refused(self, reason: str) -> None:
        """Takes the reason for which an append was refused."""
        if self._monotonic() - self._reported_at >= REPORT_SECONDS:
            self._report(reason)

    def accepted(self) -> None:
        """Takes that an append was accepted."""
        if self._refuses:
            self._refuses = False
            self._on_change("")

    def on_away(self, reason: str) -> None:
        """Takes why the database cannot be reached; empty: it can again.

        It is reported at once: the session calls this only when that changes, and the absence may last.
        """
        if reason:
            self._report(f"the database is away: {reason}")
        else:
            self.accepted()

    def _report(self, reason: str) -> None:
        if not self._refuses:
            self._refuses, self._reported_at = True, self._monotonic()
            self._on_change(reason)
