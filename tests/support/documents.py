"""Reads the documents as data: sections, tables, code blocks, and the program calls that they show."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "daemon" / "docs"


def section(path: Path, heading: str) -> str:
    """The text below a heading, up to the next of its rank."""
    rank = heading.partition(" ")[0]
    text = path.read_text().split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{1,{len(rank)}}} ", text)[0]


def tables(text: str) -> list[list[list[str]]]:
    """The rows of each table, without head and ruler; a cell is its text."""
    blocks = re.findall(r"(?m)(?:^\|.*\n?)+", text)
    rows = [
        [[cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines()] for block in blocks
    ]
    return [block[2:] for block in rows]


def first_cells(text: str) -> list[str]:
    """What the tables of a text are about, without the quotes of code."""
    return [row[0].strip("|` ") for table in tables(text) for row in table]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```", path.read_text())


def called(path: Path, program: str) -> Iterator[list[str]]:
    """The calls of a program that a document shows, in blocks and in the text, as words."""
    prose = re.sub(r"(?ms)^```.*?^```", "", path.read_text())
    shell = "".join(blocks(path, "sh")).replace("\\\n", " ")
    for line in [*re.findall(r"`([^`\n]+)`", prose), *shell.splitlines()]:
        for part in re.split(r" \| | && |  +#", line):
            if part.startswith(f"{program} "):
                yield shlex.split(part)[1:]
