"""Checks every call that reaches Intercom, as it arrives, against records of its own.

The records hold what was accepted, in which order, what Intercom took and which results are committed. They are
independent of lanes, windows and turns. A user's envelopes of one priority are a line of parts: part 0 of an envelope
is its update, the others are its events.
"""

from collections import Counter, defaultdict
from typing import NamedTuple

from intercomd_daemon.envelope import Priority


class Part(NamedTuple):
    """One call's worth of an envelope."""

    number: int
    part: int


class Line:
    """The parts of one user and priority."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._places: dict[Part, int] = {}
        self._taken: set[int] = set()
        self._settled: set[int] = set()
        self._last = -1
        """The place of the last part that Intercom took."""
        self._passed = 0
        """Every event below is taken or settled."""
        self._said = -1
        """The place of the newest update that Intercom took."""
        self._unsure = False
        """Whether the last part may come again: no caller got the result, or the caller crashed."""

    def append(self, part: Part) -> None:
        self._places[part] = len(self._parts)
        self._parts.append(part)

    def take(self, part: Part, *, forgetful: bool) -> bool:
        """Intercom takes this part; whether it had taken it before. `forgetful`: it may have lost what was said."""
        place = self._places[part]
        again = place in self._taken
        if place <= self._last:
            told_anew = forgetful and part.part == 0
            assert self._unsure or told_anew, f"{part} comes again, or too late, after {self._parts[self._last]}"
            assert place == self._last or self._only_updates(place), f"{part} is not the last one"
        while self._passed < place:
            passed = self._parts[self._passed]
            done = self._passed in self._taken or self._passed in self._settled
            assert done or passed.part == 0, f"{part} overtakes {passed}"
            self._passed += 1
        if part.part == 0:
            self._said = place
        elif not forgetful:
            update = next((at for at in range(place, -1, -1) if self._parts[at].part == 0), -1)
            assert update <= self._said or update in self._settled, f"{part} comes before {self._parts[update]}"
        self._taken.add(place)
        self._last = max(self._last, place)
        return again

    def _only_updates(self, place: int) -> bool:
        """Whether nothing but updates, and this very envelope, has been taken since."""
        number = self._parts[place].number
        return all(part.part == 0 or part.number == number for part in self._parts[place : self._last + 1])

    def lose(self) -> None:
        """The answer to the last part was lost."""
        self._unsure = True

    def answer(self, part: Part) -> None:
        """This part was answered; if it was an earlier one, said anew, the last may still come again."""
        if self._places[part] == self._last:
            self._unsure = False

    def forget(self) -> None:
        """The caller has crashed: what is not settled may come again."""
        self._unsure = self._unsure or (self._last >= 0 and self._last not in self._settled)

    def settle(self, part: Part) -> None:
        if part in self._places:
            self._settled.add(self._places[part])

    def unfinished(self) -> list[Part]:
        return [part for place, part in enumerate(self._parts) if place not in self._settled]


class Order:
    """The lines of all users."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, Priority], Line] = defaultdict(Line)
        self._flying: dict[str, tuple[Line, Part] | None] = {}
        self._committing: Counter[str] = Counter()
        self.forgetful: set[str] = set()
        """Users whose contact Intercom has lost in between, with what was said of it."""
        self.repeats = 0
        self.crashes = 0

    def append(self, lane: str, priority: Priority, number: int, parts: range) -> None:
        """An envelope was accepted, or dead-lettered parts of it were appended again."""
        for part in parts:
            self._lines[lane, priority].append(Part(number, part))

    def leave(self, lane: str) -> None:
        """A call about this user leaves."""
        assert lane not in self._flying, f"two calls of {lane} are under way"
        assert not self._committing[lane], f"a call of {lane} leaves before the last one's result is committed"
        self._flying[lane] = None

    def take(self, lane: str, priority: Priority, part: Part) -> None:
        """Intercom does what a call asks for."""
        line = self._lines[lane, priority]
        self.repeats += line.take(part, forgetful=lane in self.forgetful)
        if lane in self._flying:
            self._flying[lane] = (line, part)
        else:
            line.lose()  # The caller has crashed meanwhile.

    def answered(self, lane: str, *, heard: bool) -> None:
        """The call is over; `heard`: the answer says what became of it."""
        flying = self._flying.pop(lane)
        if flying is not None:
            flying[0].answer(flying[1]) if heard else flying[0].lose()

    def crash(self) -> None:
        """The daemon ends without warning."""
        self.crashes += 1
        self._flying.clear()
        self._committing.clear()
        for line in self._lines.values():
            line.forget()

    def commits(self, lanes: list[str], by: int) -> None:
        """Results of these users wait for their commit (1), or wait no more (-1)."""
        for lane in lanes:
            self._committing[lane] += by

    def settle(self, lane: str, priority: Priority, part: Part) -> None:
        """A part's result is committed."""
        self._lines[lane, priority].settle(part)

    def unfinished(self) -> dict[str, list[Part]]:
        """What has no result yet."""
        return {lane: left for (lane, _), line in self._lines.items() if (left := line.unfinished())}
