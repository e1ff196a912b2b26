"""A stand-in for Intercom: an HTTP server that behaves as Intercom's documentation describes."""

from intercomd_daemon.sandbox.calls import ReceivedCall
from intercomd_daemon.sandbox.contact import Contact
from intercomd_daemon.sandbox.events import Event
from intercomd_daemon.sandbox.fault_text import FaultSyntaxError, parse_fault
from intercomd_daemon.sandbox.faults import Action, Fault, FaultCount
from intercomd_daemon.sandbox.recorded import Recorded
from intercomd_daemon.sandbox.sandbox import Sandbox
from intercomd_daemon.sandbox.settings import CustomAttribute, SandboxSettings

__all__ = [
    "Action",
    "Contact",
    "CustomAttribute",
    "Event",
    "Fault",
    "FaultCount",
    "FaultSyntaxError",
    "ReceivedCall",
    "Recorded",
    "Sandbox",
    "SandboxSettings",
    "parse_fault",
]
