"""The limit of the footprint: an interpreter that has imported the two libraries that carry the calls, and no more."""

import aiohttp
import grpc.aio
from questions import answer_all


def versions() -> dict[str, str]:
    """Of what it has imported."""
    return {"aiohttp": aiohttp.__version__, "grpc": grpc.__version__}


if __name__ == "__main__":
    answer_all({"versions": versions})
