#!/usr/bin/env python3
"""A target that is dead to probes is left before a client sees an error, and comes back with slow start.

Three simulated servers under a steady load. One stops answering probes while its calls still succeed, is left, then
fails for good, comes back; in the end all three are dead to probes and are asked all the same.
"""

import asyncio
import sys
import time

from pool import Pool, Report, arguments, stream, until

EVERY, AFTER, SLOW_START = 0.2, 2, 6.0
PROVIDER = (f'health = {{ probe = "GET /health", every = "{int(EVERY * 1000)}ms", timeout = "150ms", unhealthy_after = {AFTER}, healthy_after = 2 }}\n'
            f'cooldown = {{ slow_start = "{SLOW_START:.0f}s" }}')
MODELS = """
[models.m]
targets = [{ provider = "s0" }, { provider = "s1" }, { provider = "s2" }]
failover = { attempts = 1 }
"""
DEAD_TO_PROBES = {"/health": {"fault": "status:503"}}
DEAD = {"*": {"fault": "status:503"}}


class Load:
    """Calls at a steady rate; what came of them, by when they began."""

    def __init__(self, port, rate):
        self.port, self.rate, self.seen, self.is_on = port, rate, [], True

    async def call(self):
        begun = time.monotonic()
        try:
            answer = await asyncio.wait_for(stream(self.port, {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}), 10)
            is_well = answer.status == 200 and answer.events[-1] == b"[DONE]"
            self.seen.append((begun, answer.headers.get("x-tidegate-provider"), is_well, answer.headers.get("x-tidegate-route", "")))
        except (OSError, ValueError, IndexError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            self.seen.append((begun, None, False, ""))

    async def run(self):
        calls = set()
        while self.is_on:
            task = asyncio.create_task(self.call())
            calls.add(task)
            task.add_done_callback(calls.discard)
            await asyncio.sleep(1 / self.rate)
        await asyncio.gather(*calls)

    def between(self, start, end):
        return [seen for seen in self.seen if start <= seen[0] < end]

    def share(self, name, start, end):
        seen = self.between(start, end)
        return sum(provider == name for _, provider, *_ in seen) / max(1, len(seen))


async def states(pool, state, count):
    await asyncio.to_thread(until, f"{count} targets {state}", lambda: pool.metric("tidegate_targets", f'state="{state}"') == count)
    return time.monotonic()


async def play(pool, report, rate, seconds):
    load = Load(pool.port, rate)
    run = asyncio.create_task(load.run())
    await states(pool, "ready", 3)
    begun = time.monotonic()
    await asyncio.sleep(seconds)
    sick = pool.sims[0]
    died = time.monotonic()
    await asyncio.to_thread(sick.behave, DEAD_TO_PROBES)
    left = await states(pool, "unhealthy", 1)
    await asyncio.sleep(0.1)
    before = await asyncio.to_thread(sick.chats)
    await asyncio.to_thread(sick.behave, DEAD)
    await asyncio.sleep(seconds)
    after = await asyncio.to_thread(sick.chats)
    await asyncio.to_thread(sick.behave, {})
    back = await states(pool, "warming", 1)
    await asyncio.sleep(SLOW_START + seconds)
    well_again = time.monotonic()
    for sim in pool.sims:
        await asyncio.to_thread(sim.behave, DEAD_TO_PROBES)
    await states(pool, "unhealthy", 3)
    last = time.monotonic()
    await asyncio.sleep(1)
    load.is_on = False
    await run
    errors = [seen for seen in load.seen if not seen[2]]
    report.expect("clients saw errors", not errors, "0", f"{len(errors)} of {len(load.seen)} calls")
    bound = EVERY * 1.1 * AFTER + 0.15 + 0.3
    report.expect("left in time", left - died <= bound, f"<= {bound:.2f} s", f"{left - died:.2f} s")
    report.expect("calls at the dead target", after == before, "0", str(after - before))
    fair = load.share("s0", begun, died)
    early, late = load.share("s0", back, back + SLOW_START / 4), load.share("s0", back + SLOW_START, well_again)
    report.expect("share before", 0.23 <= fair <= 0.43, "a third", f"{fair:.0%}")
    report.expect("slow start", early <= 0.6 * fair, f"<= {0.6 * fair:.0%} in its first quarter", f"{early:.0%}")
    report.expect("back in full", late >= 0.7 * fair, f">= {0.7 * fair:.0%} after it", f"{late:.0%}")
    dead = load.between(last, float("inf"))
    is_asked = dead and all(is_well and "panic" in route for _, _, is_well, route in dead)
    report.expect("all dead to probes", is_asked, "all calls answered, marked panic", f"{sum(seen[2] for seen in dead)} of {len(dead)}")


def main():
    args = arguments(__doc__.split("\n\n")[0])
    pool = Pool(args, 3, {}, PROVIDER, MODELS)
    report = Report()
    try:
        asyncio.run(play(pool, report, 40 if args.quick else 100, 1.5 if args.quick else 4.0))
    finally:
        pool.end()
    return report.code()


if __name__ == "__main__":
    sys.exit(main())
