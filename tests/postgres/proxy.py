"""A proxy between a store and its server, which can cut the connection at a chosen moment."""

import selectors
import socket
import threading
from contextlib import closing


class Proxy:
    """Forwards bytes to a server on loopback. ``cut_after(words)`` arms it: once a client has sent
    ``words``, they are passed on, the server's answer is read and thrown away, and both sides are
    closed."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._words: bytes | None = None
        self.cuts = 0
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)

    def cut_after(self, words: bytes) -> None:
        self._words = words

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._forward, args=(client,)))
            self._threads[-1].start()

    def _forward(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._server_port))
        with closing(client), closing(server), selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    source, target = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    try:
                        data = source.recv(65_536)
                        if not data:
                            return
                        cutting = source is client and self._words and self._words in data
                        target.sendall(data)
                    except OSError:
                        return
                    if cutting:
                        self._words = None
                        self.cuts += 1
                        server.recv(65_536)  # so it was done
                        return
