"""The lost-update program: an asyncio server with a counter, and two asyncio clients that read it, then write it.

It runs unchanged on real loopback (`python -m tests.bench.counter` prints the final count) and in the simulation.
"""

import asyncio
import os

ROUNDS = 1


async def serve() -> None:
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

    server = await asyncio.start_server(handle, "0.0.0.0", int(os.environ["COUNTER_PORT"]))
    await server.serve_forever()


async def increment() -> None:
    """Reads the count, then writes one more: the second writer may overwrite the first."""
    reader, writer = await asyncio.open_connection(os.environ["COUNTER_HOST"], int(os.environ["COUNTER_PORT"]))
    for _ in range(ROUNDS):
        writer.write(b"GET\n")
        count = int(await reader.readline())
        writer.write(f"SET {count + 1}\n".encode())
        await reader.readline()
    writer.close()
    await asyncio.get_running_loop().create_future()
