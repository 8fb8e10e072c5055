#!/usr/bin/env python3
"""Four simulated vLLM with prefix caches: prompts go where they are cached, against round robin.

Conversations of several applications, each with instructions that all its conversations share, go on turn by turn in
shuffled order; one that has ended makes room for a new one. Each cache holds a third of
all that is alive. The same calls are made by `balance = "prefix"` and by round robin. Hit rates are the servers' own
counts after the first rounds, times are the client's.
"""

import asyncio
import json
import random
import sys

from lab import Gateway, Lab, Sim, peers

BLOCK_BYTES = 64
SYSTEM_BYTES, TURN_BYTES, TURNS = 3_000, 500, 20
APPLICATIONS, EACH = 40, 3
# Of all that is alive, in one server's cache.
CACHE_SHARE = 0.34
PREFILL_US = 150
AT_ONCE = 8
NAMES = ("s0", "s1", "s2", "s3")


class World:
    """Who talks, and how far each has come: the same for the same seed."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.systems = ["".join(self.dice.choice("abcdefghij klmnop") for _ in range(SYSTEM_BYTES)) for _ in range(APPLICATIONS)]
        self.ages = [self.dice.randrange(TURNS) for _ in range(APPLICATIONS * EACH)]
        self.lives = [0] * len(self.ages)

    def round(self):
        order = list(range(len(self.ages)))
        self.dice.shuffle(order)
        return order

    def messages(self, number):
        messages = [{"role": "system", "content": self.systems[number % APPLICATIONS]}]
        for past in range(self.ages[number] + 1):
            said = (f"{number}/{self.lives[number]}/{past} " + "say more about it " * 40)[:TURN_BYTES]
            messages.append({"role": "user", "content": said})
            if past < self.ages[number]:
                messages.append({"role": "assistant", "content": said[::-1]})
        return messages

    def grow(self):
        for number, age in enumerate(self.ages):
            self.ages[number] = (age + 1) % TURNS
            self.lives[number] += age + 1 == TURNS


async def play(gateway, sims, model, seed, rounds, warm):
    world, gate = World(seed), asyncio.Semaphore(AT_ONCE)
    for sim in sims:
        sim.behave()
    firsts, broken, calls = [], [], {}

    async def one(number):
        async with gate:
            body = {"messages": world.messages(number), "stream_options": {"include_usage": True}}
            answer = await gateway.call(model, is_stream=True, tokens=2, body=body)
        if answer.status != 200 or answer.first is None or answer.events[-1] != b"[DONE]":
            broken.append(answer.status)
            return
        firsts.append(answer.first)
        name = answer.fields["x-tidegate-provider"]
        calls[name] = calls.get(name, 0) + 1

    def counts():
        names = ("vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total")
        told = [gateway.metric("tidegate_prefix_tokens_total", f'lookup="{lookup}"') for lookup in ("hit", "miss")]
        return [sum(sim.metric(name) for sim in sims) for name in names] + told

    for number in range(rounds):
        if number == warm:
            firsts, calls, before = [], {}, counts()
        await asyncio.gather(*(one(number) for number in world.round()))
        world.grow()
    hit, tokens, told_hit, told_miss = (after - start for after, start in zip(counts(), before))
    return {"rate": hit / tokens, "told": told_hit / max(1, told_hit + told_miss), "first": sum(firsts) / max(1, len(firsts)),
            "broken": broken, "calls": calls}


async def affinity(lab):
    rounds, warm = (10, 6) if lab.args.quick else (16, 6)
    alive = APPLICATIONS * SYSTEM_BYTES + APPLICATIONS * EACH * TURNS * TURN_BYTES
    engine = {"blocks": int(alive / BLOCK_BYTES * CACHE_SHARE), "prefill_us": PREFILL_US}
    sims = [Sim(lab, engine=engine) for _ in NAMES]
    models = "".join(peers(name, *NAMES, more=f'balance = "{balance}"', timeouts="") for name, balance in (("prefix", "prefix"), ("turns", "round-robin")))
    gateway = Gateway(lab, "".join(sim.provider(name) for name, sim in zip(NAMES, sims)) + models)
    turns = await play(gateway, sims, "turns", lab.args.seed, rounds, warm)
    prefix = await play(gateway, sims, "prefix", lab.args.seed, rounds, warm)
    mean = sum(prefix["calls"].values()) / 4
    lab.expect("no call broke", not (turns["broken"] or prefix["broken"]), "0", len(turns["broken"] + prefix["broken"]))
    lab.expect("hit rate by prefix", prefix["rate"] >= 0.85, ">= 85 %", f"{prefix['rate']:.1%}")
    lab.expect("hit rate in turn", turns["rate"] <= 0.30, "<= 30 %", f"{turns['rate']:.1%}")
    lab.expect("first token", turns["first"] >= 2 * prefix["first"], ">= 2 x sooner",
               f"{turns['first'] / prefix['first']:.1f} x ({turns['first'] * 1e3:.0f} ms in turn, {prefix['first'] * 1e3:.0f} ms by prefix)")
    lab.expect("load stays even", max(prefix["calls"].values()) <= 1.5 * mean and len(prefix["calls"]) == 4, "<= 1.5 x the mean",
               json.dumps(prefix["calls"], sort_keys=True))
    lab.expect("the gateway's own figure", abs(prefix["told"] - prefix["rate"]) < 0.05, f"{prefix['rate']:.1%} +- 5", f"{prefix['told']:.1%}")


if __name__ == "__main__":
    sys.exit(Lab(__doc__, seed=20).run(affinity))
