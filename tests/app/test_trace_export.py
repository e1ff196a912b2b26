"""The export of spans that settings and variables ask for."""

import io
import json

import pytest

from intercomd_daemon.app.trace_export import open_traces, open_traces_or_warn
from intercomd_daemon.telemetry.logs import Logger, set_up
from intercomd_daemon.telemetry.settings import LogSettings
from intercomd_daemon.telemetry.trace_settings import TraceSettings
from intercomd_daemon.telemetry.traces import TracesUnavailable

ENDPOINT = "http://127.0.0.1:1"


def logger() -> tuple[Logger, io.StringIO]:
    stream = io.StringIO()
    return set_up(LogSettings(), stream).logger, stream


def test_traces_are_off_by_default() -> None:
    assert open_traces(TraceSettings(), {}) is None


@pytest.mark.parametrize(
    ("settings", "environment"),
    [(TraceSettings(endpoint=ENDPOINT), {}), (TraceSettings(), {"OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT})],
)
async def test_settings_and_variables_ask_for_traces(settings: TraceSettings, environment: dict[str, str]) -> None:
    traces = open_traces(settings, environment)
    assert traces is not None
    await traces.close()


def test_unusable_variable_fails_where_the_settings_name_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "zip")
    log, stream = logger()
    with pytest.raises(TracesUnavailable, match="OTEL_EXPORTER_OTLP_COMPRESSION"):
        open_traces_or_warn(TraceSettings(endpoint=ENDPOINT), {}, log)
    assert stream.getvalue() == ""


def test_unusable_variable_is_logged_where_a_variable_names_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
    log, stream = logger()
    assert open_traces_or_warn(TraceSettings(), {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ENDPOINT}, log) is None
    line = json.loads(stream.getvalue())
    assert line["event"] == "traces_off"
    assert "correct or unset those named OTEL_" in line["reason"]
