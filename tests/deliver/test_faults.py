"""Every call, every fault: the result is the one in `faults.md`, row by row.

Sessions and servers are real, in virtual time.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from clock.virtual import run_virtually
from delivery.fault_matrix import NO_FAULT, Row, read_matrix
from delivery.observation import see_all
from intercom.broken_endpoints import PLACES
from intercomd_daemon import deliver
from intercomd_daemon.deliver.intercom.messages import Call
from intercomd_daemon.sandbox.faults import Action

MATRIX = read_matrix(Path(__file__).with_name("faults.md"))
STATUSES = {200, 201, 204, 302, 500, 502, 503, 504}
STATUSES |= {400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 413, 415, 421, 422, 429, 431, 451}
Seen = Mapping[str, Mapping[str, tuple[str, ...] | BaseException]]


@pytest.fixture(scope="module")
def seen() -> Seen:
    """Plays everything: the faults of one call at the same time, the calls one after the other to bound memory."""
    return {call: run_virtually(lambda _, call=call: see_all(call, MATRIX.faults)) for call in Call}


@pytest.mark.parametrize("row", MATRIX.rows, ids=str)
def test_fault_has_the_result_of_the_matrix(row: Row, seen: Seen) -> None:
    cells = seen[row.call][row.fault]
    if isinstance(cells, BaseException):
        raise cells
    assert cells == row.cells


def test_matrix_has_every_call_with_every_fault_once() -> None:
    cells = [(row.call, row.fault) for row in MATRIX.rows]
    assert sorted(cells) == sorted((call.value, fault) for call in Call for fault in MATRIX.faults)


def test_no_call_is_written_anywhere_but_in_one_module() -> None:
    """So that the calls of the matrix are those that the code can make: a request names one of them."""
    folder = Path(str(deliver.__file__)).parent
    texts = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.py")}
    client, pool = "intercom/client.py", "intercom/connection_pool.py"
    assert {name for name, text in texts.items() if re.search(r"^import aiohttp", text, re.MULTILINE)} == {client, pool}
    assert [name for name, text in texts.items() if re.search(r"\bConnectionPool\(", text) and name != pool] == [client]
    assert [name for name, text in texts.items() if re.search(r"\bRequest\(Call", text)] == ["intercom/requests.py"]
    assert set(re.findall(r"\bRequest\(Call\.(\w+)", texts["intercom/requests.py"])) == {call.name for call in Call}


def test_matrix_has_every_fault_of_the_sandbox() -> None:
    """The statuses of Intercom's table, everything a sandbox can do to a response, and every broken endpoint."""
    played = [shlex.split(how) for how in MATRIX.faults.values()]
    assert NO_FAULT in MATRIX.faults
    assert {int(word) for words in played for word in words if word.isdecimal()} == STATUSES
    assert {action for words in played for action in words} >= set(Action) - {Action.ANSWER}
    assert sorted(words[1] for words in played if words[0] == "to") == sorted(PLACES)
