"""What a spool keeps of the last request that an agent forwarded: the results that a repeat of the request gets."""

import msgspec

KEPT_SECONDS = 90 * 86_400.0
"""An agent that was cut off for longer gets its results from the duplicate window, like any sender."""
RECORDS_MAX = 4_096
"""Records kept, one for each agent and connection: the one that was not used for longest goes first."""


class Forwarded(msgspec.Struct, frozen=True):
    """The results of the last request of one agent for one connection."""

    caller: str
    """The caller whose credential came with the request; no other caller gets these results."""
    agent_id: str
    connection: str
    """As the envelopes of the request name it."""
    sequence: int
    data: bytes
    """The results, as ingest packs them."""
    duplicates: tuple[int, ...] = ()
    """The places of the rows that were duplicates, from 0; the engine sets them in the transaction of the append."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What there is one record for."""
        return self.caller, self.agent_id, self.connection


def with_duplicates(forwarded: Forwarded, keys: list[int]) -> Forwarded:
    """Returns the record for the keys that the append of its rows returned."""
    return msgspec.structs.replace(forwarded, duplicates=tuple(place for place, key in enumerate(keys) if not key))
