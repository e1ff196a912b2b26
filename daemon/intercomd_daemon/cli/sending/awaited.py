"""Which envelopes still have no outcome, whichever of answer and outcome comes first. Pure."""

from intercomd.v1 import ingest_pb2

_NOT_TAKEN = frozenset({ingest_pb2.DISPOSITION_REJECTED, ingest_pb2.DISPOSITION_SKIPPED})


class Awaited:
    """Envelope ids, each as often as an outcome of it is to come."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._count = 0
        self.duplicates = False
        """Whether some of them were accepted earlier, and so may have ended before anybody watched."""

    def __len__(self) -> int:
        return self._count

    def __contains__(self, envelope_id: str) -> bool:
        return envelope_id in self._open

    def sent(self, envelope_id: str) -> None:
        """An envelope is on its way to the daemon: its outcome may come before the daemon's answer."""
        self._open[envelope_id] = self._open.get(envelope_id, 0) + 1
        self._count += 1

    def answered(self, envelope_id: str, disposition: int) -> None:
        """What is not taken has no outcome; a duplicate has that of its original, which may be ours as well."""
        if disposition in _NOT_TAKEN or (
            disposition == ingest_pb2.DISPOSITION_DUPLICATE and self._open.get(envelope_id, 0) > 1
        ):
            self.ended(envelope_id)
        elif disposition == ingest_pb2.DISPOSITION_DUPLICATE and envelope_id in self._open:
            self.duplicates = True

    def ended(self, envelope_id: str) -> bool:
        """Whether an outcome is one that was waited for; it no longer is."""
        left = self._open.get(envelope_id, 0)
        if not left:
            return False
        self._count -= 1
        if left == 1:
            del self._open[envelope_id]
        else:
            self._open[envelope_id] = left - 1
        return True
