// Two ends in Java: a selector that echoes and clients that block; and the JDK's own HTTP server and client.
//
// java Ends.java server|client echo|http PORT

import com.sun.net.httpserver.HttpServer;
import java.io.DataInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;

public class Ends {
    static final int CLIENTS = 6;
    static final int ROUNDS = 1500;
    static final int REQUESTS = 1500;

    public static void main(String[] words) throws Exception {
        int port = Integer.parseInt(words[2]);
        switch (words[0] + " " + words[1]) {
            case "server echo" -> echoServer(port);
            case "client echo" -> echoClients(port);
            case "server http" -> httpServer(port);
            case "client http" -> httpClient(port);
            default -> throw new IllegalArgumentException();
        }
    }

    static byte[] content(int length, int seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    // A selector, direct buffers, and interest in writing only while something waits to be written.
    static void echoServer(int port) throws Exception {
        Selector selector = Selector.open();
        ServerSocketChannel listener = ServerSocketChannel.open();
        listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        listener.configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        while (true) {
            selector.select(5000);
            for (SelectionKey key : selector.selectedKeys()) {
                if (key.isAcceptable()) {
                    SocketChannel accepted = listener.accept();
                    if (accepted != null) {
                        accepted.configureBlocking(false);
                        accepted.register(selector, SelectionKey.OP_READ, ByteBuffer.allocateDirect(65536));
                    }
                } else {
                    echo(key);
                }
            }
            selector.selectedKeys().clear();
        }
    }

    static void echo(SelectionKey key) throws Exception {
        SocketChannel channel = (SocketChannel) key.channel();
        ByteBuffer buffer = (ByteBuffer) key.attachment();
        if (key.isReadable() && channel.read(buffer) < 0 && buffer.position() == 0) {
            channel.close();
            return;
        }
        buffer.flip();
        channel.write(buffer);
        int interest = buffer.hasRemaining() ? SelectionKey.OP_WRITE : 0;
        buffer.compact();
        key.interestOps(interest | (buffer.hasRemaining() ? SelectionKey.OP_READ : 0));
    }

    // Half of the clients use streams, half use blocking channels with several buffers at once.
    static void echoClients(int port) throws Exception {
        List<Thread> threads = new ArrayList<>();
        List<String> ends = java.util.Collections.synchronizedList(new ArrayList<>());
        for (int number = 0; number < CLIENTS; number++) {
            int client = number;
            Thread thread = new Thread(() -> {
                try {
                    ends.add(client % 2 == 0 ? streams(port, client) : channels(port, client));
                } catch (Exception error) {
                    ends.add("client " + client + ": " + error);
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        ends.stream().sorted().forEach(System.out::println);
    }

    static int length(int client, int round) {
        return round % 100 == 99 ? 200_000 + client : 1 + round * 7 % 3000;
    }

    static String streams(int port, int client) throws Exception {
        long total = 0;
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setTcpNoDelay(true);
            socket.setSoTimeout(120_000);
            DataInputStream in = new DataInputStream(socket.getInputStream());
            for (int round = 0; round < ROUNDS; round++) {
                byte[] sent = content(length(client, round), round);
                // What is larger than both sides' buffers is written while it is read.
                Thread writer = new Thread(() -> {
                    try {
                        socket.getOutputStream().write(sent);
                    } catch (java.io.IOException error) {
                        throw new java.io.UncheckedIOException(error);
                    }
                });
                if (sent.length > 100_000) {
                    writer.start();
                } else {
                    writer.run();
                }
                byte[] got = new byte[sent.length];
                in.readFully(got);
                writer.join();
                if (!Arrays.equals(sent, got)) {
                    return "client " + client + ": round " + round + " differs";
                }
                total += got.length;
            }
            socket.shutdownOutput();
            return "client " + client + ": " + total + ", then " + in.read();
        }
    }

    static String channels(int port, int client) throws Exception {
        long total = 0;
        try (SocketChannel channel = SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))) {
            for (int round = 0; round < ROUNDS; round++) {
                byte[] sent = content(length(client, round) % 30_000, round);
                int half = sent.length / 2;
                ByteBuffer[] parts = {ByteBuffer.wrap(sent, 0, half), ByteBuffer.wrap(sent, half, sent.length - half)};
                while (parts[1].hasRemaining()) {
                    channel.write(parts);
                }
                ByteBuffer[] got = {ByteBuffer.allocate(half), ByteBuffer.allocateDirect(sent.length - half)};
                while (got[0].hasRemaining() || got[1].hasRemaining()) {
                    if (channel.read(got) < 0) {
                        return "client " + client + ": ended in round " + round;
                    }
                }
                if (ByteBuffer.wrap(sent, 0, half).compareTo(got[0].flip()) != 0
                        || ByteBuffer.wrap(sent, half, sent.length - half).compareTo(got[1].flip()) != 0) {
                    return "client " + client + ": round " + round + " differs";
                }
                total += sent.length;
            }
            channel.shutdownOutput();
            return "client " + client + ": " + total + ", then " + channel.read(ByteBuffer.allocate(1));
        }
    }

    static void httpServer(int port) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.createContext("/", exchange -> {
            byte[] body;
            try (InputStream in = exchange.getRequestBody()) {
                body = in.readAllBytes();
            }
            exchange.sendResponseHeaders(200, body.length == 0 ? -1 : body.length);
            try (OutputStream out = exchange.getResponseBody()) {
                out.write(body);
            }
        });
        server.start();
    }

    static void httpClient(int port) throws Exception {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        URI uri = URI.create("http://127.0.0.1:" + port + "/");
        int right = 0;
        for (int batch = 0; batch < REQUESTS / 10; batch++) {
            List<byte[]> bodies = new ArrayList<>();
            List<CompletableFuture<HttpResponse<byte[]>>> answers = new ArrayList<>();
            for (int number = 0; number < 10; number++) {
                byte[] body = content(batch % 10 == 9 ? 300_000 : 10 + batch * 13 + number, batch);
                bodies.add(body);
                HttpRequest request =
                    HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofByteArray(body)).build();
                answers.add(client.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray()));
            }
            for (int number = 0; number < 10; number++) {
                HttpResponse<byte[]> answer = answers.get(number).get();
                right += answer.statusCode() == 200 && Arrays.equals(answer.body(), bodies.get(number)) ? 1 : 0;
            }
        }
        System.out.println(right + " of " + REQUESTS + " answers are right");
    }
}
