"""Clients of the echo servers, which check every byte: `echo_client.py MODE PORT CERTIFICATE`; prints what it did."""

import asyncio
import hashlib
import select
import socket
import ssl
import sys
import threading
import time

MODE, PORT, CERTIFICATE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
CONNECTIONS = 12
SECONDS = 1.0
SIZES = [1, 2, 47, 48, 49, 100, 1000, 4096, 16_384, 70_000, 300_000]


def message(connection, number, size):
    block = hashlib.sha256(f"{connection} {number} {size}".encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def messages(connection):
    """Every size at least once, then on until the time is over."""
    until = time.monotonic() + SECONDS
    number = 0
    while number < 2 * len(SIZES) or time.monotonic() < until:
        yield message(connection, number, SIZES[number % len(SIZES)])
        number += 1


def tls():
    return ssl.create_default_context(cafile=CERTIFICATE) if MODE.endswith("-ssl") else None


async def with_asyncio():
    async def talk(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT, ssl=tls())
        for sent in messages(number):
            writer.write(sent)
            received, _ = await asyncio.gather(reader.readexactly(len(sent)), writer.drain())
            assert received == sent, (number, len(sent))
        if not MODE.endswith("-ssl"):
            writer.write_eof()
            assert await reader.read() == b""
        writer.close()

    await asyncio.gather(*(talk(number) for number in range(CONNECTIONS)))


def receive_exactly(connection, length):
    parts = []
    while length:
        part = connection.recv(length)
        assert part, "the server closed"
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def with_threads(talk):
    failures = []

    def run(number):
        try:
            talk(number)
        except BaseException as error:  # reported below
            failures.append(f"connection {number}: {error!r}")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        sys.exit("\n".join(failures))


def talk_blocking(number):
    connection = socket.create_connection(("127.0.0.1", PORT))
    context = tls()
    if context:
        connection = context.wrap_socket(connection, server_hostname="127.0.0.1")
    for sent in messages(number):
        sender = threading.Thread(target=connection.sendall, args=(sent,)) if not context and len(sent) > 50_000 else None
        if sender:
            sender.start()
        else:
            connection.sendall(sent)
        assert receive_exactly(connection, len(sent)) == sent, (number, len(sent))
        if sender:
            sender.join()
    connection.close()


def talk_with_timeouts(number):
    """Python's own timeouts poll before each call; select asks in between; nothing is readable when nothing was asked."""
    connection = socket.create_connection(("127.0.0.1", PORT), timeout=10)
    for sent in messages(number):
        assert select.select([connection], [], [], 0) == ([], [], [])
        connection.sendall(sent)
        assert select.select([connection], [], [], 10)[0] == [connection]
        assert receive_exactly(connection, len(sent)) == sent, (number, len(sent))
    connection.settimeout(0.05)
    try:
        connection.recv(1)
        sys.exit("something came that nobody sent")
    except TimeoutError:
        connection.close()


match MODE.removesuffix("-ssl"):
    case "asyncio":
        asyncio.run(with_asyncio())
    case "threads":
        with_threads(talk_blocking)
    case "timeouts":
        with_threads(talk_with_timeouts)
print(f"{CONNECTIONS} connections, every byte right")
