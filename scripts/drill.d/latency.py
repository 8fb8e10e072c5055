#!/usr/bin/env python3
"""Slow first tokens and unequal targets: what hedging and the balance by measured times are worth; mirrors that hang: what they cost."""

import random
import sys

from lab import Gateway, Lab, Sim, peers, quantile, until


async def hedging(lab):
    """A twentieth of first tokens comes twenty times later."""
    seconds, rate, usual = (20 if lab.args.quick else 60), 40, 50
    seen = {}
    for name, hedge in (("without", ""), ("with", 'hedge = { percentile = 95, after_min = "20ms", share = 5 }')):
        sims = [Sim(lab) for _ in range(3)]
        for number, sim in enumerate(sims, 1):
            sim.behave(seed=lab.args.seed + number, delay_first_ms=usual, fault=f"slow-header:{usual * 20}", fault_share=0.05)
        gateway = Gateway(lab, "".join(sim.provider(target) for target, sim in zip("abc", sims)) + peers("m", *"abc", more='balance = "round-robin"\n' + hedge))
        # Long enough for the usual time to be known.
        await gateway.load(3, rate, is_stream=True)
        before = sum(sim.calls() for sim in sims)
        answers = await gateway.load(seconds, rate, is_stream=True)
        times = [answer.seconds * 1000 for answer in answers if answer.status == 200]
        seen[name] = quantile(times, 0.99), (sum(sim.calls() for sim in sims) - before) / len(answers) - 1, len(answers) - len(times)
        lab.end_all()
    (slow, _, lost), (quick, extra, lost_too) = seen["without"], seen["with"]
    lab.expect("hedging: p99 of the first token", quick <= slow * 0.3, "70 % less", f"{slow:.0f} ms without, {quick:.0f} ms with ({1 - quick / slow:.0%} less)")
    lab.expect("hedging: calls more", extra <= 0.055, "<= 5 % (and half a percent for the edges of the window)", f"{extra:.1%}")
    lab.expect("hedging: none is lost", lost + lost_too == 0, "0", lost + lost_too)


async def unequal(lab):
    """Five targets, the slowest sixteen times slower than the quickest, each with four places and a line before them.

    A fifth of the calls is nearly all that the slowest can take: 12.2 a second, where it does 12.5. They come as from many
    clients, at the same moments for both balances."""
    seconds, rate = (15 if lab.args.quick else 40), 61
    seen = {}
    for balance in ("round-robin", "fastest"):
        sims = [Sim(lab) for _ in range(5)]
        for sim, delay in zip(sims, (20, 40, 80, 160, 320)):
            sim.behave(delay_first_ms=delay, slots=4, line=1000)
        gateway = Gateway(lab, "".join(sim.provider(target) for target, sim in zip("abcde", sims)) + peers("m", *"abcde", more=f'balance = "{balance}"'))
        dice = random.Random(lab.args.seed)
        await gateway.load(4, rate, dice=dice, is_stream=True)
        answers = await gateway.load(seconds, rate, dice=dice, is_stream=True)
        lab.expect(f"{balance}: none is lost", all(answer.status == 200 for answer in answers), len(answers), sum(answer.status == 200 for answer in answers))
        seen[balance] = quantile([answer.seconds * 1000 for answer in answers if answer.status == 200], 0.99)
        lab.end_all()
    ratio = seen["fastest"] / seen["round-robin"]
    lab.expect("fastest against round-robin on five unequal targets: p99", ratio <= 0.6, "<= 0.6 x", f"{ratio:.2f} x ({seen['fastest']:.0f} ms, {seen['round-robin']:.0f} ms)")


async def mirror(lab):
    """Every call is copied to a mirror that never ends its answers, then to one that takes twice as long."""
    seconds, rate, usual = (8 if lab.args.quick else 20), 40, 50
    primary, shadow = Sim(lab), Sim(lab)
    primary.behave(delay_first_ms=usual)
    shadow.behave(fault="hold")
    copies = 'mirror = { provider = "b", share = 100, in_flight = 100, timeout = "1s" }'
    gateway = Gateway(lab, primary.provider("a") + shadow.provider("b") + peers("n", "a") + peers("m", "a", more=copies))
    p99, lost = {}, 0
    for model in ("n", "m"):
        answers = await gateway.load(seconds, rate, model=model, is_stream=True)
        p99[model] = quantile([answer.seconds * 1000 for answer in answers if answer.status == 200], 0.99)
        lost += sum(answer.status != 200 for answer in answers)
    lab.expect("a mirror that hangs: p99 of the first token", p99["m"] <= p99["n"] * 1.1 + 5, "<= 1.1 x and 5 ms", f"{p99['n']:.0f} ms without, {p99['m']:.0f} ms with")
    lab.expect("a mirror that hangs: none is lost", lost == 0, "0", lost)
    until("all copies are over", lambda: gateway.metric("tidegate_mirror_in_flight") == 0)
    copied = {what: gateway.metric("tidegate_mirror_requests_total", f'outcome="{what}"') for what in ("ok", "failed", "unfit", "skipped")}
    lab.expect("each call is copied once, or told as skipped", copied["failed"] == shadow.calls() and copied["failed"] + copied["skipped"] == len(answers) and copied["failed"] > 0, len(answers), copied)
    lab.end_all()

    primary, shadow = Sim(lab), Sim(lab)
    primary.behave(delay_first_ms=usual)
    shadow.behave(delay_first_ms=2 * usual)
    gateway = Gateway(lab, primary.provider("a") + shadow.provider("b") + peers("m", "a", more=copies))
    answers = await gateway.load(seconds, rate, is_stream=True)
    until("all copies are over", lambda: gateway.metric("tidegate_mirror_in_flight") == 0)
    mean = {side: gateway.metric("tidegate_mirror_seconds_sum", f'side="{side}"') / len(answers) * 1000 for side in ("primary", "mirror")}
    ratio = mean["mirror"] / mean["primary"]
    lab.expect("a mirror twice as slow: so the metrics say", 1.7 <= ratio <= 2.2, "1.7 to 2.2 x", f"{ratio:.2f} x ({mean['primary']:.0f} ms, {mean['mirror']:.0f} ms of {len(answers)} pairs)")
    lab.end_all()


if __name__ == "__main__":
    sys.exit(Lab(__doc__, seed=0).run(hedging, unequal, mirror))
