"""Patterns of names in client certificates: URIs and DNS names, in which `*` matches within one segment.

A segment ends at "/" in a URI and at "." in a DNS name. `*` matches one or more characters. Pure.
"""

import re
from itertools import product


class NamePattern:
    """One pattern. A pattern with a colon is for URIs, another one for DNS names, whose case does not matter."""

    def __init__(self, text: str) -> None:
        """`text` is the pattern as the settings have it."""
        self.text = text
        self.is_uri = ":" in text
        self.separator = "/" if self.is_uri else "."
        self.segments = (text if self.is_uri else text.lower()).split(self.separator)
        expression = re.escape(self.separator).join(
            f"[^{re.escape(self.separator)}]+".join(map(re.escape, segment.split("*"))) for segment in self.segments
        )
        self._expression = re.compile(expression)

    def matches(self, name: str) -> bool:
        """Returns whether a name of the pattern's kind matches."""
        return self._expression.fullmatch(name if self.is_uri else name.lower()) is not None

    def overlaps(self, other: "NamePattern") -> bool:
        """Returns whether a name can match both patterns."""
        if self.is_uri != other.is_uri or len(self.segments) != len(other.segments):
            return False
        return all(map(_segments_overlap, self.segments, other.segments))


def _segments_overlap(one: str, other: str) -> bool:
    """Returns whether a text can match both segments.

    Walks both patterns together: `reached[i, j]` is whether a text exists that matches the first `i` parts of one and
    the first `j` of the other. `*` counts as two parts: any character, then any number of them.
    """
    left, right = _parts(one), _parts(other)
    reached = {(0, 0)}
    for i, j in product(range(len(left) + 1), range(len(right) + 1)):
        if (i, j) not in reached:
            continue
        if i < len(left) and left[i] == _ANY_NUMBER:
            reached.add((i + 1, j))
        if j < len(right) and right[j] == _ANY_NUMBER:
            reached.add((i, j + 1))
        if i < len(left) and j < len(right) and _may_equal(left[i], right[j]):
            # A part that matches any number of characters stays, for more of them.
            stays_left, stays_right = left[i] == _ANY_NUMBER, right[j] == _ANY_NUMBER
            reached.add((i + (not stays_left), j + (not stays_right)))
    return (len(left), len(right)) in reached


_ANY_CHARACTER, _ANY_NUMBER = "any character", "any number"


def _parts(segment: str) -> list[str]:
    parts: list[str] = []
    for character in segment:
        parts += [_ANY_CHARACTER, _ANY_NUMBER] if character == "*" else [character]
    return parts


def _may_equal(one: str, other: str) -> bool:
    return one == other or len(one) > 1 or len(other) > 1
