#!/usr/bin/env python3
"""An independent NATS client, to see on the wire what nunect writes.

It shares no code with nunect: nats-py, from the folder that tools/test puts in NUNECT_PYTHONPATH.

    nats_client.py subscribe --url nats://127.0.0.1:4222 --subject 'ops.heartbeat.*' --count 3 --timeout 10
    nats_client.py request   --url nats://127.0.0.1:4222 --subject ops.echo.unit-1 --header 'X-Unit-ID: me' --payload hi

Prints one JSON object a line for each message received, in order:

    {"subject": "...", "reply": "...", "headers": {"Name": ["value", ...]}, "encoding": "utf-8", "payload": "..."}

`reply` is null when the message has none; a payload that is not UTF-8 has the encoding `base64`. Header names
keep their case, and a name that stands twice has two values. `subscribe` writes "subscribed" to standard error
once the server has taken the subscription. Exit status: 0 when all messages came, 1 with a message when they did not.
"""

import argparse
import asyncio
import base64
import json
import os
import sys

sys.path[:0] = [path for path in os.environ.get("NUNECT_PYTHONPATH", "").split(os.pathsep) if path]

try:
    from nats.aio.client import Client as NatsClient
    from nats.errors import NoRespondersError
except ImportError as error:
    sys.exit(f"nats_client.py: {error}: run it through tools/test, which installs nats-py and sets NUNECT_PYTHONPATH")


class Headers(dict):
    """What nats-py read, and beside it every line, as nats-py keeps one value a name."""

    lines: "list[tuple[str, str]]" = []


class Client(NatsClient):
    @staticmethod
    def _parse_header_lines(raw):
        headers = Headers(NatsClient._parse_header_lines(raw))
        parts = (line.partition(b":") for line in raw.split(b"\r\n") if b":" in line)
        headers.lines = [(name.decode(), value.strip().decode()) for name, _, value in parts]
        return headers


def record(message):
    """The message as one JSON line."""
    read = message.headers or {}
    headers = {}
    for name, value in getattr(read, "lines", None) or [(str(name), value) for name, value in read.items()]:
        headers.setdefault(name, []).append(value)
    try:
        encoding, payload = "utf-8", message.data.decode()
    except UnicodeDecodeError:
        encoding, payload = "base64", base64.b64encode(message.data).decode()
    return json.dumps(
        {
            "subject": message.subject,
            "reply": message.reply or None,
            "headers": headers,
            "encoding": encoding,
            "payload": payload,
        }
    )


class Failure(Exception):
    """What is said on standard error before exit status 1."""


async def subscribe(client, options):
    subscription = await client.subscribe(options.subject)
    await client.flush(timeout=options.timeout)
    print("subscribed", file=sys.stderr, flush=True)
    for _ in range(options.count):
        print(record(await subscription.next_msg(timeout=None)), flush=True)


async def request(client, options):
    try:
        answer = await client.request(
            options.subject, options.payload.encode(), timeout=options.timeout, headers=dict(options.header) or None
        )
    except NoRespondersError:
        raise Failure(f"nobody listens on `{options.subject}`") from None
    print(record(answer), flush=True)


async def run(options):
    client = Client()
    refusals = []

    async def note(error):
        refusals.append(str(error) or type(error).__name__)

    async def work():
        await client.connect(
            options.url,
            allow_reconnect=options.reconnect,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.02,
            error_cb=note,
            connect_timeout=options.timeout,
        )
        await options.mode(client, options)

    try:
        await asyncio.wait_for(work(), options.timeout)
    except (asyncio.TimeoutError, TimeoutError):
        missing = "no answer" if options.mode is request else f"fewer than {options.count} messages"
        said = f"; nats-py says: {'; '.join(refusals)}" if refusals else ""
        raise Failure(f"{missing} on `{options.subject}` within {options.timeout} s{said}") from None
    except OSError as error:
        raise Failure(f"cannot connect to {options.url}: {error}") from None
    finally:
        if client.is_connected:
            await asyncio.wait_for(client.close(), 1)


def header(text):
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"`{text}` is not of the form `Name: value`")
    return name.strip(), value.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(required=True, metavar="subscribe|request")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--url", required=True)
    common.add_argument("--subject", required=True)
    common.add_argument("--timeout", type=float, default=10.0, help="seconds for all of it (default 10)")

    mode = modes.add_parser("subscribe", parents=[common], help="print the next messages on a subject")
    mode.add_argument("--count", type=int, default=1, help="how many messages to wait for (default 1)")
    mode.add_argument("--reconnect", action="store_true", help="subscribe again when the server was away")
    mode.set_defaults(mode=subscribe)

    mode = modes.add_parser("request", parents=[common], help="print the answer to a request")
    mode.add_argument("--payload", default="")
    mode.set_defaults(reconnect=False)
    mode.add_argument("--header", type=header, action="append", default=[], metavar="'Name: value'")
    mode.set_defaults(mode=request)

    options = parser.parse_args()
    try:
        asyncio.run(run(options))
    except Failure as failure:
        sys.exit(f"nats_client.py: {failure}")


if __name__ == "__main__":
    main()
