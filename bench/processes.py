"""Processes of a run: started pinned, weighed, and ended by their id."""

import os
import pathlib
import socket
import subprocess
import sys
import time

LOAD_CORE, PROXY_CORE = 0, 1
PAGE = os.sysconf("SC_PAGE_SIZE")


class Failed(Exception):
    """The run cannot go on; the text says why."""


class Process:
    """A process of this run, and its children; ended by `stop`, whatever happens."""

    def __init__(self, name, command, log, core=None, env=None):
        self.name, self.log = name, log
        pin = None if core is None else (lambda: os.sched_setaffinity(0, {core}))
        with open(log, "ab") as out:
            self.child = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, **(env or {})}, preexec_fn=pin,
            )

    def pids(self):
        found = [self.child.pid]
        for pid in found:
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
                try:
                    found += [int(child) for child in (task / "children").read_text().split()]
                except OSError:
                    pass
        return found

    def cpu_seconds(self):
        """User and system time of all threads, in nanosecond steps (the process's CPU clock)."""
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in self.pids())

    def rss_kib(self):
        pages = (int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids())
        return sum(pages) * PAGE / 1024

    def check(self):
        if self.child.poll() is not None:
            tail = pathlib.Path(self.log).read_text(errors="replace")[-2000:]
            raise Failed(f"{self.name} ended with {self.child.returncode}:\n{tail}")

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(4)
            except subprocess.TimeoutExpired:
                self.child.kill()
        self.child.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def core_busy():
    """Seconds that the proxies' core was not idle, since boot."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{PROXY_CORE} "):
            fields = [int(field) for field in line.split()[1:9]]
            return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")
    return 0.0


def say(text):
    print(text, file=sys.stderr, flush=True)
