"""The report of a run: tables with medians and ratios, and whether what is promised holds."""

import datetime
import os
import pathlib
import platform
import shutil
import statistics
import subprocess

from contenders import LABELS
from measure import BURST_MS, EVEN_RATE, EVERY_MS, HELD, STREAMS
from processes import LOAD_CORE, PROXY_CORE

RESULTS = pathlib.Path(__file__).resolve().parent / "RESULTS.md"
NOTES_MARK = "<!-- notes -->"
# What the gateway promises: name, contender, section, figure, the contender it is a ratio to, limit, unit.
TARGETS = [
    ("CPU per request", "tidegate", "requests", "cpu_us", "nginx", 1.3, "× nginx"),
    ("CPU per request, exact count, uncached", "exact", "requests", "cpu_us", "nginx", 2.0, "× nginx"),
    ("CPU per request, chat to Messages", "translated", "requests", "cpu_us", "tidegate", 1.5, "× untranslated"),
    ("limits and budgets of the store, CPU per request", "governed", "requests", "cpu_us", "+tidegate", 3.0, "µs more"),
    ("CPU per chunk", "tidegate", "streams", "cpu_us", "nginx", 1.15, "× nginx"),
    ("CPU per event, Messages to chat", "translated", "streams", "event_cpu_us", "tidegate", 2.0, "× untranslated"),
    ("delay per chunk, p99", "tidegate", "streams", "delay_p99_us", None, 1000.0, "µs"),
    ("first byte of a burst of 200, p50", "tidegate", "burst", "first_byte_p50_us", None, 2000.0, "µs"),
    ("memory per held stream", "tidegate", "memory", "kib_per_stream", None, 32.0, "KiB"),
    ("idle memory, one vocabulary loaded", "exact", "memory", "idle_mib", None, 40.0, "MiB"),
    ("exact count of 4 KiB", None, "micro", "exact_4k_us", None, 300.0, "µs"),
    ("request of 100 KiB read and written anew", None, "micro", "translate_100k_us", None, 1000.0, "µs"),
]


class Report:
    def __init__(self, bench, rounds):
        self.bench, self.rounds = bench, rounds

    def values(self, name, section, figure):
        """Of one contender, or of whoever has it."""
        rounds = self.rounds.get(name, []) if name else [one for all in self.rounds.values() for one in all]
        found = (one.get(section, {}).get(figure) for one in rounds)
        return [value for value in found if value is not None]

    def ratios(self, name, section, figure, to="nginx"):
        """To another one in the same round, so that a slow minute of the machine falls out."""
        pairs = zip(self.values(name, section, figure), self.values(to, section, figure))
        return [mine / theirs for mine, theirs in pairs]

    def against(self, name, section, figure, to):
        """To another one, as a ratio or, where the name begins so, as what it adds."""
        if not to:
            return self.values(name, section, figure)
        if to.startswith("+"):
            pairs = zip(self.values(name, section, figure), self.values(to[1:], section, figure))
            return [mine - theirs for mine, theirs in pairs]
        return self.ratios(name, section, figure, to)

    def cell(self, values, digits=1, scale=1.0):
        if not values:
            return "–"
        values = [value * scale for value in values]
        middle = f"{statistics.median(values):,.{digits}f}"
        return middle if len(values) == 1 else f"{middle} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"

    def table(self, head, columns, has_direct=True):
        lines = ["| | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
        for name in self.rounds:
            cells = [column(name) for column in columns]
            if (has_direct or name != "direct") and any(cell != "–" for cell in cells):
                lines.append(f"| {LABELS[name]} | " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def column(self, section, figure, digits=1, scale=1.0):
        return lambda name: self.cell(self.values(name, section, figure), digits, scale)

    def ratio(self, section, figure):
        return lambda name: self.cell(self.ratios(name, section, figure), 2)

    def targets(self):
        lines = ["| figure | promised | measured | |", "|---|---|---|---|"]
        for title, name, section, figure, to, limit, unit in TARGETS:
            values = self.against(name, section, figure, to)
            holds = "not measured" if not values else "holds" if statistics.median(values) <= limit else "**missed**"
            lines.append(f"| {title} | ≤ {limit:g} {unit} | {self.cell(values, 2 if to else 1)} | {holds} |")
        return "\n".join(lines)

    def machine(self):
        cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        nginx = subprocess.run([shutil.which("nginx") or "/usr/sbin/nginx", "-v"], capture_output=True, text=True)
        args, bench = self.bench.args, self.bench
        pins = "not pinned"
        if bench.is_pinned:
            others = sorted(bench.others) or [0.0]
            pins = (f"simulator and load client on core {LOAD_CORE}, proxy on core {PROXY_CORE}, of which others used "
                    f"{statistics.median(others) * 100:.0f} % in the median, {others[-1] * 100:.0f} % at worst")
        return (f"{datetime.date.today()} · {os.cpu_count()} × {cpu}, Linux {platform.release()} · "
                f"{nginx.stderr.strip().removeprefix('nginx version: ')} · {args.rounds} round(s) of {args.seconds:g} s, "
                f"interleaved; median (lowest–highest); ratios are to nginx in the same round · {pins}.")

    def text(self):
        parts = [self.machine(), "### What is promised", self.targets()]
        parts += ["### Requests: chat of 2 KiB, 32 connections, closed loop", self.table(
            ["CPU µs/request", "× nginx", f"at {EVEN_RATE:,}/s: CPU µs/request", "× nginx", "requests/s", "p50 ms", "p99 ms"],
            [self.column("requests", "cpu_us"), self.ratio("requests", "cpu_us"),
             self.column("even", "cpu_us"), self.ratio("even", "cpu_us"), self.column("requests", "rps", 0),
             self.column("requests", "p50_us", 2, 0.001), self.column("requests", "p99_us", 2, 0.001)])]
        parts += [f"### Streams: {STREAMS} at a time, an event each {EVERY_MS} ms", self.table(
            ["CPU µs/chunk", "× nginx", "CPU µs/event", "delay p50 ms", "delay p99 ms"],
            [self.column("streams", "cpu_us"), self.ratio("streams", "cpu_us"), self.column("streams", "event_cpu_us"),
             self.column("streams", "delay_p50_us", 2, 0.001), self.column("streams", "delay_p99_us", 2, 0.001)])]
        parts += [f"### First byte of {STREAMS} new streams, connecting included", self.table(
            [f"within {BURST_MS} ms: p50 ms", "p99 ms", "all at once: p50 ms", "p99 ms"],
            [self.column(section, f"first_byte_{quantile}_us", 2, 0.001)
             for section in ("burst", "at_once") for quantile in ("p50", "p99")])]
        parts += [f"### Memory: a fresh process, {HELD} streams held", self.table(
            ["idle MiB", "KiB per held stream"],
            [self.column("memory", "idle_mib"), self.column("memory", "kib_per_stream")], has_direct=False)]
        if self.bench.problems:
            parts += ["### Wrong in this run", "\n".join(f"- {problem}" for problem in self.bench.problems)]
        return "\n\n".join(parts) + "\n"


def write_results(text):
    """Rewrites the measured part; what stands from the mark on is by hand and stays."""
    old = RESULTS.read_text() if RESULTS.exists() else ""
    notes = NOTES_MARK + old.split(NOTES_MARK, 1)[1] if NOTES_MARK in old else f"{NOTES_MARK}\n\n## Notes\n"
    RESULTS.write_text(f"# Measured\n\nBy `scripts/bench --write`; how to read it: [README.md](README.md).\n\n{text}\n{notes}")
