"""Where spans are sent: by the settings, or by OpenTelemetry's variables."""

import pytest

from intercomd_daemon.telemetry.trace_settings import TraceSettings, endpoint_of

OURS = "http://127.0.0.1:4317"
THEIRS = "http://collector:4317"


@pytest.mark.parametrize(
    ("endpoint", "environment", "used"),
    [
        ("", {}, ""),
        (OURS, {}, OURS),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": THEIRS}, THEIRS),
        ("", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": THEIRS, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, THEIRS),
        (OURS, {"OTEL_EXPORTER_OTLP_ENDPOINT": THEIRS}, OURS),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, ""),
        (OURS, {"OTEL_SDK_DISABLED": "True"}, ""),
        (OURS, {"OTEL_SDK_DISABLED": "false"}, OURS),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": THEIRS, "OTEL_TRACES_EXPORTER": "none"}, ""),
        (OURS, {"OTEL_TRACES_EXPORTER": "none"}, OURS),
    ],
)
def test_endpoint_is_that_of_the_settings_or_of_a_variable(
    endpoint: str, environment: dict[str, str], used: str
) -> None:
    assert endpoint_of(TraceSettings(endpoint=endpoint), environment) == used
