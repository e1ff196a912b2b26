"""Writes the tables of daemon/docs/reasons.md from the registry of reasons; the text around them is written by hand.

python daemon/generate_reasons.py
"""

import re
from pathlib import Path

from intercomd_daemon.reasons import REASONS, ReasonKind

PAGE = Path(__file__).parent / "docs" / "reasons.md"


def table(kind: ReasonKind) -> str:
    """The table of a kind, sorted by code."""
    first = "Notice" if kind is ReasonKind.NOTICE else "Reason"
    rows = [f"| `{each.code}` | {each.cause} | {each.remedy} |" for each in sorted(REASONS) if each.kind is kind]
    return "\n".join([f"| {first} | {kind.value} | What to do |", "|---|---|---|", *rows, ""])


def render(page: str) -> str:
    """The page with its tables written anew, in the order of the kinds.

    Raises:
        ValueError: the page does not have one table for each kind.
    """
    tables = re.split(r"(?m)(?:^\|.*\n)+", page)
    kinds = list(ReasonKind)
    if len(tables) != len(kinds) + 1:
        raise ValueError(f"{PAGE.name} has {len(tables) - 1} tables, expected {len(kinds)}: one for each kind")
    parts = [text + table(kind) for text, kind in zip(tables, kinds, strict=False)]
    return "".join(parts) + tables[-1]


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
