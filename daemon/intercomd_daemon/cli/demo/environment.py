"""Runs the sandbox and the daemon of the demo, and the disturbances of both."""

import asyncio
import time
from pathlib import Path
from typing import Self

from intercomd_daemon.cli.demo import personas
from intercomd_daemon.cli.demo.builders import FieldValue
from intercomd_daemon.cli.demo.observations import ObservedCall, ReceivedEvent
from intercomd_daemon.cli.demo.process import DaemonProcess
from intercomd_daemon.sandbox import Contact, Recorded, Sandbox, SandboxSettings

# Intercom's rate limit windows last 10 s. Shorter ones let a viewer see several.
RATE_LIMIT = 100
RATE_WINDOW_SECONDS = 2.0
FAULTS = (
    "POST /contacts cut-after times=1 after=8",
    "POST /events 503 times=4 after=40",
    "POST /events cut-after times=2 after=90",
)
"""Injected faults: responses lost after the call took effect, and server errors."""
OUTAGE_SECONDS = 2.5
DOWN_SECONDS = 1.0
SETTINGS = """\
[spool]
url = "sqlite:{folder}/spool.db"
free_bytes_min = "16MiB"
[operations]
listen = "127.0.0.1:0"
[connections.default]
app_id = "{app_id}"
access_token_file = "{folder}/token"
base_url = "{base_url}"
"""


class DemoEnvironment:
    """Sandbox and daemon, which both have ended when the context closes."""

    def __init__(self, folder: Path) -> None:
        settings = SandboxSettings(
            rate_limit=RATE_LIMIT,
            rate_window_seconds=RATE_WINDOW_SECONDS,
            # 2 s late is a whole window here: the resets of every second window would be seen after its end.
            recorded=frozenset(Recorded) - {Recorded.RESET_LATE},
            workspace_name="Demo",
        )
        self.sandbox = Sandbox(settings)
        self.answering = True
        """Whether the sandbox is up."""
        self.daemon: DaemonProcess
        self._folder = folder

    async def __aenter__(self) -> Self:
        await self.sandbox.start()
        for persona in personas.known():
            self.sandbox.workspace.add_contact(external_id=persona.key)
        archived = self.sandbox.workspace.add_contact(external_id=personas.ARCHIVED.key)
        self.sandbox.workspace.archive(archived.id)
        blocked = self.sandbox.workspace.add_contact(external_id=personas.BLOCKED.key)
        self.sandbox.workspace.block(blocked.id)
        for fault in FAULTS:
            self.sandbox.fault(fault)
        settings = self.sandbox.settings
        (self._folder / "token").write_text(settings.access_token)
        self.daemon = DaemonProcess(
            self._folder,
            SETTINGS.format(folder=self._folder, app_id=settings.app_id, base_url=self.sandbox.base_url),
        )
        try:
            await self.daemon.start()
        except BaseException:  # also if the demo is cancelled meanwhile
            await self.daemon.kill()
            await self.sandbox.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.daemon.stop()
        await self.sandbox.stop()

    def use_up_budget(self) -> None:
        """Uses up the rate limit, as another app of the workspace can: the next calls get 429 until the window ends."""
        self.sandbox.workspace.rate.spend(RATE_LIMIT, time.time())

    async def outage(self) -> None:
        """Stops the sandbox for a while."""
        self.answering = False
        await self.sandbox.stop()
        await asyncio.sleep(OUTAGE_SECONDS)
        await self.sandbox.start()
        self.answering = True

    async def crash(self) -> None:
        """Kills the daemon and restarts it, as a platform would."""
        await self.daemon.kill()
        await asyncio.sleep(DOWN_SECONDS)
        await self.daemon.start()

    def events(self) -> tuple[ReceivedEvent, ...]:
        """Returns the events at Intercom, in the order of arrival."""
        return tuple(
            ReceivedEvent(event.external_id or event.email or "", event.name, event.created_at)
            for event in self.sandbox.events
        )

    def contacts(self) -> dict[str, dict[str, FieldValue]]:
        """Returns the fields of each contact, by external_id or email."""
        return {contact.external_id or contact.email or "": _fields(contact) for contact in self.sandbox.contacts}

    def calls(self) -> tuple[ObservedCall, ...]:
        """Returns every call that Intercom received."""
        return tuple(
            ObservedCall(call.method, call.path, call.status, failed=bool(call.fault) or call.status in {0, 429})
            for call in self.sandbox.calls
        )


def _fields(contact: Contact) -> dict[str, FieldValue]:
    own = {"name": contact.name, "signed_up_at": contact.signed_up_at, "last_seen_at": contact.last_seen_at}
    return {name: value for name, value in own.items() if value is not None} | contact.custom_attributes
