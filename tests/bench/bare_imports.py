"""The limit of the footprint: an interpreter that has imported only gRPC and aiohttp."""

import aiohttp
import grpc.aio
from questions import answer_all


def versions() -> dict[str, str]:
    """The imported modules."""
    return {"aiohttp": aiohttp.__version__, "grpc": grpc.__version__}


if __name__ == "__main__":
    answer_all({"versions": versions})
