#!/usr/bin/env python3
"""D4, D7, D8, D9, D10, D11, D12: upstreams that drip, lie, break off or say too much; TLS and names that are wrong."""

import asyncio
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import warnings

from lab import Gateway, Lab, Sim, in_order, provider, until

CALM = 'cooldown = { base = "1ms", max = "1ms" }'
ONCE = "failover = { attempts = 1 }"


async def slow_drip(lab):
    """D4: heads and tokens that come a byte at a time, or not at all."""
    sims = {}
    config = ""
    for name, behaviour in {"head": {"fault": "black-hole"}, "first": {"delay_first_ms": 60000}, "between": {"fault": "hold"}, "steady": {"delay_token_ms": 300, "tokens": 8}}.items():
        sims[name] = Sim(lab, **behaviour)
        config += sims[name].provider(name, CALM) + in_order(name, name, more=ONCE)
    gateway = Gateway(lab, config, 'stream_keepalive = "200ms"')
    head, first, between, steady = await asyncio.gather(*(gateway.call(name, is_stream=True) for name in sims))
    lab.expect("D4 no head", 1.9 < head.seconds < 3.5, "the head's deadline (2 s)", f"{head.status} after {head.seconds:.1f} s")
    lab.expect("D4 no first token", 4.9 < first.seconds < 8.5, "its deadline (5 s)", f"{first.status} after {first.seconds:.1f} s")
    lab.expect("D4 silence between tokens", 4.9 < between.seconds < 8.5 and between.body.count(b'"error"') == 1, "5 s, then one error event", f"{between.seconds:.1f} s, {between.body.count(b'error')} mentions")
    is_whole = steady.status == 200 and b"[DONE]" in steady.body and steady.body.count(b"\n: ") + steady.body.startswith(b": ") > 0
    lab.expect("D4 a slow stream is kept alive by comments", is_whole, "whole, with comments between", f"{steady.status}, {steady.body.count(b': ')} comments")
    until("upstream calls being cancelled", lambda: sum(sim.stats()["in_flight"] for sim in sims.values()) == 0, 5)
    lab.expect("D4 nothing is left upstream", True, "0 calls under way", 0)


async def lies(lab):
    """D7, D8: bodies that are not what they say."""
    for fault in ("not-json", "empty", "wrong-content-length:+50", "wrong-content-length:-5", "both-lengths"):
        bad, good = Sim(lab, fault=fault), Sim(lab)
        gateway = Gateway(lab, bad.provider("bad", CALM) + good.provider("good") + in_order("m", "bad", "good") + in_order("alone", "bad", more=ONCE))
        both, alone = await gateway.call(), await gateway.call("alone")
        after = [await gateway.call() for _ in range(5)]
        is_told = alone.status in (502, 504) or alone.body.count(b'"error"') == 1
        # A body longer than its length is cut at it, and the connection ends: the answer may be whole.
        if fault == "wrong-content-length:-5":
            is_told = is_told or alone.status == 200
        lab.expect(f"D7/D8 {fault}: alone", is_told and b"<html" not in alone.body, "an error that shows nothing of it", f"{alone.status} {alone.body[:60]!r}")
        lab.expect(f"D7/D8 {fault}: with another target", both.status == 200 and all(a.status == 200 for a in after), "answered by it, 6 of 6", f"{(both.status == 200) + sum(a.status == 200 for a in after)}")
        lab.end_all()


async def cuts(lab):
    """D9: streams cut at any place."""
    sim = Sim(lab)
    gateway = Gateway(lab, sim.provider("a", CALM) + in_order("m", "a", more=ONCE))
    wrong = []
    for fault in [f"{kind}:{after}" for kind in ("reset-after", "close-after", "end-after", "error-after") for after in (1, 2, 5)] + ["no-terminal"]:
        answer = await gateway.call(is_stream=True, x_sim_fault=fault, x_sim_tokens=8)
        errors, done = answer.body.count(b'"error"'), answer.body.count(b"[DONE]")
        events = [line[6:] for line in answer.body.split(b"\n") if line.startswith(b"data: {")]
        try:
            [json.loads(event) for event in events]
            is_whole = True
        except ValueError:
            is_whole = False
        if (errors, done, is_whole) != (1, 0, True):
            wrong.append(f"{fault}: {errors} errors, {done} [DONE], whole events {is_whole}")
    lab.expect("D9 every cut ends with one error, no [DONE], no half event", not wrong, "13 of 13", 13 - len(wrong) if not wrong else "; ".join(wrong))


class Chatter:
    """An upstream that says more than the simulator does: so many events, one to a chunk."""

    def __init__(self, count):
        self.count = count

    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(line.split(": ")[1] for line in head.split("\r\n") if line.startswith("content-length: "))
        await reader.readexactly(int(length))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n")
        for number in range(self.count + 1):
            delta, reason = ('{"content":"x"}', "null") if number < self.count else ("{}", '"stop"')
            self.say(writer, f'{{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}')
            if number % 64 == 0:
                await writer.drain()
        self.say(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")
        writer.close()

    @staticmethod
    def say(writer, data):
        event = f"data: {data}\n\n"
        writer.write(f"{len(event):x}\r\n{event}\r\n".encode())


async def too_much(lab):
    """D10: a line of 60 MB, and a stream of a hundred thousand events."""
    sim, count = Sim(lab), 20_000 if lab.args.quick else 100_000
    chatter = provider("chatter", await Chatter(count).open(), CALM) + in_order("chatter", "chatter", more=ONCE)
    gateway = Gateway(lab, sim.provider("a", CALM) + in_order("m", "a", more=ONCE) + chatter)
    await gateway.call(is_stream=True)
    base = gateway.status("VmRSS")
    answer = await gateway.call(is_stream=True, x_sim_fault="huge-line:60000000", timeout=60)
    grown = (gateway.status("VmHWM") - base) / 1024
    lab.expect("D10 a line of 60 MB", answer.status in (200, 502) and b'"error"' in answer.body and len(answer.body) < 5_000_000, "an error instead of it", f"{answer.status}, {len(answer.body)} bytes")
    lab.expect("D10 memory stays", grown < 64, "< 64 MiB more", f"{grown:.0f} MiB")
    begun = gateway.cpu_seconds()
    answer = await gateway.call("chatter", is_stream=True, tokens=count, timeout=120)
    spent = gateway.cpu_seconds() - begun
    events = answer.body.count(b"data: {")
    lab.expect("D10 many small events", b"[DONE]" in answer.body and events >= count and spent < 20, "whole, in bounded time", f"{events} events, {spent:.1f} s of CPU")


class TlsServer:
    """Answers every call with one word, over TLS with the certificate it was given."""

    def __init__(self, cert, key, oldest=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        if oldest:
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings(action="ignore"):
                context.minimum_version = context.maximum_version = oldest
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.context, self.calls = self.listener.getsockname()[1], context, 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        body = b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}'
        while True:
            try:
                client, _ = self.listener.accept()
                client.settimeout(5)
                with self.context.wrap_socket(client, server_side=True) as stream:
                    if stream.recv(65536):
                        self.calls += 1
                        stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            except (OSError, ssl.SSLError):
                continue


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


async def certificates(lab):
    """D11: certificates that are expired, of another name, by nobody known; TLS 1.0."""
    if not shutil.which("openssl"):
        print("SKIP D11: needs openssl (apt-get install openssl)")
        return
    folder = lab.folder
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(folder, "req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=drill", "-days", "30")
    def leaf(name, host, *more):
        openssl(folder, "req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={host}")
        (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{host}")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.pem", "-extfile", f"{name}.ext", *more)
        return folder / f"{name}.pem", folder / f"{name}.key"
    openssl(folder, "req", "-x509", *new, "-keyout", "own.key", "-out", "own.pem", "-subj", "/CN=edge.test", "-addext", "subjectAltName=DNS:edge.test", "-days", "30")
    servers = {
        "good": TlsServer(*leaf("good", "edge.test", "-days", "30")),
        "expired": TlsServer(*leaf("expired", "edge.test", "-not_before", "20200101000000Z", "-not_after", "20210101000000Z") if openssl_takes_dates() else leaf("expired", "edge.test", "-days", "-1")),
        "other": TlsServer(*leaf("other", "else.test", "-days", "30")),
        "own": TlsServer(folder / "own.pem", folder / "own.key"),
        "old": TlsServer(folder / "good.pem", folder / "good.key", ssl.TLSVersion.TLSv1),
    }
    config = "".join(provider(name, f"https://127.0.0.1:{server.port}/v1", CALM, f'tls = {{ ca = "{folder}/ca.pem", server_name = "edge.test" }}')
                     + in_order(name, name, more=ONCE) for name, server in servers.items())
    gateway = Gateway(lab, config)
    for name, server in servers.items():
        answer = await gateway.call(name)
        if name == "good":
            lab.expect("D11 a good certificate", answer.status == 200, "200", answer.status)
        else:
            failed = gateway.metric("tidegate_upstream_attempts_total", f'provider="{name}"', 'outcome="tls"')
            lab.expect(f"D11 {name}", answer.status == 502 and server.calls == 0 and failed == 1, "502, nothing sent, counted as tls", f"{answer.status}, {server.calls} calls, {failed:.0f} counted")


def openssl_takes_dates():
    return "-not_before" in subprocess.run(["openssl", "x509", "-help"], capture_output=True, text=True).stderr


class Names:
    """A name server for `*.drill.test`; it can be silent."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.known, self.is_silent, self.asked = {}, False, 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(512)
            except OSError:
                return
            self.asked += 1
            if self.is_silent:
                continue
            at, labels = 12, []
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += query[at] + 1
            kind = struct.unpack(">H", query[at + 1:at + 3])[0]
            addresses = self.known.get(labels[0])
            question = query[12:at + 5]
            answers = [b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04" + socket.inet_aton(a) for a in addresses or []] if kind == 1 else []
            code = 0x8180 if addresses else 0x8183
            self.socket.sendto(query[:2] + struct.pack(">HHHHH", code, 1, len(answers), 0, 0) + question + b"".join(answers), peer)


async def names(lab):
    """D12: names that do not resolve, a name server that falls silent, addresses that change."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        print("SKIP D12: needs root for a resolv.conf of its own (unshare -m)")
        return
    (lab.folder / "resolv.conf").write_text("nameserver 127.0.0.53\noptions timeout:1 attempts:1\n")
    try:
        server = Names("127.0.0.53")
    except OSError as error:
        print(f"SKIP D12: 127.0.0.53:53 is taken ({error})")
        return
    near, other = Sim(lab), Sim(lab)
    server.known = {"near": ["127.0.0.1"], "many": [f"127.0.1.{n}" for n in range(1, 20)] + ["127.0.0.1"]}
    def named(name, port):
        return provider(name, f"http://{name}.drill.test:{port}/v1", CALM) + in_order(name, name, more=ONCE)
    wrap = ["unshare", "-m", "sh", "-c", f'mount --bind {lab.folder}/resolv.conf /etc/resolv.conf && exec "$@"', "sh"]
    gateway = Gateway(lab, named("near", near.port) + named("gone", 1) + other.provider("other") + in_order("other", "other") + in_order("both", "gone", "other"), wrap=wrap)
    answer = await gateway.call("near")
    lab.expect("D12 a name is looked up", answer.status == 200, "200", answer.status)
    answer = await gateway.call("gone")
    counted = gateway.metric("tidegate_upstream_attempts_total", 'outcome="dns"')
    lab.expect("D12 NXDOMAIN", answer.status == 502 and counted >= 1, "502, counted as dns", f"{answer.status}, {counted:.0f}")
    answer = await gateway.call("both")
    lab.expect("D12 NXDOMAIN -> next target", answer.status == 200 and answer.seconds < 1.2, "answered by it", f"{answer.status} after {answer.seconds * 1000:.0f} ms")
    server.is_silent = True
    answers = []
    end = time.monotonic() + 36
    while time.monotonic() < end:
        answers += await asyncio.gather(gateway.call("near"), gateway.call("other"))
        await asyncio.sleep(0.5)
    slow = max(a.seconds for a in answers)
    lab.expect("D12 the name server is silent for 36 s", all(a.status == 200 for a in answers) and slow < 0.5, "the last good address serves, nobody waits", f"{sum(a.status == 200 for a in answers)} of {len(answers)}, the slowest {slow * 1000:.0f} ms")
    server.is_silent = False
    server.known["near"] = ["127.0.0.77"]
    moved = Sim(lab, "127.0.0.77", near.port)
    near.process.kill()
    begun = time.monotonic()
    until("the new address being used", lambda: asyncio_call(gateway, "near"), 45)
    lab.expect("D12 an address that changed", moved.calls() > 0, "used within 30 s of the next look-up", f"after {time.monotonic() - begun:.0f} s")


def asyncio_call(gateway, name):
    result = []
    thread = threading.Thread(target=lambda: result.append(asyncio.run(gateway.call(name)).status))
    thread.start()
    thread.join()
    time.sleep(0.3)
    return result == [200]


if __name__ == "__main__":
    sys.exit(Lab(__doc__).run(slow_drip, lies, cuts, too_much, certificates, names))
