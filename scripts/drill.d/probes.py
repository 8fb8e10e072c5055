#!/usr/bin/env python3
"""A target that is dead to probes is left before a client sees an error, and comes back with slow start.

Three simulated servers under a steady load. One stops answering probes while its calls still succeed, is left, then
fails for good, comes back; in the end all three are dead to probes and are asked all the same.
"""

import asyncio
import sys
import time

from lab import CHATS, Gateway, Lab, Sim, peers, until

EVERY, AFTER, SLOW_START = 0.2, 2, 6.0
PROVIDER = (f'health = {{ probe = "GET /health", every = "{int(EVERY * 1000)}ms", timeout = "150ms", unhealthy_after = {AFTER}, healthy_after = 2 }}\n'
            f'cooldown = {{ slow_start = "{SLOW_START:.0f}s" }}')
DEAD_TO_PROBES = {"/health": {"fault": "status:503"}}
DEAD = {"*": {"fault": "status:503"}}


class Load:
    """Calls at a steady rate; what came of them, by when they began."""

    def __init__(self, gateway, rate):
        self.gateway, self.rate, self.seen, self.is_on = gateway, rate, [], True

    async def call(self):
        answer = await self.gateway.call(is_stream=True, tokens=1, timeout=10)
        is_well = answer.status == 200 and answer.events[-1:] == [b"[DONE]"]
        self.seen.append((answer.begun, answer.fields.get("x-tidegate-provider"), is_well, answer.fields.get("x-tidegate-route", "")))

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


async def states(gateway, state, count):
    await asyncio.to_thread(until, f"{count} targets {state}", lambda: gateway.metric("tidegate_targets", f'state="{state}"') == count)
    return time.monotonic()


async def probes(lab):
    rate, seconds = (40, 1.5) if lab.args.quick else (100, 4.0)
    sims = [Sim(lab) for _ in range(3)]
    names = [f"s{number}" for number in range(3)]
    gateway = Gateway(lab, "".join(sim.provider(name, PROVIDER) for name, sim in zip(names, sims))
                      + peers("m", *names, more="failover = { attempts = 1 }", timeouts=""))
    load = Load(gateway, rate)
    run = asyncio.create_task(load.run())
    await states(gateway, "ready", 3)
    begun = time.monotonic()
    await asyncio.sleep(seconds)
    sick = sims[0]
    died = time.monotonic()
    await asyncio.to_thread(sick.behave, DEAD_TO_PROBES)
    left = await states(gateway, "unhealthy", 1)
    await asyncio.sleep(0.1)
    before = await asyncio.to_thread(sick.calls, CHATS)
    await asyncio.to_thread(sick.behave, DEAD)
    await asyncio.sleep(seconds)
    after = await asyncio.to_thread(sick.calls, CHATS)
    await asyncio.to_thread(sick.behave)
    back = await states(gateway, "warming", 1)
    await asyncio.sleep(SLOW_START + seconds)
    well_again = time.monotonic()
    for sim in sims:
        await asyncio.to_thread(sim.behave, DEAD_TO_PROBES)
    await states(gateway, "unhealthy", 3)
    last = time.monotonic()
    await asyncio.sleep(1)
    load.is_on = False
    await run
    errors = [seen for seen in load.seen if not seen[2]]
    lab.expect("clients saw errors", not errors, "0", f"{len(errors)} of {len(load.seen)} calls")
    bound = EVERY * 1.1 * AFTER + 0.15 + 0.3
    lab.expect("left in time", left - died <= bound, f"<= {bound:.2f} s", f"{left - died:.2f} s")
    lab.expect("calls at the dead target", after == before, "0", str(after - before))
    fair = load.share("s0", begun, died)
    early, late = load.share("s0", back, back + SLOW_START / 4), load.share("s0", back + SLOW_START, well_again)
    lab.expect("share before", 0.23 <= fair <= 0.43, "a third", f"{fair:.0%}")
    lab.expect("slow start", early <= 0.6 * fair, f"<= {0.6 * fair:.0%} in its first quarter", f"{early:.0%}")
    lab.expect("back in full", late >= 0.7 * fair, f">= {0.7 * fair:.0%} after it", f"{late:.0%}")
    dead = load.between(last, float("inf"))
    is_asked = dead and all(is_well and "panic" in route for _, _, is_well, route in dead)
    lab.expect("all dead to probes", is_asked, "all calls answered, marked panic", f"{sum(seen[2] for seen in dead)} of {len(dead)}")


if __name__ == "__main__":
    sys.exit(Lab(__doc__).run(probes))
