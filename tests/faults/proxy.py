"""A port in front of another: what passes through it can be cut, at a chosen moment too, held up, and let go again."""

import asyncio
import threading
from contextlib import suppress

CHUNK_BYTES = 65536
COMMIT = b"\x07\x00\x00\x00\x03COMMIT"  # as PyMySQL sends it: a packet's length and number, COM_QUERY, the statement


class Proxy:
    def __init__(self, target_port):
        self._target_port = target_port
        self._connections = set()
        self._cut_at = None  # (bytes, delivered)
        self._has_cut = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._accept, "127.0.0.1", 0), self._loop)
        self.port = server.result().sockets[0].getsockname()[1]

    def cut(self):
        """Cut every connection now; new ones are let through."""
        self._call(lambda: [connection.cut() for connection in list(self._connections)])

    def cut_at(self, words, delivered):
        """Cut the first connection on which a client sends these bytes.

        Either before the other side hears them, or (`delivered`) after it did and before its answer comes through.
        """
        self._has_cut.clear()
        self._call(lambda: setattr(self, "_cut_at", (words, delivered)))

    def has_cut(self, seconds):
        """Wait until the cut asked for has happened; give whether it did."""
        return self._has_cut.wait(seconds)

    def hang(self):
        """Let nothing through, in either direction, and drop nothing."""
        self._call(self._flowing.clear)

    def let_go(self):
        """End the hang; what was held up goes on."""
        self._call(self._flowing.set)

    def heal(self):
        """End the hang, and forget the cut that has not happened yet."""
        self._call(lambda: (setattr(self, "_cut_at", None), self._flowing.set()))

    def _call(self, work):
        self._loop.call_soon_threadsafe(work)

    async def _accept(self, reader, writer):
        await self._flowing.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, far_writer)
        self._connections.add(connection)
        there = asyncio.ensure_future(self._pump(reader, far_writer, connection, from_client=True))
        back = asyncio.ensure_future(self._pump(far_reader, writer, connection, from_client=False))
        await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        connection.close()
        await asyncio.wait((there, back))
        self._connections.discard(connection)

    async def _pump(self, reader, writer, connection, from_client):
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._flowing.wait()
                if from_client and self._cut_at and self._cut_at[0] in data:
                    connection.doomed, self._cut_at = self._cut_at[1], None
                    if not connection.doomed:
                        self._finish(connection)
                        return
                elif connection.doomed and not from_client:
                    self._finish(connection)
                    return
                writer.write(data)
                await writer.drain()
            await self._flowing.wait()  # a goodbye is held up like anything else

    def _finish(self, connection):
        connection.cut()
        self._has_cut.set()


class _Connection:
    def __init__(self, *writers):
        self._writers = writers
        self.doomed = False  # the other side has heard the words: its answer must not come through

    def cut(self):
        for writer in self._writers:
            writer.transport.abort()

    def close(self):
        for writer in self._writers:
            writer.close()
