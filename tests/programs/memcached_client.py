"""Talks to a memcached over several connections at once and checks every answer; prints what it did."""

import hashlib
import socket
import sys
import threading
import time

PORT = int(sys.argv[1])
THREADS = 4
SECONDS = 1.2


def value(seed, length):
    """`length` bytes that depend on the seed and never repeat another value's."""
    block = hashlib.sha256(str(seed).encode()).digest()
    return (block * (length // len(block) + 1))[:length]


class Client:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", PORT))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def line(self):
        line = self.file.readline()
        assert line.endswith(b"\r\n"), line
        return line[:-2]

    def set(self, key, data):
        self.socket.sendall(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(data), data))
        answer = self.line()
        assert answer == b"STORED", answer

    def get(self, keys):
        self.socket.sendall(b"get %s\r\n" % b" ".join(keys))
        found = {}
        while (line := self.line()) != b"END":
            word, key, _flags, length = line.split()
            assert word == b"VALUE", line
            found[key] = self.file.read(int(length))
            assert self.file.read(2) == b"\r\n"
        return found


def work(number, failures):
    try:
        client = Client()
        sizes = [1, 10, 100, 1000, 4096, 10_000, 65_536, 200_000, 900_000]
        until = time.monotonic() + SECONDS
        rounds = 0
        while rounds < 20 or time.monotonic() < until:
            for size in sizes if rounds % 10 == 0 else sizes[:6]:
                key = b"key-%d-%d" % (number, size)
                data = value((number, size, rounds), size)
                client.set(key, data)
                assert client.get([key]) == {key: data}, (number, size)
            rounds += 1
        keys = [b"many-%d-%d" % (number, index) for index in range(100)]
        for key in keys:
            client.set(key, key * 5)
        assert client.get(keys) == {key: key * 5 for key in keys}
        client.set(b"count-%d" % number, b"0")
        client.socket.sendall(b"".join(b"incr count-%d 1 noreply\r\n" % number for _ in range(1000)))
        assert client.get([b"count-%d" % number])[b"count-%d" % number] == b"1000"
        assert client.get([b"absent"]) == {}
    except BaseException as error:  # the main thread reports it
        failures.append(f"thread {number}: {error!r}")


failures = []
threads = [threading.Thread(target=work, args=(number, failures)) for number in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("\n".join(failures) or f"{THREADS} threads, every answer right")
sys.exit(bool(failures))
