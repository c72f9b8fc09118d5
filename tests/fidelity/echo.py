#!/usr/bin/env python3
"""Round trips of small messages through a nats-server, by an independent client: nats-py from NUNECT_PYTHONPATH.

    echo.py answer --url nats://127.0.0.1:4222
    echo.py ask    --url nats://10.77.0.2:4222 --connections 4 --messages 3000

`answer` sends each message on `echo.*` back to whoever asked, and says {"ready": true}. `ask` sends 160 bytes every
20 ms on each of its connections, whether or not answers come, and says in the end, by connection and in the order of
sending:

    {"rtt_ms": [[20.7, ..., null], ...]}

where null is an answer that had not come 30 s after the last message was sent.
"""

import argparse
import asyncio
import json
import os
import sys
import time

sys.path[:0] = [path for path in os.environ.get("NUNECT_PYTHONPATH", "").split(os.pathsep) if path]

from nats.aio.client import Client  # noqa: E402

SIZE = 160
INTERVAL_S = 0.02
DRAIN_S = 30.0
# A handshake may lose several packets in a row.
CONNECT_S = 60


async def connect(url):
    client = Client()
    await client.connect(url, allow_reconnect=False, connect_timeout=CONNECT_S)
    return client


async def answer(options):
    client = await connect(options.url)

    async def back(message):
        await client.publish(message.reply, message.data)

    await client.subscribe("echo.*", cb=back)
    await client.flush()
    print(json.dumps({"ready": True}), flush=True)
    await asyncio.Event().wait()


class Asker:
    """One connection: what it sent when, and what came back when."""

    def __init__(self, number, messages):
        self.number = number
        self.sent = []
        self.rtt_ms = [None] * messages
        self.open = messages

    async def connect(self, url):
        self.client = await connect(url)
        self.inbox = self.client.new_inbox()

        async def take(message):
            now = time.monotonic_ns()
            index = int(message.data[:12])
            assert self.rtt_ms[index] is None, f"message {index} came twice"
            self.rtt_ms[index] = round((now - self.sent[index]) / 1e6, 4)
            self.open -= 1

        await self.client.subscribe(self.inbox, cb=take)
        await self.client.flush(timeout=CONNECT_S)

    async def send(self, start):
        subject = f"echo.{self.number}"
        for index in range(len(self.rtt_ms)):
            due = start + index * INTERVAL_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.sent.append(time.monotonic_ns())
            await self.client.publish(subject, f"{index:012}".encode().ljust(SIZE, b"."), reply=self.inbox)


async def ask(options):
    askers = [Asker(number, options.messages) for number in range(options.connections)]
    await asyncio.gather(*(asker.connect(options.url) for asker in askers))
    start = time.monotonic() + 0.1
    # Evenly between each other, so that they do not wait for each other.
    step = INTERVAL_S / options.connections
    await asyncio.gather(*(asker.send(start + asker.number * step) for asker in askers))
    deadline = time.monotonic() + DRAIN_S
    while any(asker.open for asker in askers) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    print(json.dumps({"rtt_ms": [asker.rtt_ms for asker in askers]}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["answer", "ask"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--messages", type=int, default=500, help="on each connection (default 500)")
    options = parser.parse_args()
    asyncio.run(answer(options) if options.mode == "answer" else ask(options))


if __name__ == "__main__":
    main()
