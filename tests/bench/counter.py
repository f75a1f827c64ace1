"""The lost-update program: an asyncio server with a counter, and two asyncio clients that read it, then write it.

It knows nothing of us and runs unchanged on real loopback and in the simulation (`tests.bench.lost_update`).
"""

import asyncio
import os

ROUNDS = 1


async def listen() -> asyncio.Server:
    """Answers ``GET`` with the count and ``SET n`` with ``OK``, on port `COUNTER_PORT`."""
    count = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        while line := await reader.readline():
            command, _, value = line.decode().strip().partition(" ")
            if command == "SET":
                count = int(value)
                writer.write(b"OK\n")
            else:
                writer.write(f"{count}\n".encode())
            await writer.drain()
        writer.close()

    return await asyncio.start_server(handle, "0.0.0.0", int(os.environ["COUNTER_PORT"]))


async def serve() -> None:
    """A process that is the server."""
    server = await listen()
    await server.serve_forever()


async def increment() -> int:
    """Reads the count, then writes one more: the second writer may overwrite the first. Returns what it wrote."""
    reader, writer = await asyncio.open_connection(
        os.environ["COUNTER_HOST"], int(os.environ["COUNTER_PORT"])
    )
    written = 0
    for _ in range(ROUNDS):
        writer.write(b"GET\n")
        written = int(await reader.readline()) + 1
        writer.write(f"SET {written}\n".encode())
        await reader.readline()
    writer.close()
    return written


async def client() -> None:
    """A process that increments once and then has nothing more to do."""
    await increment()
    await asyncio.get_running_loop().create_future()
