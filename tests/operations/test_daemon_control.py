"""What the operations side calls the daemon's states."""

import pytest

from intercomd.v1 import operations_pb2
from intercomd_daemon.operations.daemon_control import State


@pytest.mark.parametrize("state", State)
def test_every_state_has_its_number_in_the_contract(state: State) -> None:
    assert operations_pb2.DaemonState.Name(state) == f"DAEMON_STATE_{state.name}"
