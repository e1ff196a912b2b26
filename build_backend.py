"""The build backend: setuptools, but for what `pip install .` needs in a checkout.

The daemon needs the client of its own version, which lies beside it here. pip resolves what the metadata of the sources
say, so these name its folder; those of the wheel name its version.
"""

from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 - every hook that is not below

CLIENT = Path(__file__).resolve().parent / "clients" / "python"
NEEDED = "Requires-Dist: intercomd-client=="


def prepare_metadata_for_build_wheel(metadata_directory: str, *settings: Any) -> str:  # noqa: ANN401 - of PEP 517
    """Write the metadata; return the name of their folder."""
    return _name_client(metadata_directory, build_meta.prepare_metadata_for_build_wheel(metadata_directory, *settings))


def prepare_metadata_for_build_editable(metadata_directory: str, *settings: Any) -> str:  # noqa: ANN401 - of PEP 660
    """Write the metadata; return the name of their folder."""
    return _name_client(
        metadata_directory, build_meta.prepare_metadata_for_build_editable(metadata_directory, *settings)
    )


def build_wheel(
    wheel_directory: str,
    config_settings: Any = None,  # noqa: ANN401 - of PEP 517
    metadata_directory: str | None = None,  # noqa: ARG001 - would name this folder in the wheel
) -> str:
    """Build the wheel, with metadata of its own; return its name."""
    return build_meta.build_wheel(wheel_directory, config_settings)


def build_editable(
    wheel_directory: str,
    config_settings: Any = None,  # noqa: ANN401 - of PEP 660
    metadata_directory: str | None = None,  # noqa: ARG001 - would name this folder in the wheel
) -> str:
    """Build the editable wheel, with metadata of its own; return its name."""
    return build_meta.build_editable(wheel_directory, config_settings)


def _name_client(metadata_directory: str, name: str) -> str:
    """Replace the client's version by its folder, which an sdist does not have."""
    if CLIENT.is_dir():
        path = Path(metadata_directory, name, "METADATA")
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        client = f"Requires-Dist: intercomd-client @ {CLIENT.as_uri()}\n"
        path.write_text("".join(client if line.startswith(NEEDED) else line for line in lines), encoding="utf-8")
    return name
