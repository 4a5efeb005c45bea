"""Many connections at once: `crowd.py server PORT`, `crowd.py client PORT COUNT`. One epoll set at each end."""

import resource
import select
import socket
import sys
import time

ROLE, PORT = sys.argv[1], int(sys.argv[2])
ROUNDS_MIN = 12
SECONDS = 3.0
_, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(HARD, 20_000), HARD))


def server():
    listener = socket.create_server(("127.0.0.1", PORT), backlog=4096)
    listener.setblocking(False)
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    connections = {}
    while True:
        for number, _ in epoll.poll():
            if number == listener.fileno():
                connection, _ = listener.accept()
                connections[connection.fileno()] = connection
                epoll.register(connection, select.EPOLLIN)
                continue
            connection = connections[number]
            try:
                data = connection.recv(4096)
            except ConnectionResetError:
                data = b""
            if data:
                connection.sendall(data)
            else:
                epoll.unregister(number)
                del connections[number]
                connection.close()


def message(index, turn):
    return f"connection {index} round {turn} ".encode() * (1 + (index + turn) % 40)


def client(count):
    epoll = select.epoll()
    connections = {}
    for index in range(count):
        connection = socket.create_connection(("127.0.0.1", PORT), timeout=30)
        connections[connection.fileno()] = (index, connection)
        epoll.register(connection, select.EPOLLIN)
    turn = 0
    until = time.monotonic() + SECONDS
    while turn < ROUNDS_MIN or time.monotonic() < until:
        turn += 1
        waiting = {}
        for number, (index, connection) in connections.items():
            data = message(index, turn)
            connection.sendall(data)
            waiting[number] = data
        while waiting:
            events = epoll.poll(20)
            assert events, f"{len(waiting)} answers are missing in round {turn}"
            for number, _ in events:
                index, connection = connections[number]
                data = connection.recv(4096)
                assert data and waiting[number].startswith(data), (index, turn)
                waiting[number] = waiting[number][len(data):]
                if not waiting[number]:
                    del waiting[number]
    for _, connection in connections.values():
        connection.close()
    print(f"{count} connections, every answer right")


if ROLE == "server":
    server()
else:
    client(int(sys.argv[3]))
