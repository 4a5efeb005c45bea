"""Both ends of gRPC's calls: one answer or many, cancelled, too late, in threads. Usage: rpc_ends.py server|client PORT"""

import concurrent.futures
import sys
import time

import grpc

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]


def count(requests, _context):
    return b"%d" % sum(len(request) for request in requests)


def many(request, _context):
    for number in range(int(request)):
        yield b"%d," % number * 100


def echo(requests, _context):
    yield from requests


def fail(_request, context):
    context.abort(grpc.StatusCode.INVALID_ARGUMENT, "as asked")


def late(_request, _context):
    time.sleep(1)
    return b""


HANDLERS = {
    "/rpc/reverse": grpc.unary_unary_rpc_method_handler(lambda request, _context: request[::-1]),
    "/rpc/many": grpc.unary_stream_rpc_method_handler(many),
    "/rpc/count": grpc.stream_unary_rpc_method_handler(count),
    "/rpc/echo": grpc.stream_stream_rpc_method_handler(echo),
    "/rpc/fail": grpc.unary_unary_rpc_method_handler(fail),
    "/rpc/late": grpc.unary_unary_rpc_method_handler(late),
}


class Handlers(grpc.GenericRpcHandler):
    def service(self, details):
        return HANDLERS.get(details.method)


def serve(port):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=UNLIMITED)
    server.add_generic_rpc_handlers((Handlers(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def refused(call, **limits):
    try:
        call(b"", **limits)
    except grpc.RpcError as error:
        return error.code(), error.details() if error.code() == grpc.StatusCode.INVALID_ARGUMENT else ""


def ask(port):
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=UNLIMITED)
    reverse = channel.unary_unary("/rpc/reverse")
    for length in (0, 1, 100, 70_000, 5_000_000):
        sent = bytes(range(256)) * (length // 256) + b"end"
        print(length, reverse(sent) == sent[::-1])
    print("one after the other", all(reverse(b"%d!" % n) == (b"%d!" % n)[::-1] for n in range(1500)))
    print("many", sum(len(answer) for answer in channel.unary_stream("/rpc/many")(b"3000")))
    print("count", channel.stream_unary("/rpc/count")(b"x" * 1000 for _ in range(3000)))
    print("echo", sum(len(answer) for answer in channel.stream_stream("/rpc/echo")(b"y" * n for n in range(2000))))
    print("fail", refused(channel.unary_unary("/rpc/fail")))
    print("late", refused(channel.unary_unary("/rpc/late"), timeout=0.2))
    print("cancelled", channel.unary_unary("/rpc/late").future(b"").cancel())
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        print("threads", sum(len(answer) for answer in threads.map(lambda n: reverse(b"z" * n), range(800))))
    channel.close()


if __name__ == "__main__":
    {"server": serve, "client": ask}[sys.argv[1]](sys.argv[2])
