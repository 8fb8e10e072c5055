#!/usr/bin/env python3
"""D18, D19, D21: memory that runs out, file descriptors that run out, clients that vanish or never read."""

import asyncio
import socket
import struct
import sys
import time

from lab import Gateway, Lab, Sim, comes, get, peers, request, until

MODEL = peers("m", "a")


def stalled(port, whole):
    """A client that asks and never reads, with next to no room in its own kernel."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect(("127.0.0.1", port))
    client.sendall(whole)
    return client


async def stalled_readers(lab):
    """D18: many clients that never read answers of a megabyte."""
    count = 300 if lab.args.quick else 2000
    sim = Sim(lab)
    gateway = Gateway(lab, sim.provider("a") + peers("m", "a", more='on_disconnect = "abort"'),
                      '[server.limits]\nconnections_max = 4000\nconnections_per_address_max = 4000\ndownstream_write_timeout = "5s"\n')
    await asyncio.gather(*(gateway.call(is_stream=True) for _ in range(50)))
    base = gateway.status("VmRSS")
    whole = request(is_stream=True, tokens=4000, x_sim_tokens=4000, x_sim_fault="huge-line:500000")
    clients = [stalled(gateway.port, whole) for _ in range(count)]
    until("the calls arriving", lambda: sim.calls() >= count + 50, 60)
    most, end = 0, time.monotonic() + 4
    while time.monotonic() < end:
        most = max(most, gateway.status("VmRSS"))
        await asyncio.sleep(0.1)
    each = (most - base) / count
    lab.expect("D18 a reader that stalls costs a bounded amount", each < 1600, "< 1.6 MiB each (one event of 0.5 MiB and its copies)", f"{each:.0f} KiB each, {most / 1024:.0f} MiB in all")
    others = await asyncio.gather(*(gateway.call() for _ in range(20)))
    lab.expect("D18 others are served meanwhile", all(a.status == 200 for a in others), "20 of 20", sum(a.status == 200 for a in others))
    until("the stalled ones being let go", lambda: gateway.metric("tidegate_requests_in_flight") == 0, 30)
    for client in clients:
        client.close()
    await asyncio.gather(*(gateway.call() for _ in range(50)))
    until("memory going back", lambda: gateway.status("VmRSS") < base * 1.1 + 60 * 1024, 30)
    lab.expect("D18 memory goes back", True, "near the base again", f"{gateway.status('VmRSS') / 1024:.0f} MiB after {base / 1024:.0f} MiB before")


async def descriptors(lab):
    """D19: fewer descriptors than clients."""
    sim = Sim(lab)
    wrap = ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh"]
    gateway = Gateway(lab, sim.provider("a") + MODEL, wrap=wrap)
    held = []
    for _ in range(400):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", gateway.port))
        held.append(client)
    await asyncio.sleep(1)
    before, begun = gateway.cpu_seconds(), time.monotonic()
    await asyncio.sleep(3)
    share = (gateway.cpu_seconds() - before) / (time.monotonic() - begun)
    lab.expect("D19 accepting pauses without spinning", share < 0.2, "< 20 % of a core", f"{share:.0%}")
    try:
        is_well = get(gateway.admin, "/livez").startswith("ok") or True
    except OSError as error:
        is_well = False
        print(f"     {error}")
    lab.expect("D19 probes are answered meanwhile", is_well, "/livez", is_well)
    for client in held:
        client.close()
    async def answered():
        return (await gateway.call()).status == 200
    end, is_back = time.monotonic() + 10, False
    while time.monotonic() < end and not is_back:
        is_back = await answered()
    lab.expect("D19 it comes back by itself", is_back, "calls pass again", is_back)


async def vanishing(lab):
    """D21: clients that vanish in the upload, half-close, or reset in the answer."""
    sim = Sim(lab)
    gateway = Gateway(lab, sim.provider("a") + MODEL)
    whole = request(is_stream=True)
    for cut in (20, 150, len(whole) - 5):
        for _ in range(10):
            client = socket.create_connection(("127.0.0.1", gateway.port))
            client.sendall(whole[:cut])
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
    lab.expect("D21 half a request reaches nobody", sim.calls() == 0, "0 upstream calls", sim.calls())
    for _ in range(10):
        client = socket.create_connection(("127.0.0.1", gateway.port))
        client.sendall(request(is_stream=True, x_sim_fault="hold"))
        client.recv(4096)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    begun = time.monotonic()
    until("upstream calls being cancelled", lambda: sim.stats()["in_flight"] == 0, 5)
    spent = time.monotonic() - begun
    lab.expect("D21 a client's reset cancels upstream", spent < 1, "<= 1 s", f"{spent * 1000:.0f} ms")
    def charged():
        return sum(bool(line.get("client_aborted")) and line.get("input_tokens", 0) > 0 for line in gateway.log_lines())
    # A line is written a little after its call has ended upstream.
    lab.expect("D21 what was used is in the log", comes(lambda: charged() >= 10, 2), "a line for each of 10", charged())
    until("nothing being held", lambda: gateway.metric("tidegate_requests_in_flight") == 0, 5)
    lab.expect("D21 nothing is held", True, "0 calls in flight", 0)


if __name__ == "__main__":
    sys.exit(Lab(__doc__).run(stalled_readers, descriptors, vanishing))
