#!/usr/bin/env python3
"""What 100,000 keys and 10,000 budgets cost: memory at rest and while a node starts, and a key's way in.

Made over the admin API into a SQLite store. Once with keys that their teams' budgets and one team in ten's limits hold for, and
once with two limits of each key's own on top.
"""

import asyncio
import http.client
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from lab import Gateway, Lab, Sim, peers, until

OWNER = "owner-token-of-the-drill"
WRITERS = 4
OWN = {"policy": {"limits": [{"unit": "requests", "per": "minute", "amount": 600}, {"unit": "tokens", "per": "day", "amount": 5_000_000}]}}


class Owner:
    """A connection to the admin API."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def make(self, path, body):
        head = {"authorization": f"Bearer {OWNER}", "content-type": "application/json"}
        self.connection.request("POST", f"/admin/v1/{path}", json.dumps(body), head)
        answer = self.connection.getresponse()
        made = json.loads(answer.read())
        if answer.status != 201:
            raise RuntimeError(f"{path}: {made}")
        return made


def teams(port, tenant, numbers):
    """Teams with a budget each, and an app in each of them."""
    owner, apps = Owner(port), []
    for number in numbers:
        budget = {"name": "month", "usd": "100", "per": "month"}
        limits = [{"unit": "requests", "per": "minute", "amount": 6000}] if number % 10 == 0 else []
        team = owner.make("teams", {"name": f"team {number}", "tenant": tenant, "policy": {"budgets": [budget], "limits": limits}})
        apps.append(owner.make("apps", {"name": "bot", "team": team["id"]})["id"])
    return apps


def keys(port, apps, numbers, more):
    owner = Owner(port)
    for number in numbers:
        last = owner.make("keys", {"name": f"key {number}", "app": apps[number % len(apps)]} | more)
    return last["secret"]


def filled(gateway, key_count, team_count, more):
    """The secret of the last key."""
    tenant = Owner(gateway.admin).make("tenants", {"name": "drill"})["id"]
    with ThreadPoolExecutor(WRITERS) as pool:
        shares = pool.map(lambda at: teams(gateway.admin, tenant, range(at, team_count, WRITERS)), range(WRITERS))
        apps = [app for share in shares for app in share]
        secrets = pool.map(lambda at: keys(gateway.admin, apps, range(at, key_count, WRITERS), more), range(WRITERS))
        return list(secrets)[0]


async def one(lab, name, more, most_mib):
    key_count, team_count = (5_000, 500) if lab.args.quick else (100_000, 10_000)
    os.environ["DRILL_OWNER"], os.environ["DRILL_PEPPER"] = OWNER, "pepper-of-the-drill-which-is-long-enough"
    sim = Sim(lab)
    sections = """
[store]
url = "sqlite:{folder}/tidegate.db"
[auth]
pepper = "env:DRILL_PEPPER"
snapshot = "{folder}/identities.sealed"
[ledger]
spool = "{folder}/spool"
""".replace("{folder}", str(lab.folder / name.replace(" ", "-")))
    (lab.folder / name.replace(" ", "-")).mkdir(mode=0o700)
    gateway = Gateway(lab, sim.provider("a") + peers("m", "a", more='unpriced = "record"') + sections, governed='token = "env:DRILL_OWNER"')
    empty = gateway.status("VmRSS") / 1024
    begun = time.monotonic()
    secret = await asyncio.to_thread(filled, gateway, key_count, team_count, more)
    made = time.monotonic() - begun
    get_in = lambda: asyncio.run(gateway.client.call(key=secret)).status in (200, 403)
    begun = time.monotonic()
    await asyncio.to_thread(until, "the last key being let in", get_in)
    waited = time.monotonic() - begun
    print(f"     {name}: {key_count + 2 * team_count} objects made in {made:.0f} s, {(key_count + 2 * team_count) / made:.0f} a second; the last key was let in {waited * 1000:.0f} ms later")
    gateway.restart(lab)
    await asyncio.to_thread(until, "the last key being let in by the new process", get_in, 60)
    await asyncio.sleep(5)
    rest, most = gateway.status("VmRSS") / 1024, gateway.status("VmHWM") / 1024
    # At a small scale what a process has anyway would hide it.
    bound = int(empty) + 30 if lab.args.quick else most_mib
    lab.expect(f"memory of {key_count:,} keys {name}, {team_count:,} budgets", rest <= bound, f"<= {bound} MiB",
               f"{rest:.0f} MiB, {most:.0f} at most while it started; {empty:.0f} without any")


async def keys_of_teams(lab):
    await one(lab, "as their teams say", {}, 200)


async def keys_with_limits(lab):
    # Beyond what is promised: 200,000 limits more, each told and asked on its own.
    await one(lab, "with two limits of their own", OWN, 300)


if __name__ == "__main__":
    sys.exit(Lab(__doc__).run(keys_of_teams, keys_with_limits))
