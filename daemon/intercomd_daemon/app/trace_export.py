"""Opens the export of spans that the settings, or the variables of OpenTelemetry, ask for."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from intercomd.proxies import proxy_options
from intercomd_daemon import __version__
from intercomd_daemon.telemetry.logs import Logger
from intercomd_daemon.telemetry.trace_settings import TraceSettings, endpoint_of
from intercomd_daemon.telemetry.traces import Traces, TracesUnavailable


def open_traces(settings: TraceSettings, environment: Mapping[str, str]) -> Traces | None:
    """Returns what makes and sends spans; None: no endpoint is set.

    Raises:
        TracesUnavailable: OpenTelemetry is not installed, or cannot use one of its variables.
    """
    endpoint = endpoint_of(settings, environment)
    if not endpoint:
        return None
    target = urlsplit(endpoint).netloc
    return Traces(endpoint, settings.sample_ratio, environment, __version__, proxy_options(target))


def open_traces_or_warn(settings: TraceSettings, environment: Mapping[str, str], logger: Logger) -> Traces | None:
    """Returns what makes spans; None also if only a variable names the endpoint and it cannot be used.

    Platforms set the variables for every pod, so they must not keep the daemon from starting.

    Raises:
        TracesUnavailable: as `open_traces`, and the settings name the endpoint.
    """
    try:
        return open_traces(settings, environment)
    except TracesUnavailable as error:
        if settings.endpoint:
            raise
        logger.warning("traces_off", reason=str(error))
        return None
