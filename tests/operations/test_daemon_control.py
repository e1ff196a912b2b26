"""What the operations side calls the daemon's states."""

import pytest

from intercomd.v1 import operations_pb2
from intercomd_daemon.operations.daemon_control import DaemonState


@pytest.mark.parametrize("state", DaemonState)
def test_every_state_has_its_number_in_the_contract(state: DaemonState) -> None:
    assert operations_pb2.DaemonState.Name(state) == f"DAEMON_STATE_{state.name}"
