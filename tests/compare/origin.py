"""The server behind the gateway: keeps every byte of each request and answers what the request asks for.

A second server, on a port of its own, has an issuer's key set and answers questions about opaque tokens.
"""

import base64
import hashlib
import json
import socket
import threading
import time
import urllib.parse

from credentials import OPAQUE

PNG = base64.b64decode(
    b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
MANY = " | ".join(f"X-Many-{at}: {at}" for at in range(40))
# Answers by name: status line, header lines, body. The request's `X-Answer` chooses. Where nothing
# else says where the body ends, its length is added.
ANSWERS = {
    "json": ("200 OK", "Content-Type: application/json", b'{"name":"Ann","things":[1,2,3]}'),
    "png": ("200 OK", "Content-Type: image/png", PNG),
    "pdf": ("200 OK", "Content-Type: application/pdf", b"%PDF-1.4 nothing"),
    "html": (
        "200 Fine",
        "content-type: text/html; charset=utf-8 | Set-Cookie: a=b | Set-Cookie: c=d",
        b"<p>hello</p>",
    ),
    "untyped": ("200 OK", "", b"no type"),
    "two-types": (
        "200 OK",
        "Content-Type: image/png | Content-Type: text/html",
        b"two types",
    ),
    "chunked": (
        "200 OK",
        "Content-Type: text/plain | Transfer-Encoding: chunked",
        b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
    ),
    "trailers": (
        "200 OK",
        "Content-Type: text/plain | Transfer-Encoding: chunked | Trailer: X-Sum",
        b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
    ),
    "to-the-end": ("200 OK", "Content-Type: text/plain | Connection: close", b"until the connection ends"),
    "created": ("201 Created", "Location: /things/1 | Content-Length: 0", b""),
    "empty": ("204 No Content", "X-Empty: yes", b""),
    "not-modified": ("304 Not Modified", 'ETag: "1"', b""),
    "moved": ("307 Temporary Redirect", "Location: http://127.0.0.1/elsewhere | Content-Length: 0", b""),
    "missing": (
        "404 Not Found",
        "Content-Type: application/problem+json",
        b'{"title":"not there"}',
    ),
    "unauthorized": ("401 Unauthorized", 'WWW-Authenticate: Basic realm="upstream" | Content-Length: 0', b""),
    "failed": ("500 Internal Server Error", "Content-Type: text/plain", b"failed"),
    "cors": (
        "200 OK",
        "Access-Control-Allow-Origin: * | Access-Control-Allow-Credentials: true | Vary: Accept",
        b"cors",
    ),
    "hops": (
        "200 OK",
        "Connection: X-Hop | X-Hop: 1 | Keep-Alive: timeout=5 | Proxy-Authenticate: x | X-Stays: 1",
        b"hops",
    ),
    "pretends": (
        "200 OK",
        "X-Portcullis-Decision: 0 | X-Portcullis-Subject: root | Server: origin | Via: 1.1 x",
        b"pretends",
    ),
    "large": ("200 OK", "Content-Type: application/octet-stream", bytes(range(256)) * 400),
    "early": (
        "103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK",
        "",
        b"after the hints",
    ),
    "switch": ("101 Switching Protocols", "Connection: Upgrade | Upgrade: other", b""),
    "two-lengths": ("200 OK", "Content-Length: 3 | Content-Length: 4", b"abcd"),
    "both-framings": ("200 OK", "Content-Length: 3 | Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n"),
    "no-http": None,
    "nothing": None,
    "silent": None,
    "cut": ("200 OK", "Content-Length: 400", b"less than that"),
    "odd-status": ("299 Odd", "", b"odd"),
    "many": ("200 OK", MANY, b"many"),
}
NO_BODY = ("101", "204", "304")
CUT = b"<a body that is cut>"
# After these the connection ends.
ENDING = {"to-the-end", "no-http", "nothing", "silent", "cut", "two-lengths", "both-framings", "switch"}


class Server:
    """A server on a port of loopback with a thread for each connection."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=200)
        self.lock = threading.Lock()
        self.seen = []
        self.active = 0
        self.sockets = set()
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    def accept(self):
        """Serves connections until the listener is closed."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.sockets.add(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        """Serves one connection."""
        reader = connection.makefile("rb")
        try:
            while self.exchange(connection, reader):
                pass
        except (OSError, ValueError):
            pass
        finally:
            reader.close()
            connection.close()
            with self.lock:
                self.sockets.discard(connection)

    def exchange(self, connection, reader):
        """Serves one request; whether the connection goes on."""
        head = read_head(reader)
        if head is None:
            return False
        with self.lock:
            self.active += 1
        try:
            if b"expect: 100-continue" in head.lower():
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = read_body(reader, head)
            self.keep(head, body)
            return self.answer(connection, reader, head, body)
        finally:
            with self.lock:
                self.active -= 1

    def keep(self, head, body):
        """Keeps a request."""
        with self.lock:
            self.seen.append((head, body))

    def take(self):
        """The requests since the last call, once none is being read or answered."""
        until = time.monotonic() + 3
        while self.active and time.monotonic() < until:
            time.sleep(0.002)
        with self.lock:
            seen, self.seen = self.seen, []
        return seen

    def close(self):
        """Ends the server and its connections."""
        # Closing alone would leave the port to the thread that waits in `accept`.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listener.close()
        with self.lock:
            for connection in self.sockets:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class Origin(Server):
    """The upstream of all APIs."""

    def answer(self, connection, reader, head, body):
        """Answers as the request's `X-Answer` asks."""
        if b"\r\nsec-websocket-key:" in head.lower():
            return self.websocket(connection, reader, head)
        name = (field(head, b"x-answer") or b"json").decode("latin-1")
        if name == "no-http":
            connection.sendall(b"this is no HTTP\r\n\r\n")
        elif name == "silent":
            time.sleep(1.5)
        elif name != "nothing":
            status, lines, body = ANSWERS.get(name, ANSWERS["json"])
            fields = [line for line in lines.split(" | ") if line]
            if not any(word in lines for word in ("Length", "chunked", "close")) and not status.startswith(NO_BODY):
                fields.append(f"Content-Length: {len(body)}")
            all_lines = [f"HTTP/1.1 {status}", *fields, "X-B: 2", "Date: Thu, 01 Jan 2026 00:00:00 GMT", "", ""]
            text = "\r\n".join(all_lines).encode()
            connection.sendall(text + (b"" if head.startswith(b"HEAD ") else body))
        return name not in ENDING

    def websocket(self, connection, reader, head):
        """Opens a WebSocket and sends its frames back until one closes it."""
        key = field(head, b"sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        # An answer within microseconds may end the socket at once; the README says why.
        time.sleep(0.05)
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "
            + accept
            + b"\r\n\r\n"
        )
        while True:
            first, second = reader.read(2)
            mask, data = reader.read(4), reader.read(second & 0x7F)
            data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
            self.keep(b"websocket frame %d" % first, data)
            connection.sendall(bytes([first, len(data)]) + data)
            if first & 0xF == 8:
                return False


class Side(Server):
    """An issuer: its key set, and what it says of opaque tokens."""

    def __init__(self, port, jwks):
        self.jwks = jwks
        super().__init__(port)

    def answer(self, connection, reader, head, body):
        """Answers a question."""
        status, value = 200, self.jwks
        if head.startswith(b"POST /introspect"):
            token = urllib.parse.parse_qs(body.decode()).get("token", [""])[0]
            value = OPAQUE.get(token, {"active": False})
        elif not head.startswith(b"GET /jwks"):
            status, value = 404, {}
        data = json.dumps(value).encode()
        connection.sendall(
            b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(data))
            + data
        )
        return True


def read_head(reader):
    """A request's line and header lines with the empty line; None at the end of the connection."""
    lines = []
    while True:
        line = reader.readline(1 << 20)
        if not line:
            return None
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)


def field(head, name):
    """The value of a header field; None where there is none."""
    for line in head.split(b"\r\n")[1:]:
        found, _, value = line.partition(b":")
        if found.lower() == name:
            return value.strip()
    return None


def read_body(reader, head):
    """A request's body: of chunks their content, of a body that is cut nothing.

    Where a chunk ends, and how much of a cut body arrives, depends on timing.
    """
    if (field(head, b"transfer-encoding") or b"").lower() == b"chunked":
        body = b""
        while True:
            line = reader.readline(1 << 16)
            if not line:
                return CUT
            size = int(line.split(b";")[0], 16)
            chunk = reader.read(size)
            if len(chunk) < size:
                return CUT
            body += chunk
            if size == 0:
                trailers = b""
                while (line := reader.readline(1 << 16)) not in (b"\r\n", b""):
                    trailers += line
                return body + (b"\ntrailers: " + trailers if trailers else b"")
            reader.readline(4)
    length = int(field(head, b"content-length") or 0)
    body = reader.read(length)
    return body if len(body) == length else CUT
