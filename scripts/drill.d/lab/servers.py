"""Simulators and gateways on free ports of the loopback, and the sections of a gateway's configuration."""

import hashlib
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from .client import KEY, Client

TIMEOUTS = 'timeouts = { connect = "1s", header = "2s", first_token = "5s", idle = "5s", total = "20s" }'


class Late(Exception):
    """What should have come about and did not."""

    def __init__(self, what, seconds):
        super().__init__(f"{what} did not happen in {seconds} s")
        self.what, self.seconds = what, seconds


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path, body=None, host="127.0.0.1"):
    request = urllib.request.Request(f"http://{host}:{port}{path}", data=body, method="PUT" if body else "GET")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def comes(is_so, seconds=20.0):
    """Whether it does in this time. Who cannot be asked yet is asked again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if is_so():
                return True
        except OSError:
            pass
        time.sleep(0.02)
    return False


def until(what, is_so, seconds=20.0):
    if not comes(is_so, seconds):
        raise Late(what, seconds)


def total(text, name, labels):
    """The sum of the series of this name that have all these `label="value"`."""
    lines = [line for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(label in line for label in labels))


# === Sections ===


def provider(name, at, *more, kind="openai-compatible"):
    """`at`: a port of the loopback, or a base URL."""
    url, lines = f"http://127.0.0.1:{at}/v1" if isinstance(at, int) else at, "\n".join(more)
    return f'[providers.{name}]\nkind = "{kind}"\nbase_url = "{url}"\n{lines}\n'


def in_order(name, *targets, more="", timeouts=TIMEOUTS):
    """A model whose targets take over one for another."""
    listed = ", ".join(f'{{ provider = "{target}", priority = {place} }}' for place, target in enumerate(targets, 1))
    return f"[models.{name}]\ntargets = [{listed}]\n{timeouts}\n{more}\n"


def peers(name, *targets, more="", timeouts=TIMEOUTS):
    """A model whose targets share its calls."""
    listed = ", ".join(f'{{ provider = "{target}" }}' for target in targets)
    return f"[models.{name}]\ntargets = [{listed}]\n{timeouts}\n{more}\n"


# === Processes ===


class Server:
    def start(self, lab, name, command, is_ready):
        """Nothing can be drilled where a server does not start: that is no verdict."""
        self.process = lab.spawn(command, name)
        has_ended = lambda: self.process.poll() is not None
        if not comes(lambda: has_ended() or is_ready()) or has_ended():
            print(f"drill: {name} does not start\n{(lab.folder / f'{name}.err').read_text()[-2000:]}", file=sys.stderr)
            raise SystemExit(2)


class Sim(Server):
    """One upstream: `tidegate sim`."""

    def __init__(self, lab, host="127.0.0.1", port=None, engine=None, models=None, **behaviour):
        self.host, self.port, self.seed = host, port or free_port(), lab.args.seed
        self.engine = {"engine": engine} if engine else {}
        self.start(lab, f"sim-{self.port}-{host}", [lab.args.binary, "sim", "--listen", f"{host}:{self.port}"], self.stats)
        self.behave(models, **behaviour)

    def stats(self):
        return json.loads(get(self.port, "/sim/stats", host=self.host))

    def behave(self, models=None, seed=None, **behaviour):
        """From now on these models do so, or every model does; without words, as it should. Its caches are empty again."""
        scenario = {"seed": self.seed if seed is None else seed, "models": models or {"*": behaviour}} | self.engine
        try:
            get(self.port, "/sim/scenario", json.dumps(scenario).encode(), self.host)
        except urllib.error.HTTPError as refused:
            print(f"drill: this simulator does not know the scenario: {refused.read().decode()}", file=sys.stderr)
            raise SystemExit(2) from refused

    def calls(self, path=None):
        stats = self.stats()
        return stats["by_path"].get(path, 0) if path else stats["requests"]

    def metric(self, name, *labels):
        return total(get(self.port, "/metrics", host=self.host), name, labels)

    def provider(self, name, *more):
        return provider(name, self.port, *more)


class Gateway(Server):
    """`tidegate serve` with these sections, and `limits` in its `[server]`, `governed` in its `[admin]`."""

    def __init__(self, lab, sections, limits="", wrap=(), workers=1, governed=""):
        self.port, self.admin = free_port(), free_port()
        self.client = Client(self.port)
        self.call, self.load = self.client.call, self.client.load
        self.folder = lab.folder / f"gateway-{self.port}"
        (self.folder / "run").mkdir(parents=True, mode=0o700)
        config = self.folder / "tidegate.toml"
        config.write_text(f"""
[server]
listen = ["127.0.0.1:{self.port}"]
{f"workers = {workers}" if workers else ""}
{limits}
[server.upgrade]
socket = "{self.folder}/run/upgrade.sock"
[admin]
listen = "127.0.0.1:{self.admin}"
{governed}
[counting]
warm = []
[log]
access = "{self.folder}/access.log"
level = "warn"
[keys.drill]
secret_sha256 = "{hashlib.sha256(KEY.encode()).hexdigest()}"
{sections}
""")
        self.command = [*wrap, lab.args.binary, "serve", "--config", config]
        self.serve(lab)

    def serve(self, lab):
        self.start(lab, f"gateway-{self.port}", self.command, lambda: get(self.admin, "/readyz").startswith("ok"))

    def restart(self, lab):
        """The same again in a new process; it is the drill's to wait for what comes later than readiness."""
        self.process.terminate()
        self.process.wait()
        self.serve(lab)

    def metric(self, name, *labels):
        return total(get(self.admin, "/metrics"), name, labels)

    def log_lines(self):
        return [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines() if line.endswith("}")]

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
