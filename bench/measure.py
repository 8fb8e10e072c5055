"""A run: every contender under every load, round by round."""

import json
import os
import subprocess
import time
import urllib.request

from contenders import LABELS, STREAM_EVERY_MS, STREAM_TOKENS, Contender
from processes import LOAD_CORE, PROXY_CORE, Failed, Process, core_busy, free_port, say

STREAMS, EVERY_MS, TOKENS, BURST_MS, HELD = 200, STREAM_EVERY_MS, STREAM_TOKENS, 100, 1000
# Requests a second that every contender manages: how busy the machine is changes what each of them costs.
EVEN_RATE = 6000
MEMORY_ROUNDS = 2
# From this share of the proxies' core used by others, a figure is not to be trusted.
NOISE = 0.05
PROSE = (
    "The harbour office keeps a tide table for every berth, and each entry names the hour, the depth "
    "over the sill and the wind that was forecast when it was written. Before a vessel of more than "
    "{n} metres may enter, the pilot compares the table with the gauge at the gate: if they differ by "
    "over 0.3 m, the gate stays shut and the master is told why. Last Tuesday's storm moved the "
    "forecast by forty minutes, so please explain, step by step, which of the waiting ships could "
    "still have been let in, which could not, and what the log should say about the rest. "
)


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder, self.processes, self.problems = args, folder, [], []
        self.path = "/v1/chat/completions"
        self.tidegate, self.load = args.bin_dir / "tidegate", args.bin_dir / "examples" / "load"
        self.is_pinned = not args.no_pin and os.cpu_count() > PROXY_CORE
        self.bodies = {"requests": self.write_body("requests.json", {}),
                       "streams": self.write_body("streams.json", {"stream": True, "max_tokens": 4096}),
                       "translated": self.write_body("translated.json", {"model": "stream", "stream": True, "max_tokens": 4096})}
        self.body_bytes = self.bodies["requests"].read_bytes()
        # Shares of the proxies' core that were not the proxy's, one a measurement.
        self.others = []

    def core(self, number):
        return number if self.is_pinned else None

    def write_body(self, name, more):
        """A chat of 2 KiB; each message has a mark that the load client makes new for every request."""
        texts = [PROSE.format(n=90 + turn) for turn in range(3)]
        def body(texts):
            roles = ("system", "user", "assistant")
            turns = [{"role": role, "content": f"[0000000000] {text}"} for role, text in zip(roles, texts)]
            turns.append({"role": "user", "content": "[0000000000] Go on, in one sentence."})
            return json.dumps({"model": "gpt-4o", "max_tokens": 16, **more, "messages": turns}).encode()
        surplus = len(body(texts)) - 2048
        texts[2] = texts[2][: max(1, len(texts[2]) - surplus)] if surplus > 0 else texts[2] + PROSE[: -surplus]
        file = self.folder / name
        file.write_bytes(body(texts))
        return file

    def spawn(self, *args):
        process = Process(*args)
        self.processes.append(process)
        return process

    def end(self, process):
        process.stop()
        self.processes.remove(process)

    def start_sim(self):
        self.sim_addr = f"127.0.0.1:{free_port()}"
        self.sim_url = f"http://{self.sim_addr}{self.path}"
        command = [self.tidegate, "sim", "--listen", self.sim_addr, "--threads", "1"]
        self.sim = self.spawn("simulator", command, self.folder / "sim.log", self.core(LOAD_CORE))
        for _ in range(200):
            self.sim.check()
            try:
                return self.sim_stats()
            except OSError:
                time.sleep(0.05)
        raise Failed("the simulator does not answer")

    def sim_stats(self):
        with urllib.request.urlopen(f"http://{self.sim_addr}/sim/stats", timeout=5) as answer:
            return json.load(answer)

    def load_command(self, contender, mode, kind, *more):
        body = "translated" if (contender.name, kind) == ("translated", "streams") else kind
        command = [self.load, mode, "--url", contender.urls[kind], "--body", self.bodies[body], "--key", contender.key, "--vary"]
        pin = ["taskset", "-c", str(LOAD_CORE)] if self.is_pinned else []
        return [str(part) for part in [*pin, *command, *more]]

    def run_load(self, contender, mode, kind, seconds, *more):
        """Runs the load client; adds the CPU time that the proxy spent meanwhile."""
        process = contender.process
        seen, busy, cpu = self.sim_stats()["requests"], core_busy(), process.cpu_seconds() if process else 0
        command = self.load_command(contender, mode, kind, "--seconds", seconds, *more)
        ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds * 2 + 40)
        if ran.returncode != 0:
            raise Failed(f"load {mode} on {contender.name}: {ran.stderr.strip()}")
        result = json.loads(ran.stdout)
        if process:
            process.check()
            result["cpu_s"] = process.cpu_seconds() - cpu
            if self.is_pinned:
                self.note_others((core_busy() - busy - result["cpu_s"]) / result["seconds"], contender, mode)
        calls = result.get("requests", result.get("streams"))
        self.expect(contender, mode, result, calls, self.sim_stats()["requests"] - seen)
        return result

    def note_others(self, share, contender, mode):
        self.others.append(max(0.0, share))
        if share > NOISE:
            say(f"  ! noise: others used {share * 100:.0f} % of the core of {contender.name} ({mode})")

    def expect(self, contender, mode, result, calls, seen):
        """What makes a figure worthless is told, and fails the run at its end."""
        wrong = [f"{result[name]} {name}" for name in ("errors", "non_2xx", "without_done") if result.get(name)]
        if seen < calls:
            wrong.append(f"the simulator saw {seen} of {calls} calls")
        if contender.access_log:
            time.sleep(0.5)
            lines = contender.take_log_lines()
            if lines < calls:
                wrong.append(f"{lines} log lines for {calls} calls")
        if wrong:
            text = f"{contender.name} {mode}: {', '.join(wrong)} (last error: {result.get('last_error')})"
            say(f"  ! {text}")
            self.problems.append(text)

    def measure(self, contender):
        args, out = self.args, {}
        got = self.run_load(contender, "requests", "requests", args.seconds, "--connections", 32)
        out["requests"] = {key: got[key] for key in ("rps", "p50_us", "p99_us", "requests")}
        out["requests"]["cpu_us"] = got["cpu_s"] / got["requests"] * 1e6 if contender.process else None
        got = self.run_load(contender, "requests", "requests", args.seconds, "--connections", 32, "--rate", EVEN_RATE)
        out["even"] = {"cpu_us": got["cpu_s"] / got["requests"] * 1e6 if contender.process else None}
        if contender.name in ("exact", "governed", "ledger"):
            return out
        got = self.run_load(contender, "streams", "streams", args.seconds, "--streams", STREAMS,
                            "--tokens", TOKENS, "--every-ms", EVERY_MS)
        if contender.name == "translated":
            # Its events have no stamps, so nothing is known of their delay.
            out["streams"] = {"events": got["events"], "event_cpu_us": got["cpu_s"] / got["events"] * 1e6}
            return out
        out["streams"] = {key: got[key] for key in ("chunks", "events", "delay_p50_us", "delay_p99_us", "delay_max_us")}
        if contender.process:
            out["streams"]["cpu_us"] = got["cpu_s"] / got["chunks"] * 1e6
            out["streams"]["event_cpu_us"] = got["cpu_s"] / got["events"] * 1e6
        for section, spread in (("burst", BURST_MS), ("at_once", 0)):
            got = self.run_load(contender, "streams", "streams", min(1.5, args.seconds), "--burst",
                                "--streams", STREAMS, "--tokens", 1, "--spread-ms", spread)
            out[section] = {key: got[key] for key in got if key.startswith("first_byte")}
        return out

    def weigh(self, contender):
        """Memory of a fresh process: idle, then with streams held. Pools are warm, no stream was held before."""
        contender.start()
        try:
            time.sleep(0.5)
            idle = contender.process.rss_kib()
            self.run_load(contender, "requests", "requests", 0.5, "--connections", 8)
            time.sleep(0.3)
            before = contender.process.rss_kib()
            command = self.load_command(contender, "hold", "streams", "--streams", HELD, "--seconds", 40)
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
                try:
                    said = holder.stdout.readline().strip()
                    time.sleep(0.5)
                    held = contender.process.rss_kib()
                    end = json.loads(holder.communicate(timeout=10)[0])
                finally:
                    holder.kill()
            if said != f"held {HELD}" or end["lost"]:
                self.problems.append(f"{contender.name} hold: {said}, {end}")
            return {"idle_mib": idle / 1024, "kib_per_stream": (held - before) / HELD}
        finally:
            contender.stop()

    def micro(self):
        """What is timed alone, by examples that print one line of JSON each, where they are built."""
        found = {}
        for name in ("count", "translate"):
            example = self.args.bin_dir / "examples" / name
            if not example.exists():
                continue
            pin = ["taskset", "-c", str(PROXY_CORE)] if self.is_pinned else []
            ran = subprocess.run([*pin, str(example)], capture_output=True, text=True, timeout=30)
            if ran.returncode == 0:
                found |= json.loads(ran.stdout.strip().splitlines()[-1])
        return found

    def run(self):
        names = self.args.only or list(LABELS)
        self.start_sim()
        contenders = [Contender(self, name) for name in names]
        rounds = {name: [] for name in names}
        for contender in contenders:
            contender.start()
            self.run_load(contender, "requests", "requests", 0.5, "--connections", 32)
        for number in range(self.args.rounds):
            # Begins with another contender each round, so that none always comes first.
            turn = number % len(contenders)
            for contender in contenders[turn:] + contenders[:turn]:
                found = self.measure(contender)
                rounds[contender.name].append(found)
                say(f"round {number + 1}/{self.args.rounds} {contender.name:9} {short(found)}")
        for contender in contenders:
            contender.stop()
        # Memory hardly varies from run to run.
        for number in range(min(self.args.rounds, MEMORY_ROUNDS)):
            for contender in (one for one in contenders if one.name in ("nginx", "tidegate", "exact")):
                found = self.weigh(contender)
                rounds[contender.name][number]["memory"] = found
                say(f"memory {number + 1} {contender.name:9} "
                    f"{found['kib_per_stream']:.1f} KiB/stream, idle {found['idle_mib']:.1f} MiB")
        micro = self.micro()
        if micro and rounds:
            rounds[names[-1]][0]["micro"] = micro
        return rounds


def short(found):
    parts = [f"{found['requests']['rps']:,.0f} rps"]
    for section, unit in (("requests", "request"), ("even", "even request"), ("streams", "chunk")):
        if found.get(section, {}).get("cpu_us"):
            parts.append(f"{found[section]['cpu_us']:.1f} µs/{unit}")
    if found.get("streams", {}).get("event_cpu_us"):
        parts.append(f"{found['streams']['event_cpu_us']:.1f} µs/event")
    if "burst" in found:
        parts.append(f"delay {found['streams']['delay_p50_us']:.0f}/{found['streams']['delay_p99_us']:.0f} µs")
        parts.append(f"first byte {found['burst']['first_byte_p50_us']:.0f} µs")
    return ", ".join(parts)
