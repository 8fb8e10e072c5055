#!/usr/bin/env python3
"""D1, D2, D3, D5, D6, D23, D24, D25: upstreams that refuse, vanish, break, shed or fail at random."""

import asyncio
import collections
import signal
import socket
import sys

from lab import Gateway, Lab, Sim, free_port, in_order, peers, provider, quantile, until

# So that a drill sees an end of it.
COOLDOWN = 'cooldown = { base = "100ms", max = "1s", slow_start = "1s" }'


async def refusing(lab):
    """D1: nothing listens."""
    sim = Sim(lab)
    gateway = Gateway(lab, provider("dead", free_port(), COOLDOWN) + sim.provider("b") + provider("dead2", free_port(), COOLDOWN)
                      + in_order("m", "dead", "b") + in_order("none", "dead", "dead2"))
    answers = [await gateway.call() for _ in range(20)]
    slow = max(answer.seconds for answer in answers) * 1000
    lab.expect("D1 next target answers", all(a.status == 200 for a in answers), "200 of 20 calls", f"{sum(a.status == 200 for a in answers)}")
    lab.expect("D1 connect refused -> next target", slow < 50, "< 50 ms for the whole call", f"{slow:.1f} ms at worst")
    lab.expect("D1 each call reaches the second target once", sim.calls() == 20, "20 upstream calls", sim.calls())
    answers = [await gateway.call("none") for _ in range(20)]
    told = [a for a in answers if a.status in (502, 503) and b'"error"' in a.body]
    lab.expect("D1 all refuse: an error in the client's form", len(told) == 20, "502 or 503 with a body, 20 of 20", f"{len(told)}, {collections.Counter(a.status for a in answers)}")
    cold = [a for a in answers if a.status == 503]
    lab.expect("D1 the breaker opens and says when to come back", bool(cold) and all("retry-after" in a.fields for a in cold), "503 with Retry-After", f"{len(cold)} of them")
    quick = quantile([a.seconds * 1000 for a in cold], 0.5)
    lab.expect("D1 all targets down: answered at once", quick < 5, "< 5 ms (median, connection included)", f"{quick:.2f} ms")


class Hole:
    """An address that swallows connections: a full accept queue, which the kernel answers with silence."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.queue = []
        for _ in range(8):
            waiting = socket.socket()
            waiting.settimeout(0.2)
            try:
                waiting.connect(("127.0.0.1", self.port))
            except TimeoutError:
                waiting.close()
                return
            self.queue.append(waiting)
        print("drill: the kernel takes every connection", file=sys.stderr)
        raise SystemExit(2)


async def black_hole(lab):
    """D2: nobody answers the connection."""
    sim, hole = Sim(lab), Hole()
    gateway = Gateway(lab, provider("hole", hole.port, COOLDOWN) + sim.provider("b") + in_order("m", "hole", "b"))
    before = gateway.files()
    first = await gateway.call()
    answers = await asyncio.gather(*(gateway.call() for _ in range(50)))
    lab.expect("D2 black hole -> next target", first.status == 200 and 0.95 < first.seconds < 1.05 + 0.05,
               "connect timeout (1 s) + 50 ms", f"{first.status} after {first.seconds * 1000:.0f} ms")
    lab.expect("D2 none is lost meanwhile", all(a.status == 200 for a in answers), "50 of 50", sum(a.status == 200 for a in answers))
    until("connections going back", lambda: gateway.files() <= before + 60, 10)
    lab.expect("D2 no descriptors are left behind", gateway.files() <= before + 60, f"about {before}", gateway.files())


async def reset(lab):
    """D3: reset before and after the first token."""
    bad, good = Sim(lab, fault="reset-after:0"), Sim(lab)
    gateway = Gateway(lab, bad.provider("bad", COOLDOWN) + good.provider("good") + in_order("m", "bad", "good"))
    answer = await gateway.call(is_stream=True)
    lab.expect("D3 reset before content", answer.status == 200 and b"[DONE]" in answer.body, "answered by the next target", answer.status)
    bad.behave(fault="reset-after:3", tokens=8)
    await asyncio.sleep(1.5)  # the first failure's cooldown, at most a second
    answer = await gateway.call(is_stream=True)
    ends = answer.body.count(b'"error"'), answer.body.count(b"[DONE]")
    lab.expect("D3 reset after content", ends == (1, 0), "one error event, no [DONE]", f"{ends[0]} and {ends[1]}")
    lab.expect("D3 it is asked nowhere else", good.calls() == 1, "1 call of the second target", good.calls())


async def shedding(lab):
    """D5: 429 with every kind of Retry-After."""
    for retry_after in ("1", "0", "-5", "1000000000", "soon", "date:1", "ms:900"):
        bad, good = Sim(lab, fault="status:429", retry_after=retry_after), Sim(lab)
        gateway = Gateway(lab, bad.provider("bad", COOLDOWN) + good.provider("good") + in_order("m", "bad", "good") + in_order("alone", "bad"))
        answers = [await gateway.call() for _ in range(10)]
        alone = await gateway.call("alone")
        passed = sum(a.status == 200 for a in answers)
        lab.expect(f"D5 Retry-After {retry_after}", passed == 10 and alone.status == 429 and bad.calls() < 11,
                   "10 answered elsewhere, the 429 told, the target left alone", f"{passed}, {alone.status}, {bad.calls()} calls of it")
        lab.end_all()


async def burst(lab):
    """D6: all fail for a while, then half, then none."""
    seconds, rate = (4, 60) if lab.args.quick else (10, 100)
    sims = [Sim(lab) for _ in range(3)]
    names = ["a", "b", "c"]
    config = "".join(sim.provider(name, COOLDOWN) for name, sim in zip(names, sims))
    gateway = Gateway(lab, config + peers("m", *names, more='failover = { attempts = 3 }\nbalance = "round-robin"'))
    def upstream():
        return sum(sim.calls() for sim in sims)
    await gateway.load(2, rate)
    for sim in sims:
        sim.behave(fault="status:500")
    before = upstream()
    answers = await gateway.load(seconds, rate)
    share = (upstream() - before) / len(answers)
    lab.expect("D6 100 % 500: retries stay in their budget", share <= 1.25, "<= 1.2 upstream calls a request (and 10 retries a window)", f"{share:.2f}")
    worst = max(a.seconds for a in answers)
    lab.expect("D6 100 % 500: everybody is told", all(a.status >= 500 and b'"error"' in a.body for a in answers), "an error each, none hangs", f"{len(answers)} told, the last after {worst * 1000:.0f} ms")
    for sim in sims:
        sim.behave(fault="status:500", fault_share=0.5)
    before = upstream()
    answers = await gateway.load(seconds, rate)
    share = (upstream() - before) / len(answers)
    passed = sum(a.status == 200 for a in answers) / len(answers)
    lab.expect("D6 50 % 500: retries stay in their budget", share <= 1.25, "<= 1.2 upstream calls a request", f"{share:.2f}; {passed:.0%} passed")
    for sim in sims:
        sim.behave()
    answers = await gateway.load(5, rate)
    late = [number / rate for number, answer in enumerate(answers) if answer.status != 200]
    lab.expect("D6 recovery", not late or late[-1] < 4, "all well at most 10 s after the upstream is", f"the last failure {late[-1] if late else 0:.1f} s after")


async def wake(lab):
    """D23: the gateway is stopped for a while and goes on."""
    seconds = 5 if lab.args.quick else 30
    sims = [Sim(lab, delay_first_ms=20) for _ in range(2)]
    gateway = Gateway(lab, "".join(sim.provider(name, COOLDOWN) for name, sim in zip("ab", sims)) + peers("m", "a", "b"))
    await gateway.load(1, 50)
    gateway.process.send_signal(signal.SIGSTOP)
    held = [asyncio.create_task(gateway.call(timeout=seconds + 20)) for _ in range(20)]
    await asyncio.sleep(seconds)
    gateway.process.send_signal(signal.SIGCONT)
    held = await asyncio.gather(*held)
    after = await gateway.load(2, 50)
    lab.expect("D23 what came meanwhile is answered", sum(a.status == 200 for a in held) == 20, "20 of 20", sum(a.status == 200 for a in held))
    lab.expect("D23 no target is taken for ill on waking", all(a.status == 200 for a in after), "all pass", f"{sum(a.status == 200 for a in after)} of {len(after)}")
    cooled = gateway.metric("tidegate_cooldowns_total")
    lab.expect("D23 none was cooled", cooled == 0, "0 cooldowns", cooled)


async def poison(lab):
    """D24: a request that every target refuses or breaks on."""
    sims = [Sim(lab) for _ in range(4)]
    names = list("abcd")
    gateway = Gateway(lab, "".join(sim.provider(name, COOLDOWN) for name, sim in zip(names, sims)) + peers("m", *names))
    for status in (400, 422, 413):
        before = sum(sim.calls() for sim in sims)
        answers = await gateway.load(1, 30, x_sim_fault=f"status:{status}")
        made = sum(sim.calls() for sim in sims) - before
        lab.expect(f"D24 refused with {status}", made == len(answers) and all(a.status == status for a in answers), "one upstream call each, the refusal told", f"{made} for {len(answers)}")
    before = sum(sim.calls() for sim in sims)
    answer = await gateway.call(x_sim_fault="status:500")
    made = sum(sim.calls() for sim in sims) - before
    lab.expect("D24 broken by everybody", made <= 3 and answer.status >= 500, "at most the model's attempts", f"{made} calls, {answer.status}")
    well = await gateway.load(1, 50)
    lab.expect("D24 the others' calls go on", all(a.status == 200 for a in well), "all pass", f"{sum(a.status == 200 for a in well)} of {len(well)}")


async def partial(lab):
    """D25: one of three loses a third of its calls."""
    seconds = 8 if lab.args.quick else 20
    sims = [Sim(lab) for _ in range(3)]
    sims[0].behave(fault="black-hole", fault_share=0.3)
    names = ["a", "b", "c"]
    gateway = Gateway(lab, "".join(sim.provider(name, COOLDOWN) for name, sim in zip(names, sims)) + peers("m", *names, more='balance = "fastest"'))
    answers = await gateway.load(seconds, 60)
    tail = answers[len(answers) // 2:]
    lab.expect("D25 nobody sees it", all(a.status == 200 for a in answers), "all answered", f"{sum(a.status == 200 for a in answers)} of {len(answers)}")
    first, last = sims[0].calls(), 0
    before = [sim.calls() for sim in sims]
    await gateway.load(3, 60)
    last = sims[0].calls() - before[0]
    share = last / max(1, sum(sim.calls() for sim in sims) - sum(before))
    lab.expect("D25 its share moves away", share < 0.2, "< 20 % of calls after 10 s (33 % when even)", f"{share:.0%} (first {first} calls of it)")
    slow = quantile([a.seconds for a in tail], 0.99)
    lab.expect("D25 p99 is bounded by the head's deadline", slow < 2.3, "< 2.3 s", f"{slow:.2f} s")


if __name__ == "__main__":
    sys.exit(Lab(__doc__).run(refusing, black_hole, reset, shedding, burst, wake, poison, partial))
