"""Calls as a client makes them, and what it sees of their answers.

No call raises: one whose connection ends without an answer has the status 0. What is cut off later keeps what came of it.
"""

import asyncio
import json
import time

KEY = "drill-key"
CHATS = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "hello"}]
# A gateway that is slow to answer an open loop must not cost the client all its ports.
KEPT_MAX = 2000


def request(model="m", is_stream=False, tokens=8, key=KEY, body=None, path=CHATS, **fields):
    """One call's bytes. `tokens`: at most so many, or None; `body`: more of it; the rest are header fields, `_` for `-`."""
    limit = {"max_tokens": tokens} if tokens else {}
    text = json.dumps({"model": model, "stream": is_stream, "messages": HELLO} | limit | (body or {}))
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return (f"POST {path} HTTP/1.1\r\nhost: drill\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\n{more}content-length: {len(text)}\r\n\r\n{text}").encode()


class Answer:
    """`seconds` to the end of it, `first` to its first content, if it is a stream of chat completions."""

    def __init__(self, begun):
        self.status, self.fields, self.body, self.first, self.begun, self.ended = 0, {}, bytearray(), None, begun, begun
        self.is_whole, self.line = False, 0

    @property
    def seconds(self):
        return self.ended - self.begun

    @property
    def events(self):
        return [line[6:].strip() for line in self.body.split(b"\n") if line.startswith(b"data: ")]

    async def read(self, reader):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if lines[0].startswith("HTTP/1.1 ") else 0
        self.fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if ": " in line)}
        try:
            if "content-length" in self.fields:
                await self.read_piece(reader, int(self.fields["content-length"]))
            elif self.fields.get("transfer-encoding") == "chunked":
                while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                    await self.read_piece(reader, size)
                    await reader.readexactly(2)
                await reader.readuntil(b"\r\n")
            else:
                self.take(await reader.read())
            self.is_whole = True
        except asyncio.IncompleteReadError:
            pass

    async def read_piece(self, reader, size):
        try:
            self.take(await reader.readexactly(size))
        except asyncio.IncompleteReadError as cut:
            self.take(cut.partial)
            raise

    def take(self, piece):
        self.body += piece
        newline = piece.rfind(b"\n")
        if self.first is not None or newline < 0:
            return
        end = len(self.body) - len(piece) + newline + 1
        if any(line.startswith(b"data: ") and b'"content":"' in line and b'"content":""' not in line for line in self.body[self.line:end].split(b"\n")):
            self.first = time.monotonic() - self.begun
        self.line = end


class Client:
    """Each call on a connection of its own, or, where they are kept, over as many as are needed."""

    def __init__(self, port, is_kept=False):
        self.port, self.is_kept, self.idle, self.open = port, is_kept, [], 0

    async def call(self, model="m", is_stream=False, timeout=30.0, tokens=8, key=KEY, body=None, path=CHATS, **fields):
        """One call, as in `request`. Time runs from before its connection is made; where they are kept, from when there is one."""
        if not self.is_kept:
            fields["connection"] = "close"
        text = request(model, is_stream, tokens, key, body, path, **fields)
        answer, writer = Answer(time.monotonic()), None
        if self.is_kept and not self.idle and self.open >= KEPT_MAX:
            return answer
        try:
            async with asyncio.timeout(timeout):
                reader, writer = self.idle.pop() if self.idle else await self.connect()
                if self.is_kept:
                    answer.begun = time.monotonic()
                writer.write(text)
                await answer.read(reader)
        except (OSError, TimeoutError, EOFError, ValueError, IndexError, asyncio.LimitOverrunError):
            answer.status, answer.fields, answer.body, answer.first, answer.is_whole = 0, {}, bytearray(), None, False
        answer.ended, answer.body = time.monotonic(), bytes(answer.body)
        if self.is_kept and answer.is_whole and answer.fields.get("connection") != "close":
            self.idle.append((reader, writer))
        elif writer:
            self.open -= 1
            writer.close()
        return answer

    async def connect(self):
        connection = await asyncio.open_connection("127.0.0.1", self.port)
        self.open += 1
        return connection

    async def load(self, seconds, rate, model="m", dice=None, **what):
        """Calls at an even rate, or, with dice, at random as from many clients (Poisson), whatever becomes of them.

        Their answers are in order of their start."""
        due, tasks = time.monotonic(), []
        for _ in range(int(seconds * rate)):
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(self.call(model, **what)))
            due += dice.expovariate(rate) if dice else 1 / rate
        return await asyncio.gather(*tasks)

    def close(self):
        for _, writer in self.idle:
            writer.close()
        self.idle.clear()
