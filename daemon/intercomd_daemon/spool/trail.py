"""Whose trail is listed, and an outcome in it."""

from typing import NamedTuple

import msgspec

from intercomd_daemon.outcome import Outcome


class TrailFilter(msgspec.Struct, frozen=True):
    """Whose trail: envelopes of this id, and of one of these identities; an empty field matches all.

    If both identities are set, an envelope needs one of them.
    """

    connection: str = ""
    envelope_id: str = ""
    customer_id: str = ""
    email: str = ""
    """In lower case."""
    allowed: tuple[str, ...] | None = None
    """The connections that the caller may see; None: all."""

    def matches(self, connection: str, envelope_id: str, customer_id: str, email: str) -> bool:
        """Whether an envelope with these matches; engines that filter in SQL do the same."""
        return (
            self.matches_connection(connection)
            and self.envelope_id in {"", envelope_id}
            and self.matches_user(customer_id, email)
        )

    def matches_connection(self, connection: str) -> bool:
        """Whether an envelope of this connection can match."""
        return self.connection in {"", connection} and (self.allowed is None or connection in self.allowed)

    def matches_user(self, customer_id: str, email: str) -> bool:
        """Whether an envelope of this user matches, as far as the user is concerned."""
        if not self.customer_id and not self.email:
            return True
        named = ((self.customer_id, customer_id), (self.email, email))
        return any(wanted and wanted == found for wanted, found in named)


class KeptOutcome(NamedTuple):
    """An outcome, as the trail shows it."""

    outcome: Outcome
    dead_letter: bool
    """Whether its dead letter is kept."""
