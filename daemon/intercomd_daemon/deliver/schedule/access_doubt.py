"""Answers that are about the connection if several users get them, and about one call otherwise. Pure.

Such are NOT_INTERCOM and FORBIDDEN: a proxy may answer every call, a firewall may refuse one payload.
"""

from typing import NamedTuple

# "seen on calls of several users"
LANES_MIN = 3
# "403 while GET /me and other users' calls succeed: after the third time in a row: dead letter"
FORBIDDEN_MIN = 3
# Lanes whose 403s are counted; of more, the oldest start over.
FORBIDDEN_LANES_MAX = 1_000


class _Forbidden(NamedTuple):
    """A lane's 403s in a row, and how often access had been proven before the first."""

    times: int
    granted: int
    succeeded: int


class AccessDoubt:
    """The doubtful answers of one connection.

    A scope is what a token or a firewall allows together, such as contacts or events: a token without the scope to
    write events fails at all of them, while contacts succeed.
    """

    def __init__(self) -> None:
        self._granted = 0
        self._succeeded: dict[str, int] = {}
        self._lanes: dict[str, set[str]] = {}
        self._forbidden: dict[str, _Forbidden] = {}

    def seen(self, scope: str, lane: str) -> bool:
        """Counts a doubtful answer to a call of this lane.

        True if several users had one since a call of the scope last succeeded: it is about the connection.
        """
        lanes = self._lanes.setdefault(scope, set())
        lanes.add(lane)
        if len(lanes) < LANES_MIN:
            return False
        lanes.clear()
        return True

    def forbidden(self, scope: str, lane: str) -> bool:
        """Counts a 403 on the next call of this lane; True if it is about this call alone.

        It is if it came three times in a row, and since the first `GET /me` was granted and another user's call of
        the scope succeeded. Until both are proven the token may lack the scope, and nothing may be given up.
        """
        granted, succeeded = self._granted, self._succeeded.get(scope, 0)
        times, *before = self._forbidden.pop(lane, _Forbidden(0, granted, succeeded))
        self._forbidden[lane] = _Forbidden(times + 1, *before)
        while len(self._forbidden) > FORBIDDEN_LANES_MAX:
            del self._forbidden[next(iter(self._forbidden))]
        return times + 1 >= FORBIDDEN_MIN and granted > before[0] and succeeded > before[1]

    def granted(self) -> None:
        """`GET /me` was answered well."""
        self._granted += 1

    def answered(self, scope: str, lane: str, *, done: bool) -> None:
        """A call of this lane was answered without doubt, and perhaps done."""
        self._forbidden.pop(lane, None)
        if done:
            self._succeeded[scope] = self._succeeded.get(scope, 0) + 1
            self._lanes.pop(scope, None)
