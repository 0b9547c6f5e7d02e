"""A client that sends bytes as they are and reads answers of HTTP/1.1."""

import dataclasses
import select
import socket
import ssl
import time

PATIENCE = 10


@dataclasses.dataclass
class Request:
    """What is sent on a connection, and what is expected there."""

    data: bytes
    label: str = ""
    methods: tuple = ("GET",)  # one for each answer that is read
    listener: str = "plain"
    source: str = "127.0.0.1"
    fresh: bool = False  # on a connection of its own
    half_close: bool = False  # nothing more comes from the client
    rest: tuple = ()  # sent after a pause each, or after `100 Continue`
    frames: bytes = b""  # sent once a WebSocket is open
    certificate: str = ""
    linger: float = 0.0  # how long the connection is listened to after the answers


@dataclasses.dataclass
class Answer:
    """One answer: the status line, the header lines as received, the body, and how it ended."""

    status: str = ""
    fields: list = dataclasses.field(default_factory=list)
    body: bytes = b""
    interim: list = dataclasses.field(default_factory=list)
    end: str = ""  # "" where the answer is whole

    def field(self, name):
        """The value of the first field with this name; None where there is none."""
        for line in self.fields:
            found, _, value = line.partition(": ")
            if found.lower() == name:
                return value
        return None


class Closed(Exception):
    """The connection has ended before the first byte of an answer."""


class Connection:
    """A connection to a listener."""

    def __init__(self, port, source="127.0.0.1", tls=None):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = b""
        self.used = False
        self.open = True

    def fill(self):
        """Reads more bytes; False at the end of the connection."""
        try:
            data = self.socket.recv(1 << 16)
        except (ConnectionError, ssl.SSLError):
            data = b""
        self.buffer += data
        return bool(data)

    def line(self):
        """A line without its end; Closed where nothing comes, EOFError where it is cut."""
        while b"\n" not in self.buffer:
            if not self.fill():
                raise Closed if not self.buffer else EOFError
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def take(self, length):
        """So many bytes; fewer where the connection ends."""
        while len(self.buffer) < length and self.fill():
            pass
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        return taken

    def send(self, data):
        """Sends bytes; a peer that has closed the connection has answered before."""
        try:
            self.socket.sendall(data)
        except (ConnectionError, ssl.SSLError):
            pass

    def exchange(self, request):
        """Sends a request and reads its answers."""
        self.send(request.data)
        answers = []
        if request.rest:
            self.send_rest(request)
        if request.half_close:
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        for method in request.methods:
            answer = self.answer(method)
            answers.append(answer)
            if answer.status.startswith("HTTP/1.1 101"):
                self.websocket(request, answer)
            if not self.open:
                break
        if request.linger:
            self.socket.settimeout(request.linger)
            answers.append(Answer(body=self.everything(), end="what came afterwards"))
        self.used = True
        return answers

    def send_rest(self, request):
        """Sends the rest of a request, unless an answer comes first."""
        for part in request.rest:
            ready, _, _ = select.select([self.socket], [], [], 0.03)
            if ready:
                self.fill()
                if not self.buffer.startswith(b"HTTP/1.1 100"):
                    return
            self.send(part)

    def answer(self, method):
        """Reads one answer."""
        found = Answer()
        try:
            while True:
                status = self.line()
                fields = []
                while line := self.line():
                    fields.append(line)
                if status.split(" ")[1:2] and status.split(" ")[1][:1] == "1" and status.split(" ")[1] != "101":
                    found.interim.append((status, fields))
                    continue
                found.status, found.fields = status, fields
                break
            self.body(found, method)
        except Closed:
            self.close()
            if self.used:
                raise
            found.end = "closed without an answer"
        except EOFError:
            found.end = "cut in the header"
        except (TimeoutError, ValueError, IndexError) as error:
            found.end = type(error).__name__
        if found.end or (found.field("connection") or "").lower() == "close" or found.status.startswith("HTTP/1.0"):
            self.close()
        return found

    def body(self, found, method):
        """Reads the body of an answer."""
        code = found.status.split(" ")[1]
        if method == "HEAD" or code in ("204", "304", "101"):
            return
        if (found.field("transfer-encoding") or "").lower() == "chunked":
            while size := int(self.line().split(";")[0], 16):
                found.body += self.take(size)
                self.line()
            while line := self.line():
                found.fields.append(f"trailer {line}")
        elif (length := found.field("content-length")) is not None:
            found.body = self.take(int(length))
            if len(found.body) < int(length):
                found.end = "cut in the body"
        else:
            found.body = self.everything()
            self.close()

    def everything(self):
        """All bytes until the connection ends."""
        try:
            while self.fill():
                pass
        except TimeoutError:
            pass
        data, self.buffer = self.buffer, b""
        return data

    def websocket(self, request, answer):
        """Sends the frames of a WebSocket and reads what comes back."""
        self.send(request.frames)
        answer.body = self.everything()
        self.close()

    def close(self):
        """Closes the connection."""
        self.open = False
        self.socket.close()


class Client:
    """Keeps a connection for each listener, address and certificate."""

    def __init__(self, ports, folder):
        self.ports, self.folder = ports, folder
        self.connections = {}

    def send(self, request):
        """Sends a request on a kept connection, or on its own, and reads the answers."""
        key = request.listener, request.source, request.certificate
        for _ in range(3):
            connection = None if request.fresh else self.connections.pop(key, None)
            try:
                connection = connection or Connection(self.ports[request.listener], request.source, self.tls(request))
                answers = connection.exchange(request)
            except Closed:
                # A kept connection that had ended: the request was not read.
                continue
            except (ssl.SSLError, ConnectionError, TimeoutError) as error:
                return [Answer(end=type(error).__name__)]
            if connection.open and not request.fresh and not request.half_close and not connection.buffer:
                self.connections[key] = connection
            else:
                connection.close()
            return answers
        return [Answer(end="closed three times")]

    def tls(self, request):
        """What a TLS connection shows."""
        if request.listener != "tls":
            return None
        context = ssl.create_default_context(cafile=str(self.folder / "tls/server.pem"))
        context.set_alpn_protocols(["http/1.1"])
        if request.certificate:
            context.load_cert_chain(
                self.folder / f"tls/{request.certificate}.pem", self.folder / f"tls/{request.certificate}.key"
            )
        return context

    def close(self):
        """Closes all connections."""
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()


def admin(port, method, path, *lines, body=b""):
    """Asks the admin listener; the status, the fields that say something, and the body."""
    head = "\r\n".join(
        [
            f"{method} {path} HTTP/1.1",
            *(lines if any(line.lower().startswith("host:") for line in lines) else ["Host: localhost", *lines]),
            "Connection: close",
            f"Content-Length: {len(body)}",
        ]
    )
    connection = Connection(port)
    answer = connection.exchange(Request(head.encode() + b"\r\n\r\n" + body, methods=(method,), fresh=True))[0]
    connection.close()
    return answer


def wait_for(what, seconds, probe):
    """Waits until `probe` returns something; an error after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > until:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
