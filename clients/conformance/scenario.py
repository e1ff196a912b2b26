"""Plays one scenario: starts the daemon and the sandbox, sends the driver its commands, and compares what comes back.

`README.md` describes the steps.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from string import Template
from typing import Any

import aiohttp
import trustme
from comparison import Mismatch, compare
from relay import Relay

from daemons.impostor import Impostor
from daemons.process import Daemon
from intercomd_daemon.sandbox import Sandbox
from ports import free_port
from tls.certificates import Files

STEP_SECONDS = 60.0
"""How long a step may take unless it has `seconds`: far longer than any step needs."""
LINE_BYTES_MAX = 64 << 20
OUTCOMES_AT_ONCE = 1_000
"""The outcomes that are awaited together: the daemon's log must hold them within a minute after those before."""
WAITED_LEAST = 0.8
"""What every repeat must have waited of the time that the daemon requested."""
WAITED_MEDIAN = 1.2
"""What half the repeats may have waited at most. A busy machine delays single ones."""
FIRST_EVENT = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
"""The time of the first event of `publish_many`; each later one is a second after the one before."""
JSON = Any


class NotApplicable(Exception):
    """The language has nothing that the scenario is about."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario as scenarios.json has it."""

    name: str
    title: str
    steps: Sequence[Mapping[str, JSON]]
    settings: Mapping[str, JSON] = field(default_factory=dict)
    """Tables of the daemon's settings."""


async def play(
    scenario: Scenario, command: Sequence[str], client: Path, folder: Path, environment: Mapping[str, str]
) -> Sequence[str]:
    """Plays a scenario in an empty folder, with the driver that `command` starts in `client`; returns notes to print.

    Raises:
        Mismatch: something is not as expected.
        NotApplicable: the driver replies so.
    """
    async with Sandbox() as sandbox:
        stage = _Stage(scenario, sandbox, folder)
        driver = await _Driver(command, client, environment).start()
        try:
            for place, step in enumerate(scenario.steps):
                try:
                    async with asyncio.timeout(step.get("seconds", STEP_SECONDS)):
                        await stage.perform(step, driver)
                except (Mismatch, AssertionError, TimeoutError) as error:
                    text = f"step {place} {json.dumps(step)[:200]}: {str(error) or 'not in time'}"
                    raise Mismatch(f"{text}\n    log: {driver.log[-1500:]}") from error
        finally:
            await driver.end()
            await stage.close()
        return stage.notes


class _Driver:
    """The process of a driver."""

    def __init__(self, command: Sequence[str], client: Path, environment: Mapping[str, str]) -> None:
        self._command = command
        self._client = client
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process
        self._reading: asyncio.Task[None]
        self._log = bytearray()
        self._logged = asyncio.Event()

    @property
    def log(self) -> str:
        """What the client has logged."""
        return self._log.decode(errors="replace")

    async def start(self) -> "_Driver":
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            cwd=self._client,
            env=self._environment,
            limit=LINE_BYTES_MAX,
        )
        self._reading = asyncio.create_task(self._read_log())
        return self

    async def wait_for_log(self, pattern: str) -> None:
        """Waits until the log matches."""
        while not re.search(pattern, self.log, re.IGNORECASE):
            self._logged.clear()
            await self._logged.wait()

    async def send(self, message: Mapping[str, JSON]) -> dict[str, JSON]:
        """Sends a command; returns the reply."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line:
            raise Mismatch(f"the driver ended with {await self._process.wait()}")
        reply: dict[str, JSON] = json.loads(line)
        if reason := reply.get("not_applicable"):
            raise NotApplicable(reason)
        return reply

    async def exit(self) -> int:
        """Lets the process end by itself; returns its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.write(b'{"do": "exit"}\n')
        self._process.stdin.close()
        code = await self._process.wait()
        await self._reading
        return code

    async def end(self) -> None:
        """Kills the process if it still runs."""
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self._reading

    async def _read_log(self) -> None:
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(1 << 16):
            self._log += chunk
            self._logged.set()


class _Stage:
    """The daemon, the sandbox and the files of a scenario."""

    def __init__(self, scenario: Scenario, sandbox: Sandbox, folder: Path) -> None:
        self.notes: list[str] = []
        self._sandbox = sandbox
        self._folder = folder
        self._files = Files(folder)
        ingest, health, closed = [f"127.0.0.1:{free_port()}" for _ in range(3)]
        self._names = {
            "ingest": ingest,
            "health": health,
            "closed": closed,
            "socket": f"unix:{folder / 'ingest.sock'}",
            "folder": str(folder),
            "certificate": str(self._files.certificate),
            "key": str(self._files.key),
        }
        self._write_authorities()
        tables = self._filled(dict(scenario.settings))
        tables["ingest"] = {"listen": [self._names["ingest"], self._names["socket"]], **tables.get("ingest", {})}
        self._daemon = Daemon(folder, sandbox.base_url, tables)
        self._relay: Relay | None = None
        self._impostor: Impostor | None = None
        self._kills = 0

    def _write_authorities(self) -> None:
        """Writes the daemon's CA and another one."""
        for name, files in (("ca", self._files), ("other_ca", Files(self._subfolder("other")))):
            self._write_authority(name, files.ca)

    def _write_authority(self, name: str, authority: trustme.CA) -> None:
        path = self._folder / f"{name}.pem"
        path.write_bytes(authority.cert_pem.bytes())
        self._names[name] = str(path)

    def _subfolder(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder

    def _filled(self, value: JSON) -> JSON:
        """Replaces $names in all texts."""
        if isinstance(value, str):
            return Template(value).safe_substitute(self._names)
        if isinstance(value, Mapping):
            return {name: self._filled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        return value

    async def perform(self, step: Mapping[str, JSON], driver: _Driver) -> None:
        """Performs a step and checks what it expects."""
        step = self._filled(step)
        if "do" in step:
            await self._command(step, driver)
            return
        for name, value in step.items():
            if name != "seconds":
                await getattr(self, f"_on_{name}")(value, driver)

    async def close(self) -> None:
        """Ends the servers and the daemon."""
        if self._relay:
            await self._relay.close()
        if self._impostor:
            await self._impostor.close()
        if self._daemon.runs:
            await self._daemon.kill()

    async def _command(self, step: Mapping[str, JSON], driver: _Driver) -> None:
        message = {name: value for name, value in step.items() if name not in {"expect", "meanwhile"}}
        if message["do"] == "open":
            message.setdefault("target", self._names["ingest"])
        if message["do"] == "exit":
            code = await driver.exit()
            compare("exit code", step.get("expect", 0), code)
            return
        sent = asyncio.create_task(driver.send(message))
        try:
            for beside in step.get("meanwhile", []):
                await self.perform(beside, driver)
            reply = await sent
        finally:
            sent.cancel()
        expected = step.get("expect", {})
        if "error" in reply and "error" not in expected:
            raise Mismatch(f"unexpected error: {reply['error']}")
        compare("reply", expected, reply)

    async def _on_daemon(self, action: str, _: _Driver) -> None:
        """Starts, stops or kills the daemon."""
        if action == "start":
            await self._daemon.start()
            self._names["http"] = self._daemon.http_address
            self._names["operations"] = self._daemon.operations_address
        elif action == "stop":
            await self._daemon.stop()
        elif action == "kill":
            self._kills += 1
            await self._daemon.kill()
        else:
            raise Mismatch(f"unknown action {action}")

    async def _on_relay(self, action: str, _: _Driver) -> None:
        """Starts a proxy in front of the daemon."""
        if action != "start":
            raise Mismatch(f"unknown action {action}")
        self._relay = Relay(self._names["ingest"])
        self._names["relay"] = await self._relay.start()

    async def _on_impostor(self, answers: Sequence[str], _: _Driver) -> None:
        """Starts a server that answers calls unlike intercomd, in place of an earlier one."""
        if self._impostor:
            await self._impostor.close()
        self._impostor = Impostor(answers)
        self._names["impostor"] = await self._impostor.start()

    async def _on_pushback(self, expected: Mapping[str, int], _: _Driver) -> None:
        """Waits for repeats after refusals, and compares how long each waited with what the daemon requested."""
        assert self._relay is not None
        for code, count in expected.items():
            repeats = await self._relay.repeats(code, count)
            compare("repeats with other bytes", [], [repeat.waited for repeat in repeats if not repeat.same])
            shares = sorted(repeat.share for repeat in repeats)
            if shares[0] < WAITED_LEAST or median(shares) > WAITED_MEDIAN:
                raise Mismatch(f"waited {shares} of the requested time after {code}, expected 0.8 to 1.2")
            self.notes.append(f"{len(shares)} repeats after {shares[0]:.2f} to {shares[-1]:.2f} of the requested time")

    async def _on_fault(self, text: str, _: _Driver) -> None:
        """Adds a fault to the sandbox, or clears them all."""
        if text:
            self._sandbox.fault(text)
        else:
            self._sandbox.faults.clear()

    async def _on_file(self, files: Mapping[str, str], _: _Driver) -> None:
        """Writes files into the folder."""
        for name, content in files.items():
            (self._folder / name).write_text(content, encoding="utf-8")

    async def _on_certificate(self, kind: str, _: _Driver) -> None:
        """Replaces the daemon's certificate, before its start."""
        if kind == "expired":
            authority, not_after = self._files.ca, datetime.now(UTC) - timedelta(days=1)
        elif kind == "replaced":
            authority, not_after = Files(self._subfolder("replaced")).ca, None
            self._write_authority("ca", authority)
        else:
            raise Mismatch(f"unknown certificate {kind}")
        made = authority.issue_cert("127.0.0.1", "localhost", not_after=not_after)
        self._files.certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        self._files.key.write_bytes(made.private_key_pem.bytes())

    async def _on_log(self, pattern: str, driver: _Driver) -> None:
        """Waits until the client's log matches."""
        await driver.wait_for_log(pattern)

    async def _on_events(self, expected: JSON, _: _Driver) -> None:
        """Waits for events at Intercom: their names in order, or at least this number."""
        if isinstance(expected, int):
            await self._sandbox.wait_for(lambda sandbox: len(sandbox.events) >= expected, STEP_SECONDS)
            return
        await self._sandbox.wait_for(lambda sandbox: len(sandbox.events) >= len(expected), STEP_SECONDS)
        compare("events", expected, [event.name for event in self._sandbox.events])

    async def _on_intercom(self, expected: Sequence[JSON], _: _Driver) -> None:
        """Waits for contacts at Intercom, by their external ids."""
        for contact in expected:
            name = contact["external_id"]
            await self._sandbox.wait_for(partial(_contact, external_id=name), STEP_SECONDS)
            compare(f"contact {name}", contact, _contact(self._sandbox, name))

    async def _on_outcomes(self, expected: Mapping[str, JSON], _: _Driver) -> None:
        """Waits for one outcome of each envelope of `publish_many`, and checks the events of each user."""
        prefix, count, users = expected["prefix"], expected["count"], expected.get("users", 1)
        # A kill may lose the last lines of the log, but no outcome of the journal.
        kept = {outcome.envelope_id for outcome in await self._daemon.journal()} if self._kills else set()
        missing = [name for number in range(count) if (name := f"{prefix}{number}") not in kept]
        for first in range(0, len(missing), OUTCOMES_AT_ONCE):
            await self._daemon.ended(missing[first : first + OUTCOMES_AT_ONCE])
        doubled = [name for name, times in self._daemon.outcomes.items() if times > 1 + self._kills]
        compare("doubled outcomes", [], doubled)
        arrived: dict[str | None, list[int]] = {}
        for event in self._sandbox.events:
            arrived.setdefault(event.external_id, []).append(event.created_at - FIRST_EVENT)
        for user in range(users):
            compare(f"events of user-{user}", list(range(user, count, users)), arrived.get(f"user-{user}", []))

    async def _on_requests(self, expected: Mapping[str, str], _: _Driver) -> None:
        """Compares the counts of calls by status: "RESOURCE_EXHAUSTED": "<= OK"."""
        counts = await self._requests()
        for code, rule in expected.items():
            other = counts[rule.removeprefix("<= ")]
            if not 0 < counts[code] <= other:
                raise Mismatch(
                    f"{counts[code]} calls ended with {code}, expected 1 to {other} ({rule}): {dict(counts)}"
                )
            self.notes.append(f"{counts[code]} {code}, {other} {rule.removeprefix('<= ')}")

    async def _requests(self) -> Counter[str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{self._names['health']}/metrics") as response,
        ):
            text = await response.text()
        counts: Counter[str] = Counter()
        for line in text.splitlines():
            if line.startswith("intercomd_requests_total{") and 'method="Publish"' in line:
                code = re.search(r'code="(\w+)"', line)
                assert code is not None
                counts[code[1]] += int(float(line.rsplit(" ", 1)[1]))
        return counts


def _contact(sandbox: Sandbox, external_id: str) -> dict[str, JSON] | None:
    for contact in sandbox.contacts:
        if contact.external_id == external_id:
            return {
                "external_id": contact.external_id,
                "email": contact.email,
                "name": contact.name,
                "custom_attributes": dict(contact.custom_attributes),
            }
    return None
