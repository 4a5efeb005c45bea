"""Echo servers, one per way of waiting: `echo_server.py MODE PORT CERTIFICATE KEY`; a mode may end in `-ssl`."""

import asyncio
import selectors
import socket
import ssl
import sys
import threading

MODE, PORT, CERTIFICATE, KEY = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]


def tls():
    if not MODE.endswith("-ssl"):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    return context


async def with_asyncio():
    async def echo(reader, writer):
        try:
            while data := await reader.read(100_000):
                writer.write(data)
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", PORT, ssl=tls(), backlog=512)
    async with server:
        await server.serve_forever()


def with_selectors(selector):
    """Non-blocking, with whatever could not be written yet kept per connection."""
    listener = socket.create_server(("127.0.0.1", PORT), backlog=512)
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ, None)
    while True:
        for key, events in selector.select():
            if key.data is None:
                connection, _ = listener.accept()
                connection.setblocking(False)
                selector.register(connection, selectors.EVENT_READ, bytearray())
                continue
            connection, waiting = key.fileobj, key.data
            try:
                if events & selectors.EVENT_READ and len(waiting) < 1 << 20:
                    data = connection.recv(65536)
                    if not data and not waiting:
                        raise ConnectionResetError
                    waiting += data
                if waiting:
                    del waiting[: connection.send(waiting)]
            except BlockingIOError:
                pass
            except ConnectionError:
                selector.unregister(connection)
                connection.close()
                continue
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if waiting else 0)
            if key.events != wanted:
                selector.modify(connection, wanted, waiting)


def with_threads():
    context = tls()

    def echo(connection):
        try:
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            while data := connection.recv(50_000):
                connection.sendall(data)
        except (ConnectionError, ssl.SSLError):
            pass
        connection.close()

    listener = socket.create_server(("127.0.0.1", PORT), backlog=512)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=echo, args=(connection,), daemon=True).start()


match MODE.removesuffix("-ssl"):
    case "asyncio":
        asyncio.run(with_asyncio())
    case "selectors":
        with_selectors(selectors.EpollSelector())
    case "poll":
        with_selectors(selectors.PollSelector())
    case "threads":
        with_threads()
