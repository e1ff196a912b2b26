"""A daemon that delivers does not load what only an agent needs, and the other way round."""

import subprocess
import sys

LOADED = """
import sys
import intercomd_daemon.app.daemon
from intercomd_daemon.app.agent import Agent
print(*sorted(name for name in sys.modules if name.startswith("intercomd_daemon.{part}")))
"""


def loaded(part: str, *, agent: bool) -> set[str]:
    """Returns the modules of a part that a daemon has loaded before it starts."""
    program = LOADED.replace("{part}", part)
    if not agent:
        program = program.replace("from intercomd_daemon.app.agent import Agent\n", "")
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    return set(run.stdout.split())


def test_daemon_that_delivers_loads_only_the_settings_of_an_agent() -> None:
    assert loaded("forward", agent=False) == {"intercomd_daemon.forward", "intercomd_daemon.forward.settings"}


def test_agent_does_not_load_the_delivery() -> None:
    """Only the names of calls, which metrics have, and the reasons why a row waits, which operators read."""
    parts = {name.removeprefix("intercomd_daemon.deliver").removeprefix(".") for name in loaded("deliver", agent=True)}
    assert parts == {"", "intercom", "intercom.messages", "waiting"}


def test_agent_does_not_load_how_a_daemon_decides() -> None:
    parts = {name.removeprefix("intercomd_daemon.ingest.") for name in loaded("ingest", agent=True)}
    assert "decide_forwarded" in parts
    assert not {"commerce", "contact_update", "decide", "metadata", "session_end"} & parts
