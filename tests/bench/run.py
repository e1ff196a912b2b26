"""`make bench`: every row of the table, or some of them, measured on this machine in this run.

A row never fails: it prints what was measured, and whether the target was met.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "support"))  # where pytest finds it too

import row_accept
import row_agent
import row_backlog
import row_clients
import row_deliver
import row_delivered
import row_footprint
import row_load
import row_offender
import row_postgresql
import row_security
import row_steps
from children import DELIVERIES, OLDER
from rounds import Line

ROWS = {
    "calls": row_deliver.calls,
    "budget": row_deliver.budget,
    "accept-batches": row_accept.accept_batches,
    "accept-singles": row_accept.accept_singles,
    "stream": row_accept.stream,
    "load-batches": row_load.load_batches,
    "load-tens": row_load.load_tens,
    "load-singles": row_load.load_singles,
    "load-latency": row_load.load_latency,
    "accept-steps": row_steps.accept_steps,
    "latency": row_accept.latency,
    "security": row_security.security,
    "offender": row_offender.offender,
    "deliver": row_deliver.deliver,
    "delivered": row_delivered.delivered,
    "memory": row_footprint.memory,
    "start": row_footprint.start,
    "accept-backlog": row_backlog.accept_backlog,
    "claim": row_backlog.claim,
    "crowd": row_backlog.crowd,
    "trail": row_backlog.trail,
    "clients": row_clients.clients,
    "agent": row_agent.agent,
    "postgresql-accept": row_postgresql.accept,
    "postgresql-flush": row_postgresql.flush,
    "postgresql-deliver": row_postgresql.deliver,
    "postgresql-backlog": row_postgresql.backlog,
}
_MARKS = {True: "yes", False: "NO", None: ""}
_HEAD = ("row", "intercomd", "limit", "ratio", "target", "met", "command")


def main() -> None:
    """Runs the chosen rows and prints the table."""
    parser = argparse.ArgumentParser(description="Measures the daemon against its limits.")
    parser.add_argument("--row", choices=ROWS, nargs="+", help="some rows; without it: all")
    parser.add_argument("--older", type=Path, help="an older checkout, installed, which some rows compare with")
    parser.add_argument("--deliveries", type=int, help="envelopes of the row `delivered`, rounded up to 10,000")
    arguments = parser.parse_args()
    asked = arguments.row
    if arguments.older:
        os.environ[OLDER] = str(arguments.older.resolve())
    if arguments.deliveries:
        os.environ[DELIVERIES] = str(arguments.deliveries)
    begin = time.monotonic()
    table: list[tuple[str, ...]] = [_HEAD]
    with tempfile.TemporaryDirectory(prefix="intercomd-bench-", dir=Path.cwd()) as place:
        os.environ["PYTHONPYCACHEPREFIX"] = f"{place}/bytecode"
        for name in asked or ROWS:
            _say(f"{name} …")
            folder = Path(place) / name
            folder.mkdir()
            for line in ROWS[name](folder):
                table.append(_cells(line, name))
                _say("  " + " | ".join(table[-1]))
            shutil.rmtree(folder)
    _say(f"{time.monotonic() - begin:.0f} s in all\n")
    print(_written(table))  # noqa: T201 - the table


def _cells(line: Line, name: str) -> tuple[str, ...]:
    return (*line[:5], _MARKS[line.holds], f"make bench ROW={name}")


def _written(table: list[tuple[str, ...]]) -> str:
    """Returns the table as Markdown, for documents."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    rows = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    rows.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {row} |" for row in rows)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - how far it is


if __name__ == "__main__":
    main()
