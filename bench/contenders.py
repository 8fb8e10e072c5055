"""What is measured: the direct way, nginx, and Tidegate in four settings, each with its own configuration."""

import json
import os
import pathlib
import shutil
import tempfile
import time
import urllib.request

from processes import PROXY_CORE, Failed, free_port

STREAM_TOKENS, STREAM_EVERY_MS = 100, 20
KEY = "bench-key-2f7c41d09ab8e653"
ADMIN_TOKEN = "bench-admin-70c1f3e2a94d5b86"
LABELS = {
    "direct": "direct to the simulator",
    "nginx": "nginx",
    "tidegate": "Tidegate, everything on",
    "governed": "Tidegate, key of the store, 3 levels of limits, 2 of budgets",
    "ledger": "the same, each call a row of the ledger",
    "exact": "Tidegate, exact count of each",
    "translated": "Tidegate, chat to Messages",
}


def post(url, body, key):
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=5) as answer:
        return answer.read()


class Contender:
    """One way to the simulator. `start` begins it afresh; the direct way has no process."""

    def __init__(self, bench, name):
        self.bench, self.name = bench, name
        self.process = self.access_log = None
        self.key = KEY
        self.urls = {"requests": bench.sim_url, "streams": bench.sim_url}

    def start(self):
        if self.name == "direct":
            return
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=self.bench.folder))
        command = self.nginx() if self.name == "nginx" else self.tidegate()
        core = self.bench.core(PROXY_CORE)
        env = {"BENCH_KEY": KEY, "ADMIN_TOKEN": ADMIN_TOKEN, "PEPPER": "a-pepper-of-the-bench-and-of-nothing-else"}
        self.process = self.bench.spawn(self.name, command, self.folder / "output.log", core, env)
        if self.has_store():
            self.key = self.make_key()
        for url in self.urls.values():
            self.wait(url)

    def wait(self, url):
        """Until a call through it is answered: then it is ready and has opened what it needs."""
        end = time.monotonic() + 20
        while True:
            self.process.check()
            try:
                return post(url, self.bench.body_bytes, self.key)
            except OSError as wrong:
                if time.monotonic() > end:
                    detail = wrong.read().decode(errors="replace") if hasattr(wrong, "read") else ""
                    raise Failed(f"{self.name} does not answer: {wrong} {detail}") from None
                time.sleep(0.05)

    def has_store(self):
        return self.name in ("governed", "ledger")

    def make_key(self):
        """A key whose own, team's and tenant's limits hold, and its team's and tenant's budgets."""
        def limits(budget):
            amounts = {"requests": 10_000_000, "tokens": 1_000_000_000_000}
            policy = {"limits": [{"unit": unit, "per": "minute", "amount": amount} for unit, amount in amounts.items()]}
            policy["limits"].append({"unit": "concurrent", "amount": 100_000})
            if budget:
                policy["budgets"] = [{"name": budget, "usd": "1000000", "per": "month"}]
            return policy
        def make(kind, body):
            url = f"http://{self.admin}/admin/v1/{kind}"
            end = time.monotonic() + 20
            while True:
                self.process.check()
                try:
                    return json.loads(post(url, json.dumps(body).encode(), ADMIN_TOKEN))
                except OSError as wrong:
                    if hasattr(wrong, "read") or time.monotonic() > end:
                        raise Failed(f"{url}: {wrong} {wrong.read().decode() if hasattr(wrong, 'read') else ''}") from None
                    time.sleep(0.05)
        tenant = make("tenants", {"name": "acme", "policy": limits("tenant")})["id"]
        team = make("teams", {"name": "research", "tenant": tenant, "policy": limits("team")})["id"]
        app = make("apps", {"name": "bot", "team": team})["id"]
        return make("keys", {"name": "ci", "app": app, "policy": limits(None)})["secret"]

    def store(self):
        """In the first setting rows are written after the measurement, so that the limits' share is seen alone."""
        if not self.has_store():
            return ""
        return f"""[store]
url = "sqlite:{self.folder}/store.db"
[auth]
pepper = "env:PEPPER"
snapshot = "{self.folder}/run/known.sealed"
[ledger]
spool = "{self.folder}/run/spool"
{"" if self.name == "ledger" else 'flush = "60s"'}
queue_max = 10_000_000
[catalog.models."sim/gpt-4o"]
like = "openai/gpt-4o"
"""

    def stop(self):
        if self.process:
            self.bench.end(self.process)
            self.process = None

    def listen(self):
        return f"127.0.0.1:{free_port()}"

    def nginx(self):
        """Answers of requests are buffered, nginx's default and its quicker way; streams are not."""
        requests, streams = self.listen(), self.listen()
        self.urls = {"requests": f"http://{requests}{self.bench.path}", "streams": f"http://{streams}{self.bench.path}"}
        temps = "".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        server = """server {{ listen {listen} backlog=4096; location / {{ proxy_pass http://sim;
            proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 600s; {more} }} }}"""
        config = self.folder / "nginx.conf"
        config.write_text(
            f"""{"user root;" if os.geteuid() == 0 else ""} worker_processes 1; daemon off;
            pid {self.folder}/nginx.pid; error_log {self.folder}/error.log warn; worker_rlimit_nofile 16384;
            events {{ worker_connections 8192; }}
            http {{ access_log off; {temps} tcp_nodelay on; keepalive_requests 1000000000; client_body_buffer_size 64k;
            upstream sim {{ server {self.bench.sim_addr}; keepalive 512; keepalive_requests 1000000000; }}
            {server.format(listen=requests, more="")}
            {server.format(listen=streams, more="proxy_buffering off;")} }}"""
        )
        return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", self.folder, "-e", self.folder / "error.log", "-c", config]

    def upstream(self):
        """The provider, and a second one that tells the simulator how to stream: a translation passes
        no headers of the client on, so the provider's own must."""
        if self.name != "translated":
            return f"""[providers.sim]
kind = "openai-compatible"
base_url = "http://{self.bench.sim_addr}/v1"
[models."*"]
targets = [{{ provider = "sim" }}]"""
        return f"""[providers.sim]
kind = "anthropic-compatible"
base_url = "http://{self.bench.sim_addr}"
api_key = "env:BENCH_KEY"
[providers.stream]
kind = "anthropic-compatible"
base_url = "http://{self.bench.sim_addr}"
api_key = "env:BENCH_KEY"
headers = {{ x-sim-tokens = "{STREAM_TOKENS}", x-sim-delay-token-ms = "{STREAM_EVERY_MS}" }}
[models.stream]
targets = [{{ provider = "stream" }}]
[models."*"]
targets = [{{ provider = "sim" }}]"""

    def tidegate(self):
        """Limits are checked on every call and high enough that none is refused."""
        addr, self.admin, self.access_log = self.listen(), self.listen(), self.folder / "access.log"
        self.urls = {kind: f"http://{addr}{self.bench.path}" for kind in self.urls}
        (self.folder / "run").mkdir(mode=0o700)
        config = self.folder / "tidegate.toml"
        config.write_text(
            f"""[server]
listen = ["{addr}"]
workers = 1
{self.bench.args.server_extra}
[server.limits]
connections_max = 20000
connections_per_address_max = 20000
[server.drain]
ready_grace = "0s"
streams_max = "1s"
[server.upgrade]
socket = "{self.folder}/run/upgrade.sock"
[admin]
listen = "{self.admin}"
token = "env:ADMIN_TOKEN"
[log]
access = "{self.access_log}"
{self.store()}{self.upstream()}
count = "{"exact" if self.name == "exact" else "bound"}"
[keys.bench]
secret = "env:BENCH_KEY"
limits = {{ requests_per_minute = 10_000_000, tokens_per_minute = 1_000_000_000_000, concurrent = 100_000 }}
"""
        )
        return [self.bench.tidegate, "serve", "--config", config]

    def take_log_lines(self):
        """Lines written since the last time; empties the file, so that the disk does not fill."""
        if not self.access_log:
            return None
        lines = 0
        with open(self.access_log, "rb") as log:
            while piece := log.read(1 << 20):
                lines += piece.count(b"\n")
        os.truncate(self.access_log, 0)
        return lines
