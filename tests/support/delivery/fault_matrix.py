"""Parses the fault matrix: tables in Markdown."""

import re
from dataclasses import dataclass
from pathlib import Path

NO_FAULT = "none"
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Row:
    """What must be seen when one call suffers one fault; the cells are the file's."""

    call: str
    fault: str
    cells: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.call}, {self.fault}"


@dataclass(frozen=True, slots=True)
class Matrix:
    """The file: how each fault is played, by name, and a row for each call and fault."""

    faults: dict[str, str]
    rows: tuple[Row, ...]


def read_matrix(path: Path) -> Matrix:
    """The first table defines how each fault is played; those under the name of a call, the results."""
    faults: dict[str, str] = {}
    rows: list[Row] = []
    section = ""
    for line in path.read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ").strip("` ")
        cells = _cells(line)
        if not cells or cells[0].startswith(("---", "Fault")):
            continue
        if section == "The faults":
            faults[cells[0]] = cells[1].strip("`")
        elif section:
            rows += [Row(section, fault.strip(), tuple(cells[1:])) for fault in cells[0].split(",")]
    return Matrix(faults, tuple(_with_status(row, faults) for row in rows))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _CELL.split(line)[1:-1]] if line.startswith("|") else []


def _with_status(row: Row, faults: dict[str, str]) -> Row:
    """`HTTP_<status>` is the status with which the fault is played, in rows of several."""
    status = next((word for word in faults.get(row.fault, "").split() if word.isdecimal()), "")
    return Row(row.call, row.fault, tuple(cell.replace("<status>", status) for cell in row.cells))
