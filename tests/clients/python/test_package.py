"""Importing the package loads no more than is used, and every name exists and is typed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import intercomd
import intercomd.v1
from intercomd.v1 import attribute_pb2, envelope_pb2, event_pb2, identity_pb2, ingest_pb2, operations_pb2, outcome_pb2

FILES = (attribute_pb2, envelope_pb2, event_pb2, identity_pb2, ingest_pb2, operations_pb2, outcome_pb2)
LOADED = "import json, sys; print(json.dumps(sorted(name for name in sys.modules if name.startswith({prefixes}))))"
PROGRAM = """
from intercomd import Envelope, Environment, Identity, Money, OtherEvent, Priority, Product, Publisher, Source, money
from intercomd.v1 import Attribute, AttributeValue, ConnectionState, IngestServiceStub, Outcome, PublishRequest
import intercomd.v1

price: Money = money("19.99", "EUR")
envelope: Envelope = intercomd.v1.Envelope(
    identity=Identity(customer_id="42"),
    source=Source.SOURCE_WEB,
    priority=Priority.PRIORITY_BULK,
    environment=Environment.ENVIRONMENT_PRODUCTION,
    user_attributes=[Attribute(name="plan", value=AttributeValue(money_value=price))],
    other_event=OtherEvent(),
)
request: PublishRequest = PublishRequest(envelopes=[envelope])
name: str = Product(name="Tea").name
state: str = ConnectionState.Name(ConnectionState.CONNECTION_STATE_DELIVERING)


async def publish(publisher: Publisher) -> str:
    return (await publisher.publish_and_wait(envelope)).envelope_id
"""
MISTAKES = """
from intercomd import Envelope, Publishr
from intercomd.v1 import Nothing
Envelope(customer="42")
"""


def modules_loaded_by(statement: str) -> set[str]:
    """The modules of the client, and of what it is built on, that a fresh interpreter loads for a statement."""
    program = f"{statement}\n{LOADED.format(prefixes=('intercomd', 'grpc', 'asyncio', 'threading'))}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    return set(json.loads(done.stdout))


def test_importing_the_messages_loads_no_publisher() -> None:
    loaded = modules_loaded_by("import intercomd.v1")
    assert {name for name in loaded if name.startswith("intercomd")} == {"intercomd", "intercomd.v1"}
    assert not {name for name in loaded if name.startswith(("grpc", "asyncio"))}


@pytest.mark.parametrize("package", ["intercomd", "intercomd.v1"])
def test_message_loads_its_own_file_alone(package: str) -> None:
    loaded = modules_loaded_by(f"from {package} import Identity")
    assert {name for name in loaded if name.startswith("intercomd")} == {
        "intercomd",
        "intercomd.v1",
        "intercomd.v1.identity_pb2",
    }
    assert not {name for name in loaded if name.startswith(("grpc", "asyncio"))}


def test_function_for_values_loads_no_publisher() -> None:
    loaded = modules_loaded_by("from intercomd import attributes, new_envelope_id")
    assert "intercomd.values" in loaded
    assert not loaded & {"intercomd.publisher", "intercomd.blocking", "intercomd.sender", "grpc", "asyncio"}


def test_v1_exports_every_message_enum_and_service() -> None:
    for file in FILES:
        for name in (*file.DESCRIPTOR.message_types_by_name, *file.DESCRIPTOR.enum_types_by_name):
            assert getattr(intercomd.v1, name) is getattr(file, name)
            assert name in intercomd.v1.__all__
        for service in file.DESCRIPTOR.services_by_name:
            assert getattr(intercomd.v1, f"{service}Stub").__name__ == f"{service}Stub"
            assert getattr(intercomd.v1, f"{service}Servicer").__name__ == f"{service}Servicer"


@pytest.mark.parametrize("publisher", ["Publisher", "BlockingPublisher"])
@pytest.mark.parametrize(("message", "field"), [("Envelope", "event_time"), ("AttributeValue", "time_value")])
def test_import_of_a_publisher_makes_messages_of_v1_refuse_naive_times(
    publisher: str, message: str, field: str
) -> None:
    """In a process that takes the messages from `intercomd.v1`, before it imports the publisher."""
    program = f"""
from datetime import datetime
from intercomd.v1 import {message}
from intercomd import {publisher}
message = {message}()
try:
    message.{field} = datetime(2026, 1, 1)
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.startswith(f"{message}.{field}: datetime.datetime(2026, 1, 1, 0, 0) has no time zone")


@pytest.mark.parametrize("package", [intercomd, intercomd.v1])
def test_every_listed_name_can_be_imported(package: object) -> None:
    for name in package.__all__:  # type: ignore[attr-defined]
        assert getattr(package, name) is getattr(package, name)
    assert set(package.__all__) <= set(dir(package))  # type: ignore[attr-defined]


@pytest.mark.parametrize("package", [intercomd, intercomd.v1])
def test_unknown_name_is_an_attribute_error(package: object) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = package.Nothing  # type: ignore[attr-defined]


def check_types(program: str, folder: Path) -> tuple[int, str]:
    """The exit code and the output of mypy, from a folder that knows nothing of the checkout."""
    (folder / "program.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=.cache", "program.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    return done.returncode, done.stdout + done.stderr


def test_users_program_passes_mypy_strict(tmp_path: Path) -> None:
    assert check_types(PROGRAM, tmp_path)[0] == 0, check_types(PROGRAM, tmp_path)[1]


def test_mypy_finds_the_mistakes_in_a_users_program(tmp_path: Path) -> None:
    code, output = check_types(MISTAKES, tmp_path)
    assert code == 1
    for mistake in ('has no attribute "Publishr"', 'has no attribute "Nothing"', 'argument "customer"'):
        assert mistake in output
