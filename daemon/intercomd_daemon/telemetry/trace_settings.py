"""The settings of traces: `[traces]`, and the variables of OpenTelemetry."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from intercomd_daemon.setting import kinds

ENDPOINT_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class TraceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where spans are sent, and how many."""

    endpoint: Annotated[
        str, kinds.text('a URL such as "http://127.0.0.1:4317", or nothing', r"(?:https?://[^\s/@]+/?)?")
    ] = ""
    """OTLP over gRPC. Empty: the variables of OpenTelemetry; without them there are no traces."""
    sample_ratio: Annotated[float, kinds.share()] = 1.0
    """Of the traces that begin here; a caller's trace is sampled as the caller decided."""


def endpoint_of(settings: TraceSettings, environment: Mapping[str, str]) -> str:
    """Returns where spans are sent, from the settings or OpenTelemetry's variables; empty: there are no traces."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ""
    if environment.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return settings.endpoint
    return settings.endpoint or next((environment[name] for name in ENDPOINT_VARIABLES if environment.get(name)), "")
