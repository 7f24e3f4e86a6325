"""A TCP proxy that breaks connections the way networks and busy services do."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

_BLOCK = 16 * 1024
_BODY = b'{"__type":"ThrottlingException","message":"slow down"}'
_XML = b"<Error><Code>SlowDown</Code><Message>slow down</Message></Error>"


@dataclass(frozen=True)
class Weather:
    """Shares of connections that meet each fault; the rest live until `longest_seconds` and are then cut.

    Attributes:
        refused: closed before anything is sent.
        cut: closed after a random number of bytes, in either direction.
        failed: answered 500, 503 or a throttling error.
        slow: every block is late by up to `delay_seconds`.
        outage_every, outage_seconds: how often, and for how long, nothing passes at all.
    """

    refused: float = 0.04
    cut: float = 0.06
    failed: float = 0.06
    slow: float = 0.15
    delay_seconds: float = 0.3
    longest_seconds: float = 60.0
    outage_every: float = 20.0
    outage_seconds: float = 1.5


class Proxy:
    """Forwards loopback connections to `target`, in a thread of its own."""

    def __init__(self, target: str, weather: Weather, seed: int) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._weather = weather
        self._random = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.Task[None]] = set()
        self._out = False
        self.faults = 0
        self.connections = 0
        self.url = ""

    def run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(ready))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def _serve(self, ready: threading.Event) -> None:
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        outages = asyncio.create_task(self._outages())
        await self._stopped.wait()
        outages.cancel()
        for task in list(self._open):
            task.cancel()
        server.close()

    async def _outages(self) -> None:
        while True:
            await asyncio.sleep(self._weather.outage_every * self._random.uniform(0.5, 1.5))
            self._out = True
            self.faults += 1
            for task in list(self._open):
                task.cancel()
            await asyncio.sleep(self._weather.outage_seconds)
            self._out = False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        try:
            await self._pass(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        except OSError:
            pass
        finally:
            self._open.discard(task)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        weather, fate = self._weather, self._random.random()
        if self._out or fate < weather.refused:
            self.faults += not self._out
            writer.transport.abort()
            return
        fate -= weather.refused
        if fate < weather.failed:
            self.faults += 1
            await self._answer_failure(reader, writer)
            return
        fate -= weather.failed
        left = self._random.randint(1, 200_000) if fate < weather.cut else None
        slow = self._random.random() < weather.slow
        self.faults += (left is not None) + slow
        await self._forward(reader, writer, left, weather.delay_seconds if slow else 0.0)

    async def _answer_failure(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status, body = self._random.choice(
            [(b"500 Internal Server Error", _XML), (b"503 Slow Down", _XML), (b"400 Bad Request", _BODY)]
        )
        if b"X-Amz-Target" not in head:
            status, body = status.replace(b"400 Bad Request", b"503 Slow Down"), _XML
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None, delay: float
    ) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        budget = [left]
        pumps = [
            asyncio.create_task(self._pump(reader, server_writer, budget, delay)),
            asyncio.create_task(self._pump(server_reader, writer, budget, delay)),
        ]
        life = self._weather.longest_seconds * self._random.uniform(0.2, 1)
        try:
            await asyncio.wait(pumps, timeout=life, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            writer.transport.abort()
            server_writer.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: list[int | None], delay: float
    ) -> None:
        with suppress(OSError):
            while block := await reader.read(_BLOCK):
                if delay:
                    await asyncio.sleep(self._random.uniform(0, delay))
                if budget[0] is not None:
                    block = block[: budget[0]]
                    budget[0] -= len(block)
                writer.write(block)
                await writer.drain()
                if budget[0] == 0:
                    return


@contextmanager
def proxied(target: str, weather: Weather, seed: int) -> Iterator[Proxy]:
    """A proxy before `target` until the block ends."""
    proxy, ready = Proxy(target, weather, seed), threading.Event()
    thread = threading.Thread(target=proxy.run, args=(ready,), name="proxy", daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(10)
