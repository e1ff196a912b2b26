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
from intercomd_daemon.cli.main import main as intercomd

COMMAND = (sys.executable, __file__)


async def fail(address: str, fault: Fault | None) -> int:
    """Has these calls fail from now on, or none; gives how many have failed until now."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    told = fault._asdict() | {"kind": fault.kind.name} if fault else None
    writer.write(json.dumps(told).encode() + b"\n")
    failed = int(await reader.readline())
    writer.close()
    await writer.wait_closed()
    return failed


class _Server(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, disk: Disk) -> None:
        super().__init__(("127.0.0.1", 0), _Told)
        self.disk = disk


class _Told(StreamRequestHandler):
    """One connection, one change."""

    server: _Server

    def handle(self) -> None:
        told = json.loads(self.rfile.readline())
        self.wfile.write(f"{self.server.disk.failed}\n".encode())
        self.server.disk.fail(Fault(**(told | {"kind": Kind[told["kind"]]})) if told else None)


def _main() -> None:
    disk = Disk(Path(sys.argv.pop(1)))
    server = _Server(disk)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = server.server_address
    sys.stderr.write(json.dumps({"event": "disk", "address": f"{host}:{port}"}) + "\n")
    sys.stderr.flush()
    with below_sqlite(disk):
        intercomd()


if __name__ == "__main__":
    _main()
