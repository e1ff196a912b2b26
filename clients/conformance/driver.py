"""Performs the commands of the conformance scenarios with the Python client. README.md describes the commands."""

import asyncio
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict

import intercomd
from intercomd import Disposition, Envelope, EnvelopeResult, Publisher, PublishError, PublisherSettings, Tls
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub

Reply = dict[str, Any]
FIRST_EVENT = datetime(2026, 1, 1, tzinfo=UTC)
MILLISECONDS = {
    "linger_ms": "linger_seconds",
    "call_timeout_ms": "call_seconds",
    "repeat_max_ms": "repeat_seconds_max",
}
COUNTS = ("batch_envelopes_max", "batch_bytes_max", "buffer_bytes_max", "calls_in_flight_max", "validate_only")


class Driver:
    """One publisher at a time, and what its callbacks got."""

    def __init__(self) -> None:
        self.publisher: Publisher
        self.results: list[Reply] = []
        self.rejected: list[str] = []
        self.raises = False
        self.threads = threading.active_count()

    async def perform(self, command: Reply) -> Reply:
        """Performs a command; returns the reply."""
        perform: Callable[..., Any] | None = getattr(self, f"do_{command['do']}", None)
        if perform is None:
            return {"not_applicable": f"unknown command {command['do']}"}
        try:
            reply: Reply = await perform(command)
        except (PublishError, ValueError, TypeError, TimeoutError) as error:
            return {"error": f"{error}" or type(error).__name__}
        return reply

    async def do_open(self, command: Reply) -> Reply:
        options = command.get("options", {})
        self.results, self.rejected, self.raises = [], [], options.get("callback_raises", False)
        settings: Reply = {name: options[name] for name in COUNTS if name in options}
        settings |= {own: options[name] / 1000 for name, own in MILLISECONDS.items() if name in options}
        tls = None
        if options.get("tls") or "ca_file" in options:
            tls = Tls(
                ca_file=options.get("ca_file"),
                cert_file=options.get("certificate_file"),
                key_file=options.get("key_file"),
                server_name=options.get("server_name"),
            )
        self.publisher = Publisher(
            command["target"],
            settings=PublisherSettings(**settings),
            tls=tls,
            token=options.get("token"),
            token_file=options.get("token_file"),
            on_results=self._on_results,
            on_rejected=self._on_rejected,
        )
        return {}

    def _on_results(self, results: Sequence[EnvelopeResult]) -> None:
        self.results += [summary(result) for result in results]
        self._raise()

    def _on_rejected(self, envelope: Envelope, _: EnvelopeResult) -> None:
        self.rejected.append(envelope.envelope_id)
        self._raise()

    def _raise(self) -> None:
        if self.raises:
            raise RuntimeError("a callback that raises")

    async def do_publish(self, command: Reply) -> Reply:
        taken = 0
        try:
            for fields in command["envelopes"]:
                await self.publisher.publish(ParseDict(fields, Envelope()))
                taken += 1
        except PublishError as error:
            return {"taken": taken, "error": str(error)}
        return {"taken": taken}

    async def do_publish_many(self, command: Reply) -> Reply:
        users = command.get("users", 1)
        padding = intercomd.attributes({f"p{place}": "x" * 250 for place in range(5)} if command.get("padded") else {})
        for number in range(command["count"]):
            envelope = Envelope(
                envelope_id=f"{command['prefix']}{number}",
                identity=intercomd.Identity(customer_id=f"user-{number % users}"),
                event_time=intercomd.timestamp(FIRST_EVENT + timedelta(seconds=number)),
                custom_event=intercomd.CustomEvent(name="counted", attributes=padding),
            )
            await self.publisher.publish(envelope)
        return {"taken": command["count"]}

    async def do_publish_and_wait(self, command: Reply) -> Reply:
        timeout_seconds = command.get("timeout_ms", 30_000) / 1000
        envelope = ParseDict(command["envelope"], Envelope())
        return {"result": summary(await self.publisher.publish_and_wait(envelope, timeout_seconds))}

    async def do_flush(self, command: Reply) -> Reply:
        timeout = command.get("timeout_ms")
        await self.publisher.flush(timeout / 1000 if timeout else None)
        return {}

    async def do_results(self, _: Reply) -> Reply:
        return {"results": self.results, "rejected": self.rejected}

    async def do_close(self, command: Reply) -> Reply:
        timeout = command.get("timeout_ms")
        left = await self.publisher.close(timeout / 1000 if timeout else None)
        reply: Reply = {"unanswered": [envelope.envelope_id for envelope in left]}
        return reply | {"error": f"{len(left)} envelopes: {self.publisher.failure}"} if left else reply

    async def do_leaks(self, _: Reply) -> Reply:
        return {"left": len(asyncio.all_tasks()) - 1}

    async def do_rate(self, command: Reply) -> Reply:
        """Publishes new events, with the client or with bare stubs in batches of 200."""
        envelopes = [
            Envelope(
                envelope_id=intercomd.new_envelope_id(),
                identity=intercomd.Identity(customer_id=f"user-{number % 1000}"),
                custom_event=intercomd.CustomEvent(name="counted", attributes=intercomd.attributes({"number": number})),
            )
            for number in range(command["count"])
        ]
        start = time.perf_counter()
        if command["case"] == "stubs":
            async with grpc.aio.insecure_channel(command["target"]) as channel:
                stub = IngestServiceStub(channel)
                for first in range(0, len(envelopes), 200):
                    await stub.Publish(PublishRequest(envelopes=envelopes[first : first + 200]))
        else:
            async with Publisher(command["target"]) as publisher:
                for envelope in envelopes:
                    await publisher.publish(envelope)
        return {"per_second": len(envelopes) / (time.perf_counter() - start)}

    async def do_build(self, _: Reply) -> Reply:
        envelope = Envelope(
            envelope_id="built",
            identity=intercomd.Identity(customer_id="42", email="ada@example.com"),
            user_attributes=intercomd.attributes(
                {
                    "text": "Zoë 🎉",
                    "empty": "",
                    "largest": 2**63 - 1,
                    "smallest": -(2**63),
                    "number": 0.5,
                    "whole number": 3.0,
                    "yes": True,
                    "no": False,
                    "moment": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
                    "list": ["a", "b"],
                    "price": intercomd.money("19.99", "USD"),
                    "page": intercomd.link("https://example.com/", "Page"),
                    "tagged": intercomd.tag(),
                }
            ),
            custom_event=intercomd.CustomEvent(name="built", attributes=intercomd.attributes({"seats": 12})),
        )
        return {"envelope": MessageToDict(envelope)}

    async def do_misuse(self, command: Reply) -> Reply:
        match command["case"]:
            case "no_envelope":
                await self.publisher.publish(None)  # type: ignore[arg-type] # the misuse
            case "invalid_text":
                await self.publisher.publish(Envelope(identity=intercomd.Identity(customer_id="\udcff")))
            case "naive_time":
                intercomd.timestamp(datetime(2026, 1, 2))  # noqa: DTZ001 - the misuse
            case "wrong_type":
                intercomd.attributes({"plan": object()})  # type: ignore[dict-item] # the misuse
            case case:
                return {"not_applicable": f"unknown case {case}"}
        return {}

    async def do_ends_by_itself(self, _: Reply) -> Reply:
        return {}

    async def do_fork(self, _: Reply) -> Reply:
        """Uses the publisher in a forked child; returns the child's error."""
        await self.publisher.publish(Envelope(identity=intercomd.Identity(customer_id="42")))
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(_open_publisher())
            except PublishError as error:
                os.write(writing, str(error).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as text:
            written = text.read().decode()  # until the child ends
        os.waitpid(child, 0)  # noqa: ASYNC222 - it has ended
        return {"error": written}


async def _open_publisher() -> None:
    Publisher("127.0.0.1:1")


def summary(result: EnvelopeResult) -> Reply:
    """Returns the comparable part of a result."""
    return {
        "id": result.envelope_id,
        "disposition": Disposition.Name(result.disposition).removeprefix("DISPOSITION_"),
        "reasons": [violation.reason for violation in result.violations],
        "adjustments": [adjustment.reason for adjustment in result.adjustments],
    }


async def main() -> None:
    """Performs the commands on the standard input until `exit` or its end."""
    logging.basicConfig(level=logging.INFO)
    driver = Driver()
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        if command["do"] == "exit":
            return
        print(json.dumps(await driver.perform(command)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
