"""The facts about Intercom that the code cites by number, such as I13, are those of `daemon/docs/intercom.md`."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CERTAINTIES = {"documented", "observed", "inferred"}


def rows() -> list[list[str]]:
    """The rows of the page's tables: number, fact, certainty, source."""
    page = (ROOT / "daemon/docs/intercom.md").read_text()
    # A cell may hold an escaped `|`.
    return [re.split(r" (?<!\\)\| ", line.strip("| ")) for line in page.splitlines() if re.match(r"\| I\d", line)]


def cited_in(path: Path) -> set[str]:
    """The numbers that a module's comments and docstrings cite, in parentheses: (I3), (I19, I28)."""
    return {number for group in re.findall(r"\((I\d+(?:, I\d+)*)\)", path.read_text()) for number in group.split(", ")}


def test_facts_are_numbered_in_order_and_have_a_certainty_and_a_source() -> None:
    assert [number for number, *_ in rows()] == [f"I{index}" for index in range(1, len(rows()) + 1)]
    for number, fact, certainty, source in rows():
        assert fact.endswith((".", '"')), number
        assert set(certainty.split(", ")) <= CERTAINTIES, number
        assert source, number


def test_cited_facts_exist_and_every_fact_is_cited() -> None:
    """A fact that no code follows leaves the page, or is missing in a comment."""
    modules = (ROOT / "daemon/intercomd_daemon").rglob("*.py")
    assert set().union(*map(cited_in, modules)) == {number for number, *_ in rows()}
