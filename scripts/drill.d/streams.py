#!/usr/bin/env python3
"""Breaks every stream of an upstream at a random token, and reads what the clients got of it.

Starts two simulators and a gateway. The first simulator breaks each of its streams after one to forty of
its words: by a reset, a close, a proper end without the last event, or an error event. The second one does
so with one stream in twenty. With recovery on, streams that broke once must be whole, word for word; all
others must end with the one error event of their dialect, and hold the beginning of the right words and
nothing else. The simulators know the words; their own counts must agree with the gateway's.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter

from lab import CHATS, Client, Gateway, Lab, Sim, provider, until

WORDS, BREAK_WITHIN, SHARE = 48, 40, 0.05
AT_ONCE = 200
MESSAGES = "/v1/messages"
# The path of each model; the last one is not gone on with.
MODELS = {"chat": CHATS, "messages": MESSAGES, "mixed": MESSAGES, "plain": CHATS}
ASKED = {"messages": [{"role": "user", "content": "Go on."}]}


def sections(first, second):
    def target(name, number, more):
        return f'{{ provider = "{name}", model = "words", priority = {number}{more} }}'
    def model(name, one, two, is_recovered=True):
        # Every stream breaks: more than a fifth of the calls are tried again.
        more = "failover = { attempts = 3, retry_percent = 100, retry_min = 1000 }" + ('\nrecovery = "continue"' if is_recovered else "")
        return f"[models.{name}]\ntargets = [{target(*one)}, {target(*two)}]\n{more}\n"
    def of(chats_or_messages):
        more = ', prefill = "prefix"' if chats_or_messages == "chat" else ", prefill = true"
        return [(f"{name}-{chats_or_messages}", place, more) for place, name in enumerate(("first", "second"), 1)]
    text = ""
    for name, sim in (("first", first), ("second", second)):
        # One that breaks all its streams would soon be left alone: here it is to be asked all the same.
        more = 'cooldown = { base = "1ms", max = "1ms", slow_start = "1ms" }'
        text += sim.provider(f"{name}-chat", more) + provider(f"{name}-messages", f"http://127.0.0.1:{sim.port}", more, kind="anthropic-compatible")
    chat, messages = of("chat"), of("messages")
    return text + model("chat", *chat) + model("messages", *messages) + model("mixed", chat[0], messages[1]) + model("plain", *chat, is_recovered=False)


async def words_of(teller, seed):
    """The whole text that a chat with this seed is answered with."""
    answer = await Client(teller.port).call(tokens=None, body=ASKED | {"seed": seed})
    return json.loads(answer.body)["choices"][0]["message"]["content"]


class Stream:
    """One stream as its client read it."""

    def __init__(self, model, seed):
        self.model, self.seed, self.text, self.errors, self.ends, self.ids = model, seed, "", 0, 0, set()

    def body(self):
        # Anthropic has no seed: there the scenario's words are everybody's.
        return ASKED | ({"max_tokens": 4 * WORDS} if MODELS[self.model] == MESSAGES else {"seed": self.seed})

    async def read(self, gateway):
        answer = await gateway.call(self.model, is_stream=True, timeout=60, tokens=None, body=self.body(), path=MODELS[self.model], anthropic_version="2023-06-01")
        if answer.status != 200 or not answer.is_whole:
            print(f"          a stream of {self.model} was no stream: {answer.status} {answer.body[-60:]!r}")
            self.text = "\0"
            return
        for event in answer.body.decode().split("\n\n"):
            data = "".join(line[6:] for line in event.splitlines() if line.startswith("data: "))
            if data == "[DONE]":
                self.ends += 1
            elif data:
                self.take(json.loads(data))

    def take(self, data):
        if "error" in data:
            self.errors += 1
        elif "choices" in data:
            self.ids.add(data["id"])
            for choice in data["choices"]:
                self.text += choice["delta"].get("content") or ""
        elif data["type"] == "message_start":
            self.ids.add(data["message"]["id"])
        elif data["type"] == "content_block_delta":
            self.text += data["delta"]["text"]
        elif data["type"] == "message_stop":
            self.ends += 1

    def verdict(self, words):
        if not words.startswith(self.text):
            return "wrong"
        if self.text == words and (self.ends, self.errors) == (1, 0) and len(self.ids) == 1:
            return "exact"
        return "error" if (self.ends, self.errors) == (0, 1) else "wrong"


async def read_all(streams, gateway):
    places = asyncio.Semaphore(AT_ONCE)

    async def one(stream):
        async with places:
            await stream.read(gateway)

    await asyncio.gather(*(one(stream) for stream in streams))


async def streams(lab):
    count = 100 if lab.args.quick else 1000
    usual, breaks = {"tokens": WORDS, "delay_token_ms": 2}, {"fault": f"break-within:{BREAK_WITHIN}"}
    first, second, teller = Sim(lab, **usual, **breaks), Sim(lab, **usual, **breaks, fault_share=SHARE), Sim(lab, **usual)
    gateway = Gateway(lab, sections(first, second))
    dice = random.Random(lab.args.seed)
    made = [Stream(dice.choice(list(MODELS)), dice.randrange(1 << 30)) for _ in range(count)]
    begun = time.monotonic()
    await read_all(made, gateway)
    print(f"{count} streams in {time.monotonic() - begun:.1f} s")
    until("the end of all calls", lambda: first.stats()["in_flight"] == 0 and second.stats()["in_flight"] == 0 and len(gateway.log_lines()) >= count)
    said = Counter()
    lost = doubled = 0
    of_messages = await words_of(teller, lab.args.seed)
    for stream in made:
        words = of_messages if MODELS[stream.model] == MESSAGES else await words_of(teller, stream.seed)
        verdict = stream.verdict(words)
        said[stream.model != "plain", verdict] += 1
        have, due = Counter(stream.text.split()), Counter(words.split())
        doubled += sum((have - due).values())
        # Who was told that it is whole has all of it.
        lost += sum((due - have).values()) if stream.ends and not stream.errors else 0
        if verdict == "wrong":
            print(f"          {stream.model} seed {stream.seed}: {stream.errors} errors, {stream.ends} ends, {len(stream.ids)} ids: …{stream.text[-60:]!r}")
    judge(lab, gateway, (first, second), made, said, (lost, doubled))


def judge(lab, gateway, sims, made, said, wrong):
    recovered = sum(stream.model != "plain" for stream in made)
    one, two = (sim.stats() for sim in sims)
    lines = gateway.log_lines()
    continued = sum(line.get("continued", 0) for line in lines)
    told = int(gateway.metric("tidegate_stream_recoveries_total", '"continued"'))
    # Those that the second upstream broke as well.
    twice = sum(len(line.get("failures", [])) == 2 for line in lines if line["model"] != "plain")
    # The first upstream breaks all of its streams, so it is left alone for moments: these went to the second at once, and held.
    spared = [line["model"] == "plain" for line in lines if line["provider"].startswith("second") and not line.get("failures")]
    plain, due = len(made) - recovered - sum(spared), recovered - spared.count(False)
    print(f"NOTE {len(spared)} streams never saw the first upstream")
    checks = [
        ("with recovery, streams whole and exact", f"{recovered - twice}", f"{said[True, 'exact']}"),
        ("with recovery, broken twice and ended with the typed error", f"{twice}", f"{said[True, 'error']}"),
        ("without recovery, ended with the typed error", f"{plain}", f"{said[False, 'error']}"),
        ("words said twice, or that nobody said", "0", f"{wrong[1]}"),
        ("words missing in streams told as whole", "0", f"{wrong[0]}"),
        ("streams gone on with: log, metric, simulators", f"{due} {due} {due}", f"{continued} {told} {one['prefills'] + two['prefills']}"),
        ("beginnings that are none of their answer", "0", f"{one['prefills_unknown'] + two['prefills_unknown']}"),
        ("calls upstream: log", f"{one['requests'] + two['requests']}", f"{sum(line['attempts'] for line in lines)}"),
        ("open afterwards: gateway, simulators", "0 0", f"{gateway.metric('tidegate_open_streams'):.0f} {one['in_flight'] + two['in_flight']}"),
    ]
    for name, expected, saw in checks:
        lab.expect(name, expected == saw, expected, saw)


if __name__ == "__main__":
    sys.exit(Lab(__doc__, seed=None).run(streams))
