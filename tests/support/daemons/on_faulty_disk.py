"""Runs a daemon whose spool is on a faulty disk: `on_faulty_disk.py FOLDER run ...`. `fail` chooses the failing calls.

The log line `disk` has the `address` that `fail` connects to.
"""

import asyncio
import json
import sys
import threading
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

sys.path.append(str(Path(__file__).parent.parent))  # where pytest finds it too

from disk.faulty import Disk, Fault, Kind
from disk.sqlite_vfs import below_sqlite
from intercomd_daemon.__main__ import main as intercomd

COMMAND = (sys.executable, __file__)
_DONE = b"done\n"


async def fail(address: str, fault: Fault | None) -> None:
    """Sets which calls fail from now on, or none; returns once the disk has changed."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    fields = fault._asdict() | {"kind": fault.kind.name} if fault else None
    writer.write(json.dumps(fields).encode() + b"\n")
    confirmation = await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert confirmation == _DONE, "the disk did not change"


class ControlServer(ThreadingTCPServer):
    """Accepts the changes that `fail` sends."""

    daemon_threads = True

    def __init__(self, disk: Disk) -> None:
        super().__init__(("127.0.0.1", 0), _Change)
        self.disk = disk

    @property
    def address(self) -> str:
        """What `fail` connects to."""
        host, port = self.server_address
        return f"{host}:{port}"


class _Change(StreamRequestHandler):
    """One connection, one change."""

    server: ControlServer

    def handle(self) -> None:
        fields = json.loads(self.rfile.readline())
        # Change the disk before confirming: the caller's next request must meet the new state.
        self.server.disk.fail(Fault(**(fields | {"kind": Kind[fields["kind"]]})) if fields else None)
        self.wfile.write(_DONE)


def _main() -> None:
    disk = Disk(Path(sys.argv.pop(1)))
    server = ControlServer(disk)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stderr.write(json.dumps({"event": "disk", "address": server.address}) + "\n")
    sys.stderr.flush()
    with below_sqlite(disk):
        intercomd()


if __name__ == "__main__":
    _main()
