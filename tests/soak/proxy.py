"""A TCP proxy in front of S3 that can make S3 slow."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator

DRIP_BYTES, DRIP_S = 256, 0.05
CHUNK_BYTES = 1 << 16


class Proxy:
    """Passes connections on to a port of this machine; `delay_s` and `drip` change what S3's answers take."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.delay_s = 0.0
        self.drip = False
        self._target = target

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Listen on a free port of the loopback address until the block is left."""
        ready, stop = threading.Event(), list[Callable[[], object]]()

        async def serve() -> None:
            stopping, loop = asyncio.Event(), asyncio.get_running_loop()
            stop.append(lambda: loop.call_soon_threadsafe(stopping.set))
            server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stopping.wait()
            server.close()

        thread = threading.Thread(target=lambda: asyncio.run(serve()))  # At its end it closes the connections.
        thread.start()
        try:
            assert ready.wait(10)
            yield
        finally:
            stop[0]()
            thread.join(10)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            # Where S3 does not listen, the client sees its connection closed.
            s3_reader, s3_writer = await asyncio.open_connection("127.0.0.1", self._target)
            with contextlib.closing(s3_writer):
                ways = [self._pump(reader, s3_writer, slow=False), self._pump(s3_reader, writer, slow=True)]
                tasks = [asyncio.ensure_future(way) for way in ways]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool) -> None:
        while data := await reader.read(DRIP_BYTES if slow and self.drip else CHUNK_BYTES):
            if slow:
                await asyncio.sleep(DRIP_S if self.drip else self.delay_s)
            writer.write(data)
            await writer.drain()
