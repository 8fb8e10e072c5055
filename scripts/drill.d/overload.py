#!/usr/bin/env python3
"""Offers five times what a server takes, and looks what comes of it.

Starts `tidegate sim`, whose models have a known number of slots, and `tidegate serve` before it, on free
ports of the loopback. Calls come at a fixed rate whatever comes back (open loop). For each way of holding
them back (a fixed limit, a line of those who wait, a learned limit) it measures one call at a time, then
what comes of as many as the server takes, then of five times that:

- goodput is at least 80 % of the peak;
- 99 of 100 answers come within twice the time they take without load; within two and a half times where
  the limit is learned, which leaves the server a short line of its own;
- all others are refused with 503 and `retry-after`: at once, or, where they waited, when their wait is over;
- where the limit is known the server itself never refuses a call: never more were upstream than it takes;
- in the line a tenant that asks for less than its share gets it, whatever another one asks for;
- in the end nobody waits, and no place is taken.

Prints a line for each expectation, and a NOTE how long gateway and client were ready to run and did not get
a processor: on a machine with other work the times say more about that than about the gateway. A NOTE excuses
nothing. Exit code 0 when all hold, 1 when not, 2 when it could not run.
"""

import argparse
import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FIRST_MS = 200
WAIT_MS = 120
# What a refusal may take, and what a busy machine adds to a wait that has ended.
REFUSED_MS = 50
CONNECTIONS_MAX = 2000
ANSWER_SECONDS_MAX = 20.0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], epilog="Example: scripts/drill.d/overload.py --quick")
    parser.add_argument("--binary", default=None, metavar="FILE", help="target/release/tidegate")
    parser.add_argument("--quick", action="store_true", help="10 slots and 4 seconds each, not 24 and 15")
    parser.add_argument("--slots", type=int, default=None, metavar="N", help="calls the server works on at once (24)")
    parser.add_argument("--seconds", type=float, default=None, metavar="S", help="of each measurement (15)")
    parser.add_argument("--keep", action="store_true", help="leave logs and configuration behind")
    args = parser.parse_args()
    args.slots = args.slots or (10 if args.quick else 24)
    args.seconds = args.seconds or (4.0 if args.quick else 15.0)
    args.binary = Path(args.binary or os.environ.get("TIDEGATE_BIN") or ROOT / "target/release/tidegate")
    return args


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()


def metric(port, name):
    lines = [line for line in get(port, "/metrics").splitlines() if line.startswith(name)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def until(what, is_so, seconds=20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if is_so():
                return True
        except OSError:
            pass
        time.sleep(0.05)
    print(f"overload: {what} did not happen in {seconds} s", file=sys.stderr)
    return False


# === What is measured ===


class Client:
    """Sends calls over kept connections, as many as are needed."""

    def __init__(self, port):
        self.port = port
        self.idle = []
        self.open = 0

    async def call(self, model, key, headers=""):
        """Status, seconds to the end, reason, whether it says when to come back, and when it ended."""
        body = json.dumps({"model": model, "stream": True, "max_tokens": 4, "messages": [{"role": "user", "content": "hello"}]})
        head = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n{headers}"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n")
        if self.idle:
            reader, writer = self.idle.pop()
        else:
            if self.open >= CONNECTIONS_MAX:
                return 0, 0.0, "client", False, time.monotonic()
            self.open += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        begun = time.monotonic()
        try:
            writer.write(head.encode() + body.encode())
            answer = await asyncio.wait_for(self.answer(reader), ANSWER_SECONDS_MAX)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ValueError) as error:
            self.open -= 1
            writer.close()
            return 0, time.monotonic() - begun, type(error).__name__, False, time.monotonic()
        self.idle.append((reader, writer))
        status, reason, comes_back = answer
        ended = time.monotonic()
        return status, ended - begun, reason, comes_back, ended

    @staticmethod
    async def answer(reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        lines = head.split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        status = int(lines[0].split(" ")[1])
        if "content-length" in fields:
            await reader.readexactly(int(fields["content-length"]))
        else:
            while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                await reader.readexactly(size + 2)
            await reader.readuntil(b"\r\n")
        return status, fields.get("x-tidegate-reason", ""), "retry-after" in fields

    def close(self):
        for _, writer in self.idle:
            writer.close()


async def offer(client, model, key, rate, seconds, headers=""):
    """Calls at `rate` for so many seconds, whatever comes back; all their answers, and when it began."""
    calls, begun = [], time.monotonic()
    for number in range(int(rate * seconds)):
        late = begun + number / rate - time.monotonic()
        if late > 0:
            await asyncio.sleep(late)
        calls.append(asyncio.ensure_future(client.call(model, key, headers)))
    return await asyncio.gather(*calls), begun


def kept_waiting(pid):
    """Seconds that the threads of a process were ready to run and had no processor (schedstat)."""
    waited = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            waited += int(task.read_text().split()[1])
        except OSError:
            pass
    return waited / 1e9


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


class Report:
    def __init__(self):
        self.has_failed = False

    def expect(self, name, is_so, expected, saw):
        self.has_failed |= not is_so
        print(f"{'PASS' if is_so else 'FAIL'} {name}: expected {expected}, saw {saw}", flush=True)


# === The servers ===


class Servers:
    def __init__(self, args, folder):
        self.folder = folder
        self.port, self.admin, self.sim_port = free_port(), free_port(), free_port()
        self.processes = [self.start(args.binary, "sim", "sim", "--listen", f"127.0.0.1:{self.sim_port}")]
        if not until("a simulator", lambda: get(self.sim_port, "/sim/stats")):
            raise SystemExit(2)
        slots = args.slots
        exact = {"slots": slots, "delay_first_ms": FIRST_MS, "tokens": 4}
        # Nobody tells the gateway what this one takes: it has a line of its own, and then refuses.
        unknown = {**exact, "line": slots, "over": 503}
        self.put("/sim/scenario", {"seed": 7, "models": {"fixed": exact, "line": exact, "shared": exact, "learned": unknown}})
        config = folder / "tidegate.toml"
        config.write_text(f"""
[server]
listen = ["127.0.0.1:{self.port}"]
[server.limits]
connections_per_address_max = 10000
[server.upgrade]
socket = "{folder}/run/upgrade.sock"
[admin]
listen = "127.0.0.1:{self.admin}"
[counting]
warm = []
[log]
access = "{folder}/access.log"
level = "warn"
[providers.a]
kind = "openai-compatible"
base_url = "http://127.0.0.1:{self.sim_port}/v1"
cooldown = {{ base = "50ms", max = "200ms" }}
[models.fixed]
targets = [{{ provider = "a" }}]
concurrency = {{ max = {slots} }}
[models.line]
targets = [{{ provider = "a" }}]
concurrency = {{ max = {slots} }}
queue = {{ max = {2 * slots}, wait_max = "{WAIT_MS}ms" }}
[models.shared]
targets = [{{ provider = "a" }}]
concurrency = {{ max = {slots} }}
queue = {{ max = {2 * slots}, wait_max = "2s" }}
[models.learned]
targets = [{{ provider = "a" }}]
concurrency = {{ max = {20 * slots}, adaptive = true, min = 4 }}
failover = {{ attempts = 1 }}
""" + "".join(f'[keys.{name}]\nsecret_sha256 = "{hashlib.sha256(name.encode()).hexdigest()}"\n' for name in ("one", "two")))
        self.processes.append(self.start(args.binary, "serve", "serve", "--config", config))
        if not until("a gateway", lambda: get(self.admin, "/readyz").startswith("ok")):
            print((folder / "serve.err").read_text(), file=sys.stderr)
            raise SystemExit(2)

    def start(self, binary, name, *words):
        return subprocess.Popen([binary, *words], stdout=subprocess.DEVNULL, stderr=open(self.folder / f"{name}.err", "w"))

    def put(self, path, value):
        request = urllib.request.Request(f"http://127.0.0.1:{self.sim_port}{path}", json.dumps(value).encode(), method="PUT")
        urllib.request.urlopen(request, timeout=5).read()

    def upstream(self):
        return json.loads(get(self.sim_port, "/sim/stats"))

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()


def ends(answers):
    good = [seconds for status, seconds, *_ in answers if status == 200]
    refused = [(seconds, reason, back) for status, seconds, reason, back, _ in answers if status in (429, 503)]
    return good, refused, len(answers) - len(good) - len(refused)


def throughput(answers, begun):
    """Good answers a second, up to the last of them."""
    ended = [ended for status, *_, ended in answers if status == 200]
    return len(ended) / (max(ended) - begun) if ended else 0.0


async def measure(args, servers, client, report, model):
    """One way of holding calls back, from one at a time to five times too many."""
    capacity = args.slots * 1000 / FIRST_MS
    alone = [(await client.call(model, "one"))[1] for _ in range(12)]
    usual = percentile(alone[2:], 0.99)
    if model == "learned":
        # It begins low, and has to find out.
        await offer(client, model, "one", capacity * 1.2, args.seconds)
    # What the server can do, even where the line to it was never full.
    peak = max(capacity, throughput(*await offer(client, model, "one", capacity, args.seconds)))
    before = servers.upstream()["refused"]
    pids = {"gateway": servers.processes[-1].pid, "client": os.getpid()}
    waited_before = {name: kept_waiting(pid) for name, pid in pids.items()}
    answers, begun = await offer(client, model, "one", 5 * capacity, args.seconds)
    starved = {name: kept_waiting(pid) - waited_before[name] for name, pid in pids.items()}
    told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in starved.items())
    print(f"NOTE {model}: waited for a processor in {args.seconds:.0f} s: {told}", flush=True)
    good, refused, odd = ends(answers)
    upstream_refused = servers.upstream()["refused"] - before
    goodput = throughput(answers, begun)
    report.expect(f"{model}: goodput", goodput >= 0.8 * peak, f"at least 80 % of {peak:.0f}/s", f"{goodput:.0f}/s of {5 * capacity:.0f}/s")
    slowest = percentile(good, 0.99)
    allowed = 2 * usual if model != "learned" else 2.5 * usual
    report.expect(f"{model}: p99 of answers", slowest <= allowed, f"at most {allowed * 1000:.0f} ms", f"{slowest * 1000:.0f} ms, {usual * 1000:.0f} ms without load")
    waited = [seconds for seconds, reason, _ in refused if reason == "queue_timeout"]
    at_once = [seconds for seconds, reason, _ in refused if reason != "queue_timeout"]
    late = percentile(at_once, 0.99)
    report.expect(f"{model}: refusals at once", late * 1000 <= REFUSED_MS, f"p99 at most {REFUSED_MS} ms", f"{late * 1000:.1f} ms, {len(at_once)} of them")
    if model == "line":
        longest = percentile(waited, 0.99)
        report.expect(f"{model}: waits in vain", longest * 1000 <= WAIT_MS + REFUSED_MS, f"p99 at most {WAIT_MS + REFUSED_MS} ms", f"{longest * 1000:.0f} ms, {len(waited)} of them")
    silent = sum(1 for _, _, back in refused if not back)
    report.expect(f"{model}: every refusal says when to come back", silent == 0 and odd == 0, "all of them, and no other failures", f"{silent} without, {odd} other")
    if model == "learned":
        share = upstream_refused / len(answers)
        report.expect(f"{model}: the server itself refuses few", share <= 0.05, "at most 5 %", f"{share * 100:.1f} %")
    else:
        report.expect(f"{model}: never more upstream than it takes", upstream_refused == 0, "0 refused by the server", upstream_refused)


async def shares(args, client, report):
    """One tenant asks for far too much, the other for less than half of what there is."""
    capacity = args.slots * 1000 / FIRST_MS
    burst = offer(client, "shared", "one", 4.5 * capacity, args.seconds)
    modest = offer(client, "shared", "two", 0.4 * capacity, args.seconds)
    _, (answers, _) = await asyncio.gather(burst, modest)
    share = len(ends(answers)[0]) / len(answers)
    report.expect("shared: who asks for less than its share gets it", share >= 0.95, "at least 95 % served", f"{share * 100:.1f} %")


async def drill(args, servers, report):
    client = Client(servers.port)
    for model in ("fixed", "line", "learned"):
        await measure(args, servers, client, report, model)
    await shares(args, client, report)
    client.close()


def main():
    args = arguments()
    if not args.binary.exists():
        print(f"overload: no binary at {args.binary}", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="tidegate-overload-"))
    servers, report = None, Report()
    try:
        servers = Servers(args, folder)
        asyncio.run(drill(args, servers, report))
        calm = until("an end of all calls", lambda: metric(servers.admin, "tidegate_requests_in_flight") == 0)
        left = {name: metric(servers.admin, name) for name in ("tidegate_queued", 'tidegate_targets{state="full"}')}
        upstream = servers.upstream()["in_flight"]
        report.expect("nobody waits and no place is taken", calm and not any(left.values()) and upstream == 0, "0 everywhere", f"{left}, {upstream} upstream")
    finally:
        if servers:
            servers.stop()
        if args.keep:
            print(f"overload: left in {folder}")
        else:
            subprocess.run(["rm", "-rf", folder], check=False)
    return 1 if report.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
