#!/usr/bin/env python3
"""Publishes three envelopes and prints the result of each.

python publish.py [TARGET]         TARGET: where intercomd listens, 127.0.0.1:50051 by default
"""

import asyncio
import sys
from datetime import UTC, datetime

from intercomd import (
    CustomEvent,
    Disposition,
    Envelope,
    Identity,
    Publisher,
    attributes,
    link,
    money,
    timestamp,
)

ENVELOPES = [
    # User attributes.
    Envelope(
        identity=Identity(customer_id="42", email="ada@example.com"),
        user_attributes=attributes({"name": "Ada Lovelace", "plan": "pro", "seats": 12}),
    ),
    # An event with attributes.
    Envelope(
        identity=Identity(customer_id="42"),
        event_time=timestamp(datetime.now(UTC)),
        custom_event=CustomEvent(
            name="invoice-paid",
            attributes=attributes(
                {"amount": money("19.99", "USD"), "invoice": link("https://example.com/invoices/7", "No. 7")}
            ),
        ),
    ),
    # Rejected, with the reason IDENTITY_REQUIRED.
    Envelope(custom_event=CustomEvent(name="signed-up")),
]


async def main(target: str) -> None:
    """Publishes, waits for the results, and prints them."""
    async with Publisher(target) as publisher:
        results = await asyncio.gather(*(publisher.publish_and_wait(envelope) for envelope in ENVELOPES))
    for result in results:
        reasons = ", ".join(violation.reason for violation in result.violations)
        print(result.envelope_id, Disposition.Name(result.disposition), reasons)  # noqa: T201 - an example


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2] or ["127.0.0.1:50051"]))
