"""Runs the examples of the pages as they are written, against a daemon and a sandbox.

    python clients/pages.py                every language
    python clients/pages.py go             some

Only the address of the daemon is replaced.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

CLIENTS = Path(__file__).resolve().parent
ROOT = CLIENTS.parent
sys.path.append(str(ROOT / "tests" / "support"))

from languages import GO, JAVA, TYPESCRIPT, FailedError, Language, NotRunError  # noqa: E402

from daemons.process import Daemon  # noqa: E402
from documents import blocks  # noqa: E402
from intercomd_daemon.sandbox import Sandbox  # noqa: E402

ADDRESS = "127.0.0.1:50051"
STUBS = ROOT / "daemon" / "docs" / "stubs.md"
STUBS_PRINT = "signed-up/42"
SECONDS = 300


class Page:
    """A folder in which the steps of a page are run."""

    def __init__(self, folder: Path, daemon: Daemon) -> None:
        self.folder = folder
        self._address = daemon.ingest_address
        self._programs = folder / "bin"
        self._programs.mkdir()
        protoc = self._programs / "protoc"
        protoc.write_text(f'#!/bin/sh\nexec {sys.executable} -m grpc_tools.protoc "$@"\n', encoding="utf-8")
        protoc.chmod(0o755)
        shutil.copytree(ROOT / "proto", folder / "proto")

    def write(self, name: str, program: str) -> None:
        """Writes a program, with the daemon's address."""
        if ADDRESS not in program:
            raise FailedError(f"the program {name} does not name {ADDRESS}")
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(program.replace(ADDRESS, self._address), encoding="utf-8")

    async def run(self, script: str, *tools: Path) -> str:
        """Runs a shell script; returns what it printed.

        Raises:
            FailedError: it failed.
        """
        path = os.pathsep.join([str(self._programs), *map(str, tools), os.environ["PATH"]])
        process = await asyncio.create_subprocess_exec(
            *("sh", "-ec", script),
            cwd=self.folder,
            env=os.environ | {"PATH": path},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await asyncio.wait_for(process.communicate(), SECONDS)
        if process.returncode:
            raise FailedError(f"{script}\n{output.decode()}{errors.decode()}")
        return output.decode()


async def go_client(page: Page) -> None:
    """clients/go/README.md."""
    page.write("main.go", blocks(GO.folder / "README.md", "go")[0])
    module = "github.com/intercomd/intercomd/clients/go"
    await page.run(f"go mod init example && go mod edit -replace {module}={GO.folder} && go mod tidy && go run .")


async def go_stubs(page: Page) -> None:
    """The Go part of daemon/docs/stubs.md."""
    page.write("main.go", blocks(STUBS, "go")[0])
    steps = next(block for block in blocks(STUBS, "sh") if "--go_out" in block)
    await page.run(steps, GO.folder / "build" / "bin")
    check(await page.run("go mod tidy && go run ."))


async def typescript_client(page: Page) -> None:
    """clients/typescript/README.md."""
    # The example has no types, so Node runs it.
    page.write("main.mjs", blocks(TYPESCRIPT.folder / "README.md", "ts")[0])
    await page.run(f"mkdir -p node_modules/@intercomd && ln -s {TYPESCRIPT.folder} node_modules/@intercomd/client")
    await page.run("node main.mjs")


async def typescript_stubs(page: Page) -> None:
    """The TypeScript part of daemon/docs/stubs.md."""
    page.write("main.js", blocks(STUBS, "ts")[0])
    await page.run(next(block for block in blocks(STUBS, "sh") if "--es_out" in block))
    check(await page.run("node main.js"))


async def java_client(page: Page) -> None:
    """clients/java/README.md."""
    page.write("SignUp.java", blocks(JAVA.folder / "README.md", "java")[0])
    build = JAVA.folder / "build"
    await page.run(f'java -cp "{build}/classes:$(cat {build}/driver.classpath)" SignUp.java')


async def java_stubs(page: Page) -> None:
    """The Java part of daemon/docs/stubs.md."""
    (page.folder / "pom.xml").write_text(blocks(STUBS, "xml")[0], encoding="utf-8")
    page.write("src/main/java/SignUp.java", blocks(STUBS, "java")[0])
    check(await page.run(next(block for block in blocks(STUBS, "sh") if "mvn" in block)))


def check(printed: str) -> None:
    """Compares what the program of bare stubs printed."""
    if not printed.startswith(STUBS_PRINT) or "ACCEPTED" not in printed:
        raise FailedError(f"expected {STUBS_PRINT} and ACCEPTED, printed: {printed}")


Run = Callable[[Page], Awaitable[None]]
PAGES: dict[str, tuple[Language, tuple[Run, ...]]] = {
    "go": (GO, (go_client, go_stubs)),
    "typescript": (TYPESCRIPT, (typescript_client, typescript_stubs)),
    "java": (JAVA, (java_client, java_stubs)),
}


async def run_page(name: str, run: Run) -> None:
    """Runs a page, and waits until its event is at Intercom."""
    async with Sandbox() as sandbox:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "daemon").mkdir()
            (Path(folder) / "page").mkdir()
            daemon = await Daemon(Path(folder) / "daemon", sandbox.base_url).start()
            try:
                await run(Page(Path(folder) / "page", daemon))
                await sandbox.wait_for(lambda sandbox: sandbox.events)
                if [event.name for event in sandbox.events] != ["signed-up"]:
                    raise FailedError(f"events at Intercom: {sandbox.events}")
            finally:
                await daemon.kill()
    print(f"{name}: {run.__doc__} passed", flush=True)


def main() -> int:
    """Runs the pages that the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", help=", ".join(PAGES))
    failed = 0
    for name in parser.parse_args().languages or PAGES:
        language, pages = PAGES.get(name, (None, ()))
        try:
            if language:
                language.build()
            for run in pages:
                asyncio.run(run_page(name, run))
        except (NotRunError, FailedError, TimeoutError) as error:
            failed += 1
            print(f"{name}: FAILED: {error}", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
