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
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

CLIENTS = Path(__file__).resolve().parent
ROOT = CLIENTS.parent
sys.path.append(str(ROOT / "tests" / "support"))

from languages import GO, JAVA, RUST, TYPESCRIPT, FailedError, Language, NotRunError  # noqa: E402

from daemons.process import Daemon  # noqa: E402
from documents import blocks  # noqa: E402
from intercomd_daemon.sandbox import Sandbox  # noqa: E402

ADDRESS = "127.0.0.1:50051"
STUBS = ROOT / "daemon" / "docs" / "stubs.md"
STUBS_PRINT = "signed-up/42"
SECONDS = 300
LANGUAGES_AT_ONCE = 2
Events = tuple[str, ...]


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
        """Runs a shell script; returns what it printed, first to the standard output and then to the standard error.

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
        return (output + errors).decode()


async def python_client(page: Page) -> Events:
    """clients/python/README.md."""
    page.write("main.py", blocks(CLIENTS / "python" / "README.md", "python")[0])
    return check_client(await page.run(f"{sys.executable} main.py"))


async def go_client(page: Page) -> Events:
    """clients/go/README.md."""
    page.write("main.go", blocks(GO.folder / "README.md", "go")[0])
    module = "github.com/intercomd/intercomd/clients/go"
    await page.run(f"go mod init example && go mod edit -replace {module}={GO.folder} && go mod tidy")
    return check_client(await page.run("go run ."))


async def go_stubs(page: Page) -> Events:
    """The Go part of daemon/docs/stubs.md."""
    page.write("main.go", blocks(STUBS, "go")[0])
    steps = next(block for block in blocks(STUBS, "sh") if "--go_out" in block)
    await page.run(steps, GO.folder / "build" / "bin")
    await page.run("go mod tidy")
    return check_stubs(await page.run("go run ."))


async def typescript_client(page: Page) -> Events:
    """clients/typescript/README.md."""
    page.write("main.ts", blocks(TYPESCRIPT.folder / "README.md", "ts")[0])
    tools = TYPESCRIPT.folder / "node_modules"
    await page.run("npm init --yes && npm pkg set type=module")
    await page.run(f"npm pack --ignore-scripts {TYPESCRIPT.folder} && npm install --no-fund --no-audit ./*.tgz")
    options = f"--strict --module nodenext --target es2022 --typeRoots {tools}/@types --types node"
    await page.run(f"{tools}/.bin/tsc {options} main.ts")
    return check_client(await page.run("node main.js"))


async def typescript_stubs(page: Page) -> Events:
    """The TypeScript part of daemon/docs/stubs.md."""
    page.write("main.js", blocks(STUBS, "ts")[0])
    await page.run(next(block for block in blocks(STUBS, "sh") if "--es_out" in block))
    return check_stubs(await page.run("node main.js"))


async def java_client(page: Page) -> Events:
    """clients/java/README.md."""
    page.write("SignUp.java", blocks(JAVA.folder / "README.md", "java")[0])
    build = JAVA.folder / "build"
    return check_client(await page.run(f'java -cp "{build}/classes:$(cat {build}/driver.classpath)" SignUp.java'))


async def java_stubs(page: Page) -> Events:
    """The Java part of daemon/docs/stubs.md."""
    (page.folder / "pom.xml").write_text(blocks(STUBS, "xml")[0], encoding="utf-8")
    page.write("src/main/java/SignUp.java", blocks(STUBS, "java")[0])
    return check_stubs(await page.run(next(block for block in blocks(STUBS, "sh") if "mvn" in block)))


async def rust_client(page: Page) -> Events:
    """clients/rust/README.md."""
    return check_client(await run_rust(page, RUST.folder / "README.md"))


async def rust_stubs(page: Page) -> Events:
    """The Rust part of daemon/docs/stubs.md."""
    return check_stubs(await run_rust(page, STUBS))


async def run_rust(page: Page, path: Path) -> str:
    """Runs the Rust program of a page; returns what it printed.

    It has the versions and the profile of the client itself, so that what was compiled for the client serves it.
    """
    page.write("src/main.rs", blocks(path, "rust")[0])
    manifest = (RUST.folder / "Cargo.toml").read_text(encoding="utf-8")
    profile = manifest[manifest.index("[profile.dev]") :]
    package = f'[package]\nname = "example"\nedition = "2024"\n\n{profile}'
    (page.folder / "Cargo.toml").write_text(package, encoding="utf-8")
    shutil.copy(RUST.folder / "Cargo.lock", page.folder)
    steps = next(block for block in blocks(path, "sh") if "cargo add intercomd" in block)
    await page.run(steps.replace("cargo add intercomd", f"cargo add --path {RUST.folder}"))
    return await page.run(f"cargo run --quiet --target-dir {RUST.folder / 'build'}")


def check_client(printed: str) -> Events:
    """Checks that the program printed the rejection; returns the names of its events."""
    if "IDENTITY_REQUIRED" not in printed:
        raise FailedError(f"expected IDENTITY_REQUIRED, printed: {printed}")
    return ("signed-up", "eCommerce - purchase - Item", "eCommerce - purchase - Total", "Session End")


def check_stubs(printed: str) -> Events:
    """Checks what the program of bare stubs printed; returns the names of its events."""
    if not printed.startswith(STUBS_PRINT) or "ACCEPTED" not in printed:
        raise FailedError(f"expected {STUBS_PRINT} and ACCEPTED, printed: {printed}")
    return ("signed-up",)


Run = Callable[[Page], Awaitable[Events]]
PAGES: dict[str, tuple[Language | None, tuple[Run, ...]]] = {
    "python": (None, (python_client,)),
    "go": (GO, (go_client, go_stubs)),
    "typescript": (TYPESCRIPT, (typescript_client, typescript_stubs)),
    "java": (JAVA, (java_client, java_stubs)),
    "rust": (RUST, (rust_client, rust_stubs)),
}


async def run_languages(names: Sequence[str], *, built: bool) -> Sequence[bool]:
    """Returns for each language whether all its pages passed; those of some languages run at the same time."""
    places = asyncio.Semaphore(LANGUAGES_AT_ONCE)
    return await asyncio.gather(*(run_language(name, places, built=built) for name in names))


async def run_language(name: str, places: asyncio.Semaphore, *, built: bool) -> bool:
    """Runs the pages of a language; returns whether they passed."""
    language, pages = PAGES.get(name, (None, ()))
    async with places:
        try:
            if language and not built:
                await asyncio.to_thread(language.build)
            for run in pages:
                await run_page(name, run)
        except (NotRunError, FailedError, TimeoutError) as error:
            print(f"{name}: FAILED: {error}", file=sys.stderr, flush=True)
            return False
    return True


async def run_page(name: str, run: Run) -> None:
    """Runs a page, and waits until its events are at Intercom."""
    async with Sandbox() as sandbox:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "daemon").mkdir()
            (Path(folder) / "page").mkdir()
            daemon = await Daemon(Path(folder) / "daemon", sandbox.base_url).start()
            try:
                expected = await run(Page(Path(folder) / "page", daemon))
                await sandbox.wait_for(lambda sandbox: len(sandbox.events) >= len(expected))
                if (names := tuple(event.name for event in sandbox.events)) != expected:
                    raise FailedError(f"events at Intercom: {names}, expected {expected}")
            finally:
                await daemon.kill()
    print(f"{name}: {run.__doc__} passed", flush=True)


def main() -> int:
    """Runs the pages that the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", help=", ".join(PAGES))
    parser.add_argument("--built", action="store_true", help="the clients are built, as check.py leaves them")
    arguments = parser.parse_args()
    passed = asyncio.run(run_languages(arguments.languages or list(PAGES), built=arguments.built))
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
