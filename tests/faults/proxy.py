"""A proxy in front of a port: it can cut connections, also at a chosen moment, and delay and release their bytes."""

import asyncio
import threading
from contextlib import suppress

CHUNK_BYTES = 65536
# As PyMySQL sends a lone one: a packet's length and number, COM_QUERY, the statement. And one behind other statements.
COMMIT, COMMIT_BEHIND = b"\x07\x00\x00\x00\x03COMMIT", b";\nCOMMIT"


class Proxy:
    def __init__(self, target_port, target_host="127.0.0.1"):
        self._target = target_host, target_port
        self._connections = set()
        self._trap = None  # (words, delivered, what happens then)
        self._sprung = threading.Event()
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

        Either before the other side receives them, or (`delivered`) after it did and before its response passes.
        """
        self._set_trap(words, delivered, _Connection.cut)

    def hang_at(self, words):
        """Hang as soon as a client's bytes were delivered and before the response to them passes."""
        self._set_trap(words, True, lambda _: self._flowing.clear())

    def sprung(self, seconds):
        """Wait until what `cut_at` or `hang_at` asked for has happened; return whether it did."""
        return self._sprung.wait(seconds)

    def hang(self):
        """Let nothing through, in either direction, and drop nothing."""
        self._call(self._flowing.clear)

    def let_go(self):
        """End the hang; what was held up goes on."""
        self._call(self._flowing.set)

    def heal(self):
        """End the hang, and forget the cut that has not happened yet."""
        self._call(lambda: (setattr(self, "_trap", None), self._flowing.set()))

    def _set_trap(self, *trap):
        self._sprung.clear()
        self._call(lambda: setattr(self, "_trap", trap))

    def _call(self, work):
        self._loop.call_soon_threadsafe(work)

    async def _accept(self, reader, writer):
        await self._flowing.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
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
                if from_client and self._trap and self._trap[0] in data:
                    (_, delivered, happens), self._trap = self._trap, None
                    if delivered:
                        connection.awaiting = happens
                    else:
                        self._spring(happens, connection)
                elif connection.awaiting and not from_client:
                    happens, connection.awaiting = connection.awaiting, None
                    self._spring(happens, connection)
                    await self._flowing.wait()
                writer.write(data)
                await writer.drain()
            await self._flowing.wait()  # the end of a connection is held up as well

    def _spring(self, happens, connection):
        happens(connection)
        self._sprung.set()


class _Connection:
    def __init__(self, *writers):
        self._writers = writers
        self.awaiting = None  # what happens to it when the answer comes

    def cut(self):
        for writer in self._writers:
            writer.transport.abort()

    def close(self):
        for writer in self._writers:
            writer.close()
