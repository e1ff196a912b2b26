"""Checks the settings of an agent as a whole: what its gateway needs, and what has no effect at an agent."""

from collections.abc import Mapping

from intercomd_daemon.config.findings import SettingFindings
from intercomd_daemon.config.settings import Settings
from intercomd_daemon.config.variables import variable
from intercomd_daemon.forward.settings import is_local_target

_SECTION = "upstream"


TARGET = f"{_SECTION}.target"
"""Makes the daemon an agent."""


def check_upstream(settings: Settings, origins: Mapping[str, str], findings: SettingFindings) -> None:
    """Adds contradictions of `[upstream]` to the findings."""
    upstream, tls = settings.upstream, settings.upstream.tls
    if not upstream.on:
        for key, origin in origins.items():
            if key.startswith(f"{_SECTION}.") and origin != "default":
                message = f"no effect without upstream.target, the gateway; set it, here or as {variable(TARGET)}"
                findings.problem(key, origin, message)
        return
    for given, missing in (("certificate_file", "key_file"), ("key_file", "certificate_file")):
        if getattr(tls, given) and not getattr(tls, missing):
            message = f"a certificate and its private key belong together; set it beside {given}"
            findings.problem(f"{_SECTION}.tls.{missing}", "not set", message)
    if upstream.insecure and tls.given:
        key = f"{_SECTION}.insecure"
        message = "plain text and TLS exclude each other; set insecure = false, or leave out [upstream.tls]"
        findings.problem(key, origins[key], message)
        return
    if not upstream.token_file:
        return
    for target, encrypted in (
        (upstream.target, upstream.uses_tls),
        (upstream.operations_target, upstream.operations_use_tls),
    ):
        if target and not encrypted and not is_local_target(target):
            key = f"{_SECTION}.token_file"
            message = f"the token travels to {target} in the clear; set insecure = false, for TLS"
            findings.warn(key, origins[key], message)
