"""Reflection, asked over a real channel in both of its versions."""

import grpc
import pytest
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from intercomd.v1 import operations_pb2
from intercomd_daemon.operations.reflection import V1, V1ALPHA, add_reflection

SERVICE = "intercomd.v1.OperationsService"


@pytest.mark.parametrize("version", [V1, V1ALPHA])
async def test_reflection_names_the_services_and_describes_ours(version: str) -> None:
    server = grpc.aio.server()
    add_reflection(server, (SERVICE,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.stream_stream(
            f"/{version}/ServerReflectionInfo",
            request_serializer=ServerReflectionRequest.SerializeToString,
            response_deserializer=ServerReflectionResponse.FromString,
        )
        requests = [ServerReflectionRequest(list_services=""), ServerReflectionRequest(file_containing_symbol=SERVICE)]
        names, described = [answer async for answer in ask(iter(requests))]
    await server.stop(None)
    assert {service.name for service in names.list_services_response.service} == {SERVICE, V1ALPHA}
    assert operations_pb2.DESCRIPTOR.serialized_pb in described.file_descriptor_response.file_descriptor_proto
