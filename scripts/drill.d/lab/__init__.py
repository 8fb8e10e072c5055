"""What drills share: simulators and gateways of their own, clients that measure, and a verdict.

Everything listens on the loopback and ends with the drill; only processes that were started here are ended.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from .client import CHATS, Answer, Client, request
from .servers import TIMEOUTS, Gateway, Late, Sim, comes, free_port, get, in_order, peers, provider, until

__all__ = ["CHATS", "TIMEOUTS", "Answer", "Client", "Gateway", "Lab", "Late", "Sim", "comes", "free_port", "get", "in_order", "peers",
           "provider", "quantile", "request", "until"]
ROOT = Path(__file__).resolve().parents[3]


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


class Lab:
    """One run of one file of drills: what was asked for, what was started, and what did not hold."""

    def __init__(self, doc, seed=7, options=()):
        """`seed`: where none is given, or None for another one each time. `options`: more of them, each a name and what `add_argument` takes."""
        summary, _, more = doc.partition("\n\n")
        parser = argparse.ArgumentParser(description=summary, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--quick", action="store_true", help="at a smaller scale")
        parser.add_argument("--binary", default=None, metavar="FILE", help="target/release/tidegate")
        parser.add_argument("--seed", type=int, default=seed, metavar="N", help=f"of the simulators' dice and of the drill's own ({'random' if seed is None else seed})")
        parser.add_argument("--keep", action="store_true", help="leave logs and configuration behind")
        for name, takes in options:
            parser.add_argument(name, **takes)
        self.args = parser.parse_args()
        if self.args.seed is None:
            self.args.seed = random.SystemRandom().randrange(1 << 31)
        self.args.binary = Path(self.args.binary or os.environ.get("TIDEGATE_BIN") or ROOT / "target/release/tidegate").resolve()
        if not self.args.binary.exists():
            print(f"drill: needs {self.args.binary} (cargo build --release, or --binary FILE)", file=sys.stderr)
            raise SystemExit(2)
        self.folder = Path(tempfile.mkdtemp(prefix="tidegate-drill-"))
        self.processes, self.failed = [], 0

    def spawn(self, command, name):
        with open(self.folder / f"{name}.err", "w") as errors:
            process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=errors)
        self.processes.append(process)
        return process

    def expect(self, name, holds, expected, saw):
        self.failed += not holds
        print(f"{'PASS' if holds else 'FAIL'} {name}: expected {expected}, saw {saw}", flush=True)

    def run(self, *drills):
        """Runs the drills, each an `async def drill(lab)`; the exit code says whether all held.

        One that breaks off does not hold, and the others go on. Where a server does not even start, all ends with 2.
        """
        signal.signal(signal.SIGTERM, lambda *_: (self.close(), os._exit(2)))
        print(f"seed {self.args.seed}", flush=True)
        try:
            for drill in drills:
                self.run_one(drill)
        finally:
            self.close()
        return 1 if self.failed else 0

    def run_one(self, drill):
        try:
            asyncio.run(drill(self))
        except Late as late:
            self.expect(f"{drill.__name__}: {late.what}", False, f"within {late.seconds:g} s", "nothing of it")
        except Exception as error:
            traceback.print_exc()
            self.expect(f"{drill.__name__}: to its end", False, "a whole drill", repr(error))
        finally:
            self.end_all()

    def close(self):
        self.end_all()
        if self.args.keep:
            print(f"left in {self.folder}", flush=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def end_all(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.processes.clear()
