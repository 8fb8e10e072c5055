#!/usr/bin/env python3
"""Breaks every stream of an upstream at a random token, and reads what the clients got of it.

Starts two simulators and a gateway. The first simulator breaks each of its streams after one to forty of
its words: by a reset, a close, a proper end without the last event, or an error event. The second one does
so with one stream in twenty. With recovery on, streams that broke once must be whole, word for word; all
others must end with the one error event of their dialect, and hold the beginning of the right words and
nothing else. The simulators know the words; their own counts must agree with the gateway's.

Exit code 0 when all of it holds, 1 when not, 2 when the drill could not run.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "drill-key"
WORDS, BREAK_WITHIN, SHARE = 48, 40, 0.05
AT_ONCE = 200
# The path of each model; the last one is not gone on with.
MODELS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "mixed": "/v1/messages", "plain": "/v1/chat/completions"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], epilog="Example: scripts/drill.d/streams.py --quick --seed 7")
    parser.add_argument("--binary", default=None, metavar="PATH", help="target/release/tidegate")
    parser.add_argument("--quick", action="store_true", help="100 streams instead of 1,000")
    parser.add_argument("--seed", type=int, default=None, metavar="N", help="of the breaks and the words (random)")
    parser.add_argument("--keep", action="store_true", help="leave logs and configuration behind")
    args = parser.parse_args()
    args.seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 31)
    args.streams = 100 if args.quick else 1000
    args.binary = Path(args.binary or os.environ.get("TIDEGATE_BIN") or ROOT / "target/release/tidegate")
    return args


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def until(what, is_so, seconds=20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if is_so():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"streams: {what} did not happen in {seconds} s")


class Sim:
    def __init__(self, name, args, folder, scenario):
        self.port = free_port()
        file = folder / f"{name}.toml"
        file.write_text(f"seed = {args.seed}\n[models.\"*\"]\ntokens = {WORDS}\ndelay_token_ms = 2\n{scenario}\n")
        self.process = subprocess.Popen([args.binary, "sim", "--listen", f"127.0.0.1:{self.port}", "--scenario", file],
                                        stdout=subprocess.DEVNULL, stderr=open(folder / f"{name}.err", "w"))
        until("a simulator", lambda: get(self.port, "/sim/stats"))

    def stats(self):
        return json.loads(get(self.port, "/sim/stats"))

    def words(self, seed):
        """The whole text that a chat with this seed is answered with."""
        body = json.dumps({"model": "m", "seed": seed, "messages": [{"role": "user", "content": "Go on."}]}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/chat/completions", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())["choices"][0]["message"]["content"]


class Gateway:
    def __init__(self, args, folder, first, second):
        self.port, self.admin, self.folder = free_port(), free_port(), folder
        target = lambda name, number, more="": f'{{ provider = "{name}", model = "words", priority = {number}{more} }}'
        both = lambda one, two, more: f"targets = [{target(one, 1, more)}, {target(two, 2, more)}]"
        # Every stream breaks: more than a fifth of the calls are tried again.
        failover = "failover = { attempts = 3, retry_percent = 100, retry_min = 1000 }"
        prefix, plain = ', prefill = "prefix"', ", prefill = true"
        providers = "".join(f"""
[providers.{name}-chat]
kind = "openai-compatible"
base_url = "http://127.0.0.1:{sim.port}/v1"
[providers.{name}-messages]
kind = "anthropic-compatible"
base_url = "http://127.0.0.1:{sim.port}"
""" for name, sim in (("first", first), ("second", second)))
        config = folder / "tidegate.toml"
        config.write_text(f"""
[server]
listen = ["127.0.0.1:{self.port}"]
workers = 1
[server.upgrade]
socket = "{folder}/run/upgrade.sock"
[admin]
listen = "127.0.0.1:{self.admin}"
[counting]
warm = []
[log]
access = "{folder}/access.log"
level = "warn"
{providers}
[models.chat]
{both("first-chat", "second-chat", prefix)}
recovery = "continue"
{failover}
[models.messages]
{both("first-messages", "second-messages", plain)}
recovery = "continue"
{failover}
[models.mixed]
targets = [{target("first-chat", 1, prefix)}, {target("second-messages", 2, plain)}]
recovery = "continue"
{failover}
[models.plain]
{both("first-chat", "second-chat", prefix)}
{failover}
[keys.drill]
secret_sha256 = "{hashlib.sha256(KEY.encode()).hexdigest()}"
""")
        self.process = subprocess.Popen([args.binary, "serve", "--config", config],
                                        stdout=subprocess.DEVNULL, stderr=open(folder / "serve.err", "w"))
        until("the gateway", lambda: get(self.admin, "/readyz").startswith("ok"))

    def metric(self, name, label=""):
        lines = [line for line in get(self.admin, "/metrics").splitlines() if line.startswith(name) and label in line]
        return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines))

    def log_lines(self):
        return [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines() if line.endswith("}")]


class Stream:
    """One stream as its client read it."""

    def __init__(self, model, seed):
        self.model, self.seed, self.text, self.errors, self.ends, self.ids = model, seed, "", 0, 0, set()

    def body(self):
        body = {"model": self.model, "stream": True, "messages": [{"role": "user", "content": "Go on."}]}
        # Anthropic has no seed: there the scenario's words are everybody's.
        return body | ({"max_tokens": 4 * WORDS} if MODELS[self.model] == "/v1/messages" else {"seed": self.seed})

    async def read(self, port):
        text = json.dumps(self.body())
        head = (f"POST {MODELS[self.model]} HTTP/1.1\r\nhost: drill\r\nauthorization: Bearer {KEY}\r\nanthropic-version: 2023-06-01\r\n"
                f"content-type: application/json\r\nconnection: close\r\ncontent-length: {len(text)}\r\n\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write((head + text).encode())
            first = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in first.split(b"\r\n")[0]:
                raise ValueError(first.split(b"\r\n")[0].decode())
            raw = bytearray()
            while True:
                size = int((await reader.readline()) or b"0", 16)
                piece = await reader.readexactly(size + 2)
                if size == 0:
                    break
                raw += piece[:-2]
        finally:
            writer.close()
        for event in raw.decode().split("\n\n"):
            data = "".join(line[6:] for line in event.splitlines() if line.startswith("data: "))
            if data == "[DONE]":
                self.ends += 1
            elif data:
                self.take(json.loads(data))

    def take(self, data):
        if "error" in data:
            self.errors += 1
        elif "choices" in data:
            self.ids.add(data["id"])
            for choice in data["choices"]:
                self.text += choice["delta"].get("content") or ""
        elif data["type"] == "message_start":
            self.ids.add(data["message"]["id"])
        elif data["type"] == "content_block_delta":
            self.text += data["delta"]["text"]
        elif data["type"] == "message_stop":
            self.ends += 1

    def verdict(self, words):
        if not words.startswith(self.text):
            return "wrong"
        if self.text == words and (self.ends, self.errors) == (1, 0) and len(self.ids) == 1:
            return "exact"
        return "error" if (self.ends, self.errors) == (0, 1) else "wrong"


async def read_all(streams, port):
    places = asyncio.Semaphore(AT_ONCE)

    async def one(stream):
        async with places:
            try:
                await asyncio.wait_for(stream.read(port), 60)
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ValueError) as error:
                print(f"          a stream of {stream.model} was no stream: {error!r}")
                stream.text = "\0"

    await asyncio.gather(*(one(stream) for stream in streams))


def run(args, folder, started):
    first = Sim("first", args, folder, f'fault = "break-within:{BREAK_WITHIN}"')
    started.append(first)
    second = Sim("second", args, folder, f'fault = "break-within:{BREAK_WITHIN}"\nfault_share = {SHARE}')
    started.append(second)
    teller = Sim("teller", args, folder, "")
    started.append(teller)
    gateway = Gateway(args, folder, first, second)
    started.append(gateway)
    dice = random.Random(args.seed)
    streams = [Stream(dice.choice(list(MODELS)), dice.randrange(1 << 30)) for _ in range(args.streams)]
    begun = time.monotonic()
    asyncio.run(read_all(streams, gateway.port))
    seconds = time.monotonic() - begun
    quiet = lambda: first.stats()["in_flight"] == 0 and second.stats()["in_flight"] == 0 and len(gateway.log_lines()) >= args.streams
    until("the end of all calls", quiet)
    said = Counter()
    lost = doubled = 0
    of_messages = teller.words(args.seed)
    for stream in streams:
        words = of_messages if MODELS[stream.model] == "/v1/messages" else teller.words(stream.seed)
        verdict = stream.verdict(words)
        is_recovered = stream.model != "plain"
        said[is_recovered, verdict] += 1
        have, due = Counter(stream.text.split()), Counter(words.split())
        doubled += sum((have - due).values())
        # Who was told that it is whole has all of it.
        lost += sum((due - have).values()) if stream.ends and not stream.errors else 0
        if verdict == "wrong":
            print(f"          {stream.model} seed {stream.seed}: {stream.errors} errors, {stream.ends} ends, {len(stream.ids)} ids: …{stream.text[-60:]!r}")
    return judge(args, gateway, (first, second), streams, said, (lost, doubled), seconds)


def judge(args, gateway, sims, streams, said, wrong, seconds):
    recovered = sum(stream.model != "plain" for stream in streams)
    one, two = (sim.stats() for sim in sims)
    lines = gateway.log_lines()
    continued = sum(line.get("continued", 0) for line in lines)
    told = gateway.metric("tidegate_stream_recoveries_total", '"continued"')
    # Those that the second upstream broke as well.
    twice = sum(len(line.get("failures", [])) == 2 for line in lines if line["model"] != "plain")
    checks = [
        ("with recovery, streams whole and exact", f"{recovered - twice}", f"{said[True, 'exact']}"),
        ("with recovery, broken twice and ended with the typed error", f"{twice}", f"{said[True, 'error']}"),
        ("without recovery, ended with the typed error", f"{args.streams - recovered}", f"{said[False, 'error']}"),
        ("words said twice, or that nobody said", "0", f"{wrong[1]}"),
        ("words missing in streams told as whole", "0", f"{wrong[0]}"),
        ("streams gone on with: log, metric, simulators", f"{recovered} {recovered} {recovered}", f"{continued} {told} {one['prefills'] + two['prefills']}"),
        ("beginnings that are none of their answer", "0", f"{one['prefills_unknown'] + two['prefills_unknown']}"),
        ("calls upstream: log", f"{one['requests'] + two['requests']}", f"{sum(line['attempts'] for line in lines)}"),
        ("open afterwards: gateway, simulators", "0 0", f"{gateway.metric('tidegate_open_streams')} {one['in_flight'] + two['in_flight']}"),
    ]
    print(f"streams: {args.streams} in {seconds:.1f} s, seed {args.seed}")
    for name, expected, saw in checks:
        print(f"{'PASS' if expected == saw else 'FAIL'} {name}: expected {expected}, saw {saw}")
    return all(expected == saw for _, expected, saw in checks)


def main():
    args = arguments()
    if not args.binary.exists():
        print(f"streams: needs {args.binary} (cargo build --release)", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="tidegate-streams-"))
    started = []
    try:
        return 0 if run(args, folder, started) else 1
    finally:
        for one in started:
            one.process.kill()
            one.process.wait()
        if args.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
