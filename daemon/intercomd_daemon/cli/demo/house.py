"""Where the demo plays: a sandbox in Intercom's place, a daemon in a process of its own, and what befalls the two."""

import asyncio
import time
from pathlib import Path
from typing import Self

from intercomd_daemon.cli.demo import people
from intercomd_daemon.cli.demo.evidence import Made, Taken
from intercomd_daemon.cli.demo.process import DaemonProcess
from intercomd_daemon.cli.demo.step import Stored
from intercomd_daemon.sandbox import Contact, Sandbox, SandboxSettings

# Intercom's windows last ten seconds; shorter ones let a viewer see several.
RATE_LIMIT = 100
RATE_WINDOW_SECONDS = 2.0
FAULTS = (
    "POST /contacts cut-after times=1 after=8",
    "POST /events 503 times=4 after=40",
    "POST /events cut-after times=2 after=90",
)
"""What goes wrong by itself: answers that are lost after the call was taken, and a server that has a bad moment."""
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


class House:
    """A context manager: on leaving it, nothing of it runs any more."""

    def __init__(self, folder: Path) -> None:
        settings = SandboxSettings(
            rate_limit=RATE_LIMIT, rate_window_seconds=RATE_WINDOW_SECONDS, workspace_name="Demo"
        )
        self.sandbox = Sandbox(settings)
        self.answering = True
        """Whether the sandbox does, and not pretends to be out."""
        self.daemon: DaemonProcess
        self._folder = folder

    async def __aenter__(self) -> Self:
        await self.sandbox.start()
        for person in people.known():
            self.sandbox.workspace.add_contact(external_id=person.key)
        archived = self.sandbox.workspace.add_contact(external_id=people.ARCHIVED.key)
        self.sandbox.workspace.archive(archived.id)
        blocked = self.sandbox.workspace.add_contact(external_id=people.BLOCKED.key)
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
        except BaseException:  # also where the demo is ended meanwhile
            await self.daemon.kill()
            await self.sandbox.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.daemon.stop()
        await self.sandbox.stop()

    def use_up_budget(self) -> None:
        """Another app of the workspace takes what is left of the window: the next calls are answered with 429."""
        self.sandbox.workspace.rate.spend(RATE_LIMIT, time.time())

    async def outage(self) -> None:
        """Intercom is not there for a while."""
        self.answering = False
        await self.sandbox.stop()
        await asyncio.sleep(OUTAGE_SECONDS)
        await self.sandbox.start()
        self.answering = True

    async def crash(self) -> None:
        """The daemon is killed, and some platform starts it again."""
        await self.daemon.kill()
        await asyncio.sleep(DOWN_SECONDS)
        await self.daemon.start()

    def events(self) -> tuple[Taken, ...]:
        """What Intercom has, in the order in which it came."""
        return tuple(
            Taken(event.external_id or event.email or "", event.name, event.created_at) for event in self.sandbox.events
        )

    def contacts(self) -> dict[str, dict[str, Stored]]:
        """Each contact's fields, by external_id or email."""
        return {contact.external_id or contact.email or "": _fields(contact) for contact in self.sandbox.contacts}

    def calls(self) -> tuple[Made, ...]:
        """Every call."""
        return tuple(
            Made(call.method, call.path, call.status, spoilt=bool(call.fault) or call.status in {0, 429})
            for call in self.sandbox.calls
        )


def _fields(contact: Contact) -> dict[str, Stored]:
    own = {"name": contact.name, "signed_up_at": contact.signed_up_at, "last_seen_at": contact.last_seen_at}
    return {name: value for name, value in own.items() if value is not None} | contact.custom_attributes
