#!/usr/bin/env python3
"""Sends numbered messages through a nats-server, and hears those of another: nats-py from NUNECT_PYTHONPATH.

    flow.py --url nats://127.0.0.1:4222 --sends flow.a --hears flow.b --interval-ms 10

Says {"ready": true} once it hears. A line on its standard input starts the sending, 160 bytes every interval, another one
ends it, and a third one ends the hearing, whereupon it says

    {"sent": [t, ...], "heard": [[subject, n, t], ...]}

by the monotonic clock in nanoseconds, where n is the message's number among those sent, or null for a message of
somebody else. Without --sends it only hears.
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


async def run(options):
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    client = Client()
    await client.connect(options.url, allow_reconnect=False)
    sent, heard = [], []

    async def take(message):
        number = int(message.data[:12]) if len(message.data) == SIZE else None
        heard.append([message.subject, number, time.monotonic_ns()])

    await client.subscribe(options.hears, cb=take)
    await client.flush()
    print(json.dumps({"ready": True}), flush=True)

    async def send():
        interval = options.interval_ms / 1e3
        start = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, start + len(sent) * interval - time.monotonic()))
            sent.append(time.monotonic_ns())
            await client.publish(options.sends, f"{len(sent) - 1:012}".encode().ljust(SIZE, b"."))

    await lines.readline()
    sending = asyncio.create_task(send()) if options.sends else None
    await lines.readline()
    if sending:
        sending.cancel()
    await lines.readline()
    print(json.dumps({"sent": sent, "heard": heard}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--sends", help="the subject of what it sends")
    parser.add_argument("--hears", required=True, help="the subject of what it hears")
    parser.add_argument("--interval-ms", type=float, default=10.0)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
