"""A gateway before simulated inference servers, for drills: start, ask, count, report."""

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
KEY = "drill-key"


def arguments(doc):
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--binary", type=Path, default=None, metavar="PATH", help="target/release/tidegate")
    parser.add_argument("--quick", action="store_true", help="the same at a smaller scale")
    parser.add_argument("--seed", type=int, default=20, help="of the order of calls")
    args = parser.parse_args()
    args.binary = args.binary or Path(os.environ.get("TIDEGATE_BIN") or ROOT / "target/release/tidegate")
    if not args.binary.exists():
        print(f"needs {args.binary} (cargo build --release)", file=sys.stderr)
        sys.exit(2)
    print(f"seed {args.seed}")
    return args


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()


def until(what, is_so, seconds=20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if is_so():
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise SystemExit(f"{what} did not happen in {seconds} s")


class Sim:
    def __init__(self, binary, folder, name, scenario):
        self.name, self.port, self.scenario = name, free_port(), scenario
        self.process = subprocess.Popen([binary, "sim", "--listen", f"127.0.0.1:{self.port}"],
                                        stdout=subprocess.DEVNULL, stderr=open(folder / f"{name}.err", "w"))
        until("a simulator", lambda: get(self.port, "/sim/stats"))
        self.behave({})

    def behave(self, models):
        """A new scenario, and with it an empty cache."""
        body = json.dumps(self.scenario | {"models": models}).encode()
        ask = urllib.request.Request(f"http://127.0.0.1:{self.port}/sim/scenario", data=body, method="PUT")
        urllib.request.urlopen(ask, timeout=5).read()

    def chats(self):
        return json.loads(get(self.port, "/sim/stats"))["by_path"].get("/v1/chat/completions", 0)

    def metric(self, name):
        return sum(float(line.rsplit(" ", 1)[1]) for line in get(self.port, "/metrics").splitlines() if line.startswith(name))


class Pool:
    """`count` simulators as providers s0, s1 … and a gateway before them."""

    def __init__(self, args, count, scenario, provider_lines, sections):
        self.folder = Path(tempfile.mkdtemp(prefix="tidegate-drill-"))
        self.sims, self.gateway = [], None
        try:
            self.sims = [Sim(args.binary, self.folder, f"s{number}", scenario) for number in range(count)]
            self.port, self.admin = free_port(), free_port()
            providers = "".join(f'[providers.{sim.name}]\nkind = "openai-compatible"\n'
                                f'base_url = "http://127.0.0.1:{sim.port}/v1"\n{provider_lines}\n' for sim in self.sims)
            config = self.folder / "tidegate.toml"
            config.write_text(f"""
[server]
listen = ["127.0.0.1:{self.port}"]
workers = 1
[server.upgrade]
socket = "{self.folder}/run/upgrade.sock"
[admin]
listen = "127.0.0.1:{self.admin}"
[counting]
warm = []
[log]
access = "off"
level = "warn"
[keys.drill]
secret_sha256 = "{hashlib.sha256(KEY.encode()).hexdigest()}"
{providers}{sections}""")
            self.gateway = subprocess.Popen([args.binary, "serve", "--config", config],
                                            stdout=subprocess.DEVNULL, stderr=open(self.folder / "serve.err", "w"))
            until("the gateway", lambda: get(self.admin, "/readyz").startswith("ok"))
        except BaseException:
            self.end()
            raise

    def metric(self, name, *labels):
        lines = [line for line in get(self.admin, "/metrics").splitlines() if line.startswith(name)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(label in line for label in labels))

    def end(self):
        for process in [self.gateway, *(sim.process for sim in self.sims)]:
            if process:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Answer:
    def __init__(self, status, headers, first, events):
        self.status, self.headers, self.first, self.events = status, headers, first, events


async def stream(port, body):
    """One streamed chat: its status and headers, seconds to the first content, and its events."""
    text = json.dumps(body | {"stream": True, "stream_options": {"include_usage": True}}).encode()
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: drill\r\nauthorization: Bearer {KEY}\r\n"
            f"content-type: application/json\r\nconnection: close\r\ncontent-length: {len(text)}\r\n\r\n")
    begun = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head.encode() + text)
        await writer.drain()
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if ": " in line)}
        first, events = None, []
        while line := await reader.readline():
            if not line.startswith(b"data: "):
                continue
            if first is None and b'"content":"' in line and b'"content":""' not in line:
                first = time.monotonic() - begun
            events.append(line[6:].strip())
        return Answer(int(lines[0][9:12]), headers, first, events)
    finally:
        writer.close()


class Report:
    def __init__(self):
        self.holds = True

    def expect(self, name, holds, expected, saw):
        self.holds &= bool(holds)
        print(f"{'PASS' if holds else 'FAIL'} {name}: expected {expected}, saw {saw}", flush=True)

    def code(self):
        return 0 if self.holds else 1
