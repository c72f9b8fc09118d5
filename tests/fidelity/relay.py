#!/usr/bin/env python3
"""A mesh of point-to-point links between network namespaces, each packet delayed or lost by this one process.

    relay.py --nodes 3 --delay-ms 10 --loss 0.05 --seed 7

Makes a namespace a node, each with a loopback and a TUN device (`tun0`, 10.77.0.1/24, 10.77.0.2/24, ...) whose other
end is this process. The namespaces have no name: they last as long as this process or one that runs inside, so that
nothing is left behind. A packet is drawn for loss when it enters a link, and waits there for the link's delay; what
is under way when a link is cut still arrives.

Says one JSON object on its standard output once the mesh stands, then one for each line on its standard input:

    {"namespaces": ["/proc/71/fd/5", ...], "users": "/proc/71/ns/user", "kernel": {"tcp_sack": "1", ...}, "now": <monotonic ns>}

    now                         {"now": <monotonic ns>}
    cut 0 1                     both directions; {"now": ...}
    heal 0 1                    {"now": ...}
    loss 0.1                    on all links, from now on; {"now": ...}
    stats                       {"now": ..., "carried": n, "dropped": n, "late_us": {"p50": .., "p99": .., "max": ..}}

`late_us` is by how much packets were passed on after they were due, since the last `stats`: what this process waited
for a processor. A measurement during which it is large says more about the machine than about the link. Ends with its
standard input.
"""

import argparse
import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
PR_SET_TIMERSLACK = 29
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFMTU, SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8916, 0x891C, 0x8922, 0x8913, 0x8914
IFF_UP = 0x1
MTU = 1500
# A link holds a few packets a millisecond; more than this is a mistake of whoever sends.
UNDER_WAY_MAX = 100_000

# What decides how TCP behaves on a lossy link. All are the kernel's defaults but the congestion control: machines have
# different ones, and `reno` is the only one that every kernel lets a namespace choose. At windows of a few segments
# `cubic` behaves alike; with `bbr`, whose window does not bind, half of the messages are faster at 10 % loss.
CONGESTION_CONTROL = "reno"
KERNEL = (
    "tcp_congestion_control",
    "tcp_sack",
    "tcp_dsack",
    "tcp_recovery",
    "tcp_early_retrans",
    "tcp_frto",
    "tcp_rto_min_us",
    "tcp_rto_max_ms",
    "tcp_thin_linear_timeouts",
    "tcp_slow_start_after_idle",
    "tcp_timestamps",
    "tcp_reordering",
    "tcp_pingpong_thresh",
    "tcp_syn_linear_timeouts",
    "tcp_retries2",
)

libc = ctypes.CDLL(None, use_errno=True)


def sysctl(name, value=None):
    path = f"/proc/sys/net/ipv4/{name}"
    if value is not None:
        with open(path, "w", encoding="ascii") as file:
            file.write(value)
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def configure(name, address=None):
    """Brings an interface of the current namespace up, with an address in a /24."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        label = name.encode()

        def set_address(request, text):
            sockaddr = struct.pack("<H2x4s8x", socket.AF_INET, socket.inet_aton(text))
            fcntl.ioctl(control, request, struct.pack("16s16s", label, sockaddr))

        if address:
            set_address(SIOCSIFADDR, address)
            set_address(SIOCSIFNETMASK, "255.255.255.0")
            fcntl.ioctl(control, SIOCSIFMTU, struct.pack("16si", label, MTU))
        flags = struct.unpack("16sh", fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sh", label, 0))[:18])[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh", label, flags | IFF_UP))


def make_node(index):
    """A new namespace with its two interfaces: the file that keeps it, and the relay's end of its TUN device."""
    if libc.unshare(CLONE_NEWNET) != 0:
        error = os.strerror(ctypes.get_errno())
        sys.exit(f"relay.py: cannot make a network namespace: {error}; be root, or allow user namespaces")
    sysctl("tcp_congestion_control", CONGESTION_CONTROL)
    namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        sys.exit(f"relay.py: {error}; TUN devices are needed")
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
    configure("lo")
    configure("tun0", f"10.77.0.{index + 1}")
    return namespace, tun


class Mesh:
    """All links, and what is under way on them."""

    def __init__(self, tuns, delay_ns, loss, seed):
        self.tuns = tuns
        self.delay_ns = delay_ns
        self.loss = loss
        self.cut = set()
        nodes = range(len(tuns))
        # A stream a link: what one carries moves no draw of another.
        self.draws = {(a, b): random.Random(f"{seed} {a} {b}").random for a in nodes for b in nodes}
        self.under_way = []
        self.number = 0
        self.carried = self.dropped = 0
        self.late_us = []

    def take(self, node):
        """Everything that a node has sent."""
        while True:
            try:
                packet = os.read(self.tuns[node], MTU + 64)
            except BlockingIOError:
                return
            # IPv4 to somebody of 10.77.0.0/24; the kernel's own IPv6 greetings are nobody's.
            if len(packet) < 20 or packet[0] >> 4 != 4:
                continue
            link = (node, packet[19] - 1)
            if packet[16:19] != b"\x0a\x4d\x00" or link not in self.draws:
                continue
            lost = self.draws[link]() < self.loss
            if lost or link in self.cut or len(self.under_way) >= UNDER_WAY_MAX:
                self.dropped += 1
                continue
            self.number += 1
            heapq.heappush(self.under_way, (time.monotonic_ns() + self.delay_ns, self.number, link[1], packet))

    def deliver(self):
        """Everything that is due; how many seconds until something is, if anything is."""
        while self.under_way:
            wait = self.under_way[0][0] - time.monotonic_ns()
            if wait > 0:
                return wait / 1e9
            _, _, node, packet = heapq.heappop(self.under_way)
            try:
                os.write(self.tuns[node], packet)
            except BlockingIOError:
                self.dropped += 1
                continue
            self.carried += 1
            self.late_us.append(-wait // 1000)
        return None

    def stats(self):
        late, self.late_us = sorted(self.late_us) or [0], []
        quantiles = {"p50": late[len(late) // 2], "p99": late[len(late) * 99 // 100], "max": late[-1]}
        return {"carried": self.carried, "dropped": self.dropped, "late_us": quantiles}

    def obey(self, line):
        command, *words = line.split()
        answer = {}
        if command in ("cut", "heal"):
            a, b = (int(word) for word in words)
            change = self.cut.update if command == "cut" else self.cut.difference_update
            change({(a, b), (b, a)})
        elif command == "loss":
            self.loss = float(words[0])
        elif command == "stats":
            answer = self.stats()
        elif command != "now":
            sys.exit(f"relay.py: `{line}` is no command")
        say({"now": time.monotonic_ns(), **answer})

    def run(self):
        commands = sys.stdin.fileno()
        os.set_blocking(commands, False)
        nodes = {tun: node for node, tun in enumerate(self.tuns)}
        files = [commands, *self.tuns]
        text = b""
        while True:
            ready, _, _ = select.select(files, [], [], self.deliver())
            for file in ready:
                if file != commands:
                    self.take(nodes[file])
                    continue
                read = os.read(commands, 4096)
                if not read:
                    return
                *lines, text = (text + read).split(b"\n")
                for line in lines:
                    self.obey(line.decode())


def say(what):
    print(json.dumps(what), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--delay-ms", type=float, default=10.0, help="one way, on each link (default 10)")
    parser.add_argument("--loss", type=float, default=0.0, help="share of packets lost on each link (default 0)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    made = [make_node(index) for index in range(options.nodes)]
    # Timers to the microsecond, and no waiting behind those who only compute.
    libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pass
    kernel = {name: sysctl(name) for name in KERNEL}
    kernel["release"] = os.uname().release
    pid = os.getpid()
    namespaces = [f"/proc/{pid}/fd/{namespace}" for namespace, _ in made]
    users = f"/proc/{pid}/ns/user"
    say({"namespaces": namespaces, "users": users, "kernel": kernel, "now": time.monotonic_ns()})
    Mesh([tun for _, tun in made], int(options.delay_ms * 1e6), options.loss, options.seed).run()


if __name__ == "__main__":
    main()
