"""What every drill needs: simulators and a gateway of its own, clients that measure, and a verdict.

Everything listens on the loopback and ends with the drill; only processes that were started here are ended.
"""

import argparse
import asyncio
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "drill-key"
MODEL_TIMEOUTS = 'timeouts = { connect = "1s", header = "2s", first_token = "5s", idle = "5s", total = "20s" }'


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path, body=None, host="127.0.0.1"):
    request = urllib.request.Request(f"http://{host}:{port}{path}", data=body, method="PUT" if body else "GET")
    with urllib.request.urlopen(request, timeout=10) as answer:
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
    raise SystemExit(f"drill: {what} did not happen in {seconds} s")


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


class Sim:
    """One upstream: `tidegate sim`."""

    def __init__(self, lab, host="127.0.0.1", port=None, **behaviour):
        self.lab, self.host, self.port = lab, host, port or free_port()
        self.process = lab.spawn([lab.args.binary, "sim", "--listen", f"{host}:{self.port}"], f"sim-{self.port}-{host}")
        until("a simulator", self.stats)
        if behaviour:
            self.behave(**behaviour)

    def stats(self):
        return json.loads(get(self.port, "/sim/stats", host=self.host))

    def behave(self, seed=7, **behaviour):
        """From now on every model does so; without words, as it should."""
        get(self.port, "/sim/scenario", json.dumps({"seed": seed, "models": {"*": behaviour}}).encode(), self.host)

    def calls(self):
        return self.stats()["requests"]

    def provider(self, name, *more):
        lines = "\n".join(more)
        return f'[providers.{name}]\nkind = "openai-compatible"\nbase_url = "http://127.0.0.1:{self.port}/v1"\n{lines}\n'


class Answer:
    def __init__(self, status, fields, body, seconds):
        self.status, self.fields, self.body, self.seconds = status, fields, body, seconds


class Gateway:
    """`tidegate serve` with these sections."""

    def __init__(self, lab, sections, limits="", wrap=()):
        self.lab, self.port, self.admin = lab, free_port(), free_port()
        self.folder = lab.folder / f"gateway-{self.port}"
        (self.folder / "run").mkdir(parents=True, mode=0o700)
        self.config = self.folder / "tidegate.toml"
        self.write(sections, limits)
        self.process = lab.spawn([*wrap, lab.args.binary, "serve", "--config", self.config], f"gateway-{self.port}")
        until("a gateway", lambda: get(self.admin, "/readyz").startswith("ok"))

    def write(self, sections, limits=""):
        self.config.write_text(f"""
[server]
listen = ["127.0.0.1:{self.port}"]
workers = 1
{limits}
[server.upgrade]
socket = "{self.folder}/run/upgrade.sock"
[admin]
listen = "127.0.0.1:{self.admin}"
[counting]
warm = []
[log]
access = "{self.folder}/access.log"
level = "warn"
[keys.drill]
secret_sha256 = "{hashlib.sha256(KEY.encode()).hexdigest()}"
{sections}
""")

    def metric(self, name, *labels):
        """The sum of the series of this name that have all these `label="value"`."""
        lines = [line for line in get(self.admin, "/metrics").splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(label in line for label in labels))

    def status(self, field):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        return 0

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def call(self, model="m", is_stream=False, timeout=30.0, tokens=8, **fields):
        """One call on a connection of its own. Status 0: the connection ended without an answer."""
        body = json.dumps({"model": model, "max_tokens": tokens, "stream": is_stream, "messages": [{"role": "user", "content": "hello"}]})
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        begun = time.monotonic()
        writer = None
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(f"POST /v1/chat/completions HTTP/1.1\r\nhost: drill\r\nauthorization: Bearer {KEY}\r\n"
                             f"content-type: application/json\r\nconnection: close\r\n{more}content-length: {len(body)}\r\n\r\n{body}".encode())
                text = await reader.read()
        except (OSError, TimeoutError, asyncio.TimeoutError):
            return Answer(0, {}, b"", time.monotonic() - begun)
        finally:
            if writer:
                writer.close()
        head, _, rest = text.partition(b"\r\n\r\n")
        lines = head.decode(errors="replace").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        status = int(lines[0].split(" ")[1]) if lines[0].startswith("HTTP/1.1 ") else 0
        return Answer(status, fields, rest, time.monotonic() - begun)

    async def load(self, seconds, rate, model="m", **fields):
        """Calls at an even rate, whatever becomes of them; their answers in order of their start."""
        begun, tasks = time.monotonic(), []
        for number in range(int(seconds * rate)):
            wait = begun + number / rate - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(self.call(model, **fields)))
        return await asyncio.gather(*tasks)


class Lab:
    def __init__(self, summary):
        parser = argparse.ArgumentParser(description=summary)
        parser.add_argument("--quick", action="store_true", help="at a smaller scale")
        parser.add_argument("--binary", default=None, metavar="FILE", help="target/release/tidegate")
        parser.add_argument("--keep", action="store_true", help="leave logs and configuration behind")
        self.args = parser.parse_args()
        self.args.binary = Path(self.args.binary or os.environ.get("TIDEGATE_BIN") or ROOT / "target/release/tidegate").resolve()
        self.folder = Path(tempfile.mkdtemp(prefix="tidegate-drill-"))
        self.processes, self.failed = [], 0
        if not self.args.binary.exists():
            print(f"drill: needs {self.args.binary} (cargo build --release, or --binary FILE)", file=sys.stderr)
            raise SystemExit(2)

    def spawn(self, command, name):
        errors = open(self.folder / f"{name}.err", "w")
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=errors)
        self.processes.append(process)
        return process

    def expect(self, name, holds, expected, saw):
        self.failed += not holds
        print(f"{'PASS' if holds else 'FAIL'} {name}: expected {expected}, saw {saw}", flush=True)

    def run(self, *drills):
        """Runs the drills, each an `async def drill(lab)`; the exit code says whether all held."""
        try:
            for drill in drills:
                asyncio.run(drill(self))
                self.end_all()
        finally:
            self.end_all()
            if self.args.keep:
                print(f"left in {self.folder}")
            else:
                import shutil
                shutil.rmtree(self.folder, ignore_errors=True)
        return 1 if self.failed else 0

    def end_all(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.processes.clear()
