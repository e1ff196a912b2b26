"""Requests that once were interesting, requests as costly as can be, and some of today's: each is answered, and over.

A file of the corpus is named by its method, the code that it is answered with, and the words of that answer.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from daemons.process import Daemon
from fuzz_harness.calls import Assault
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from senders.costly_requests import SHAPES, shape

pytestmark = pytest.mark.asyncio(loop_scope="module")

CORPUS = {file.stem: file.read_bytes() for file in sorted((Path(__file__).parent / "corpus").glob("*.bin"))}
FEW_BYTES = 140_000
CALLS = 150


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def assault(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Assault]:
    """A daemon that is called so; at the end it serves, and all that it took has ended."""
    async with Sandbox(SandboxSettings(rate_limit=1_000_000)) as sandbox:
        daemon = await Daemon(tmp_path_factory.mktemp("fuzz"), sandbox.base_url).start()
        yield Assault(daemon, seed=1)
        await daemon.close()
        assert sandbox.illegal_requests == []


@pytest.mark.parametrize("name", CORPUS)
async def test_corpus_is_answered_as_its_file_names_say(assault: Assault, name: str) -> None:
    method, code = name.split("-")[:2]
    answer = await assault.strike(assault.methods[method], CORPUS[name])
    assert answer.code == code


@pytest.mark.parametrize("name", SHAPES)
async def test_most_expensive_requests_are_answered(assault: Assault, name: str) -> None:
    await assault.strike(assault.methods["Publish"], shape(name, FEW_BYTES))


async def test_random_requests_are_answered_and_accepted_ones_end(assault: Assault) -> None:
    for _ in range(CALLS):
        await assault.strike(*assault.invented())
    await assault.peace()
