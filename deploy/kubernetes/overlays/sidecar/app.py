"""Publishes an event each minute, until it is told to stop: what remains to be sent is sent then."""

import asyncio
import os
import signal

from intercomd import CustomEvent, Envelope, Identity, Publisher

EVERY_SECONDS = 60.0


async def main() -> None:
    """Publish until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    identity = Identity(customer_id=os.environ["CUSTOMER_ID"])
    async with Publisher(os.environ.get("INTERCOMD_TARGET", "127.0.0.1:50051")) as publisher:
        while not stopping.is_set():
            await publisher.publish(Envelope(identity=identity, custom_event=CustomEvent(name="still-here")))
            try:
                await asyncio.wait_for(stopping.wait(), EVERY_SECONDS)
            except TimeoutError:
                continue


if __name__ == "__main__":
    asyncio.run(main())
