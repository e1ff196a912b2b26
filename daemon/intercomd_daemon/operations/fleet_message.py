"""Converts the status of a fleet to its message."""

from intercomd.v1 import operations_pb2
from intercomd_daemon.fleet.status import FleetMember, FleetStatus, WorkspaceDelivery
from intercomd_daemon.operations.responses import duration, timestamp


def fleet_message(status: FleetStatus, now: float) -> operations_pb2.Fleet:
    """Converts what is known of a fleet; `now` is Unix seconds."""
    health, age = status.database, status.database.oldest_snapshot_seconds
    return operations_pb2.Fleet(
        daemon_id=status.daemon_id,
        members=[_member(member, now) for member in status.members],
        deliveries=[_delivery(delivery) for delivery in status.deliveries],
        database=operations_pb2.DatabaseHealth(
            oldest_snapshot_transactions=health.oldest_snapshot_transactions,
            oldest_snapshot_age=duration(age) if age else None,
            dead_rows=sum(health.dead_rows.values()),
        ),
    )


def _member(member: FleetMember, now: float) -> operations_pb2.FleetMember:
    return operations_pb2.FleetMember(
        daemon_id=member.daemon_id,
        version=member.version,
        alive=member.alive,
        start_time=timestamp(member.since),
        silent_for=duration(now - member.seen),
        differing_settings=member.differing,
    )


def _delivery(delivery: WorkspaceDelivery) -> operations_pb2.WorkspaceDelivery:
    return operations_pb2.WorkspaceDelivery(
        workspace=delivery.workspace,
        connections=delivery.connections,
        delivered=delivery.held,
        daemon_id=delivery.daemon_id,
        since_time=timestamp(delivery.since),
        hand_over_reason=delivery.reason,
        previous_daemon_id=delivery.previous,
    )
