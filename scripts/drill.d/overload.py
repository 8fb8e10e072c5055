#!/usr/bin/env python3
"""Offers five times what a server takes, and looks what comes of it.

The simulator's models have a known number of slots. Calls come at a fixed rate whatever comes back (open
loop). For each way of holding them back (a fixed limit, a line of those who wait, a learned limit) it
measures one call at a time, then what comes of as many as the server takes, then of five times that:

- goodput is at least 80 % of the peak;
- 99 of 100 answers come within twice the time they take without load; within two and a half times where
  the limit is learned, which leaves the server a short line of its own;
- all others are refused with 503 and `retry-after`: at once, or, where they waited, when their wait is over;
- where the limit is known the server itself never refuses a call: never more were upstream than it takes;
- in the line a tenant that asks for less than its share gets it, whatever another one asks for;
- in the end nobody waits, and no place is taken.

A NOTE tells how long gateway and client were ready to run and did not get a processor: on a machine with
other work the times say more about that than about the gateway. A NOTE excuses nothing.
"""

import asyncio
import hashlib
import os
import sys
from pathlib import Path

from lab import Client, Gateway, Lab, Sim, comes, peers, quantile

FIRST_MS = 200
WAIT_MS = 120
# What a refusal may take, and what a busy machine adds to a wait that has ended.
REFUSED_MS = 50
ANSWER_SECONDS_MAX = 20.0
OPTIONS = (("--slots", {"type": int, "default": None, "metavar": "N", "help": "calls the server works on at once (24; quick 10)"}),
           ("--seconds", {"type": float, "default": None, "metavar": "S", "help": "of each measurement (15; quick 4)"}))


def offer(client, model, rate, seconds, key="one"):
    return client.load(seconds, rate, model, is_stream=True, tokens=4, timeout=ANSWER_SECONDS_MAX, key=key)


def kept_waiting(pid):
    """Seconds that the threads of a process were ready to run and had no processor (schedstat)."""
    waited = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            waited += int(task.read_text().split()[1])
        except OSError:
            pass
    return waited / 1e9


def servers(lab, slots):
    """A simulator, and a gateway with a model for each way of holding calls back."""
    exact = {"slots": slots, "delay_first_ms": FIRST_MS, "tokens": 4}
    # Nobody tells the gateway what this one takes: it has a line of its own, and then refuses.
    unknown = {**exact, "line": slots, "over": 503}
    sim = Sim(lab, models={"fixed": exact, "line": exact, "shared": exact, "learned": unknown})
    place = f"concurrency = {{ max = {slots} }}\n"
    models = {"fixed": place,
              "line": place + f'queue = {{ max = {2 * slots}, wait_max = "{WAIT_MS}ms" }}',
              "shared": place + f'queue = {{ max = {2 * slots}, wait_max = "2s" }}',
              "learned": f"concurrency = {{ max = {20 * slots}, adaptive = true, min = 4 }}\nfailover = {{ attempts = 1 }}"}
    sections = sim.provider("a", 'cooldown = { base = "50ms", max = "200ms" }')
    sections += "".join(peers(name, "a", more=more, timeouts="") for name, more in models.items())
    sections += "".join(f'[keys.{name}]\nsecret_sha256 = "{hashlib.sha256(name.encode()).hexdigest()}"\n' for name in ("one", "two"))
    return sim, Gateway(lab, sections, "[server.limits]\nconnections_per_address_max = 10000", workers=None)


def ends(answers):
    good = [a.seconds for a in answers if a.status == 200]
    refused = [a for a in answers if a.status in (429, 503)]
    return good, refused, len(answers) - len(good) - len(refused)


def throughput(answers):
    """Good answers a second, up to the last of them."""
    ended = [a.ended for a in answers if a.status == 200]
    return len(ended) / (max(ended) - answers[0].begun) if ended else 0.0


async def measure(lab, sim, gateway, client, model):
    """One way of holding calls back, from one at a time to five times too many."""
    args = lab.args
    capacity = args.slots * 1000 / FIRST_MS
    alone = [(await client.call(model, is_stream=True, tokens=4, timeout=ANSWER_SECONDS_MAX, key="one")).seconds for _ in range(12)]
    usual = quantile(alone[2:], 0.99)
    if model == "learned":
        # It begins low, and has to find out.
        await offer(client, model, capacity * 1.2, args.seconds)
    # What the server can do, even where the line to it was never full.
    peak = max(capacity, throughput(await offer(client, model, capacity, args.seconds)))
    before = sim.stats()["refused"]
    pids = {"gateway": gateway.process.pid, "client": os.getpid()}
    waited_before = {name: kept_waiting(pid) for name, pid in pids.items()}
    answers = await offer(client, model, 5 * capacity, args.seconds)
    starved = {name: kept_waiting(pid) - waited_before[name] for name, pid in pids.items()}
    told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in starved.items())
    print(f"NOTE {model}: waited for a processor in {args.seconds:.0f} s: {told}", flush=True)
    good, refused, odd = ends(answers)
    upstream_refused = sim.stats()["refused"] - before
    goodput = throughput(answers)
    lab.expect(f"{model}: goodput", goodput >= 0.8 * peak, f"at least 80 % of {peak:.0f}/s", f"{goodput:.0f}/s of {5 * capacity:.0f}/s")
    slowest = quantile(good, 0.99)
    allowed = 2 * usual if model != "learned" else 2.5 * usual
    lab.expect(f"{model}: p99 of answers", slowest <= allowed, f"at most {allowed * 1000:.0f} ms", f"{slowest * 1000:.0f} ms, {usual * 1000:.0f} ms without load")
    waited = [a.seconds for a in refused if a.fields.get("x-tidegate-reason") == "queue_timeout"]
    at_once = [a.seconds for a in refused if a.fields.get("x-tidegate-reason") != "queue_timeout"]
    late = quantile(at_once or [0.0], 0.99)
    lab.expect(f"{model}: refusals at once", late * 1000 <= REFUSED_MS, f"p99 at most {REFUSED_MS} ms", f"{late * 1000:.1f} ms, {len(at_once)} of them")
    if model == "line":
        longest = quantile(waited or [0.0], 0.99)
        lab.expect(f"{model}: waits in vain", longest * 1000 <= WAIT_MS + REFUSED_MS, f"p99 at most {WAIT_MS + REFUSED_MS} ms", f"{longest * 1000:.0f} ms, {len(waited)} of them")
    silent = sum("retry-after" not in a.fields for a in refused)
    lab.expect(f"{model}: every refusal says when to come back", silent == 0 and odd == 0, "all of them, and no other failures", f"{silent} without, {odd} other")
    if model == "learned":
        share = upstream_refused / len(answers)
        lab.expect(f"{model}: the server itself refuses few", share <= 0.05, "at most 5 %", f"{share * 100:.1f} %")
    else:
        lab.expect(f"{model}: never more upstream than it takes", upstream_refused == 0, "0 refused by the server", upstream_refused)


async def shares(lab, client):
    """One tenant asks for far too much, the other for less than half of what there is."""
    capacity = lab.args.slots * 1000 / FIRST_MS
    burst = offer(client, "shared", 4.5 * capacity, lab.args.seconds)
    modest = offer(client, "shared", 0.4 * capacity, lab.args.seconds, "two")
    _, answers = await asyncio.gather(burst, modest)
    share = len(ends(answers)[0]) / len(answers)
    lab.expect("shared: who asks for less than its share gets it", share >= 0.95, "at least 95 % served", f"{share * 100:.1f} %")


async def overload(lab):
    lab.args.slots = lab.args.slots or (10 if lab.args.quick else 24)
    lab.args.seconds = lab.args.seconds or (4.0 if lab.args.quick else 15.0)
    sim, gateway = servers(lab, lab.args.slots)
    client = Client(gateway.port, is_kept=True)
    for model in ("fixed", "line", "learned"):
        await measure(lab, sim, gateway, client, model)
    await shares(lab, client)
    client.close()
    is_calm = await asyncio.to_thread(comes, lambda: gateway.metric("tidegate_requests_in_flight") == 0)
    left = {"queued": gateway.metric("tidegate_queued"), "full": gateway.metric("tidegate_targets", 'state="full"')}
    upstream = sim.stats()["in_flight"]
    lab.expect("nobody waits and no place is taken", is_calm and not any(left.values()) and upstream == 0, "0 everywhere", f"{left}, {upstream} upstream")


if __name__ == "__main__":
    sys.exit(Lab(__doc__, options=OPTIONS).run(overload))
