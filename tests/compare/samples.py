"""Requests of a fixed kind: doubtful framings, WebSockets, bodies with a pause in them, client certificates."""

from wire import Request


def framings(line, host):
    """Requests whose framing is in doubt, or that are no HTTP.

    Each is a label, the bytes, and whether the client stops sending afterwards.
    """
    head = f"{line}\r\nHost: {host}\r\n"
    return [
        ("length and chunks", head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False),
        ("two lengths", head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", False),
        ("equal lengths", head + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", False),
        ("a list of lengths", head + "Content-Length: 1, 1\r\n\r\na", False),
        ("a signed length", head + "Content-Length: +1\r\n\r\na", False),
        ("no number", head + "Content-Length: x\r\n\r\n", False),
        ("a large length", head + "Content-Length: 99999999999999999999\r\n\r\n", True),
        ("identity", head + "Transfer-Encoding: identity\r\n\r\n", False),
        ("chunked twice", head + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", False),
        ("gzip", head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", False),
        ("odd case", head + "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", False),
        ("tab", head + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", False),
        ("blank before the colon", head + "Content-Length : 0\r\n\r\n", False),
        ("folded", head + "X-A: 1\r\n 2\r\n\r\n", False),
        ("bare line feeds", head.replace("\r\n", "\n") + "\n", False),
        ("bare return", head + "X-A: 1\rX-B: 2\r\n\r\n", False),
        ("no colon", head + "nothing\r\n\r\n", False),
        ("control character", head + "X-A: \x01\r\n\r\n", False),
        ("zero", head + "X-A: a\x00b\r\n\r\n", False),
        ("two hosts", head + "Host: other\r\n\r\n", False),
        ("no host", f"{line}\r\n\r\n", False),
        ("odd host", f"{line}\r\nHost: a b\r\n\r\n", False),
        ("host with user", f"{line}\r\nHost: a@{host}\r\n\r\n", False),
        ("no version", f"{line[:-9]}\r\n\r\n", True),
        ("version 2", line[:-3] + f"2.0\r\nHost: {host}\r\n\r\n", False),
        ("version 1.2", line[:-3] + f"1.2\r\nHost: {host}\r\n\r\n", False),
        ("version 0.9", line[:-3] + f"0.9\r\nHost: {host}\r\n\r\n", False),
        ("old with chunks", line[:-3] + f"1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False),
        ("half a header", head + "X-Half: ", True),
        ("half a body", head + "Content-Length: 10\r\n\r\nabc", True),
        ("bad chunk", head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", True),
        ("half a chunk", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nab", True),
        ("trailers", head + "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", False),
        ("nothing at all", "", True),
        ("TLS", "\x16\x03\x01\x00\x05hello", True),
        ("preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", True),
        ("empty lines first", "\r\n\r\n" + head + "\r\n", False),
        ("many headers", head + "".join(f"X-{at}: {at}\r\n" for at in range(70)) + "\r\n", False),
        ("too many headers", head + "".join(f"X-{at}: {at}\r\n" for at in range(300)) + "\r\n", False),
        ("large headers", head + f"X-Large: {'x' * 40000}\r\n\r\n", False),
        ("huge headers", head + f"X-Huge: {'x' * 90000}\r\n\r\n", True),
        ("blanks in the line", line.replace(" ", "  ") + f"\r\nHost: {host}\r\n\r\n", False),
        ("body with GET", f"GET /open HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n\r\nabc", False),
    ]


def framing_samples():
    """Each doubtful framing once, to a route that is open and to one that is not."""
    made = []
    for line, host in (("POST /open HTTP/1.1", "probe.example"), ("GET /users HTTP/1.1", "pathology.example")):
        for label, text, stops in framings(line, host):
            more = {"methods": (line.split()[0],), "fresh": True, "half_close": stops}
            made.append(Request(text.encode("latin-1"), f"framing: {label}: {line}", **more))
    return made


def connections(stage):
    """What needs a connection of its own."""
    return [*websockets(stage), *pauses(stage), *certificates(stage)]


def websockets(stage):
    """WebSockets, and requests that nearly are."""
    token = stage.tokens["probe", "plain"]
    hand = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    hand += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    frames = b"".join(frame(opcode, data) for opcode, data in ((1, b"hello"), (2, b"\x00" * 100), (8, b"\x03\xe8")))
    made = []
    for method, target, credential, more in (
        ("GET", "/socket", token, hand),
        ("GET", f"/socket?access_token={token}&id=7", None, hand),
        ("GET", "/socket", None, hand),
        ("GET", "/t1/things", token, hand),
        ("POST", "/socket", token, hand),
        ("GET", "/socket", token, hand.replace("websocket", "WebSocket, x")),
        ("GET", "/socket", token, hand.replace("13", "12")),
        ("GET", "/socket", token, hand + "Content-Length: 3\r\n"),
        ("GET", "/socket", token, ""),
        ("GET", "/open", None, hand),
    ):
        line = f"Authorization: Bearer {credential}\r\n" if credential else ""
        data = f"{method} {target} HTTP/1.1\r\nHost: probe.example\r\n{line}{more}\r\n".encode()
        label = f"WebSocket {len(made)}: {method} {target[:30]}"
        made.append(Request(data, label, methods=(method,), frames=frames, fresh=True))
    return made


def pauses(stage):
    """Bodies that come in two pieces, with a method override across them or without one."""
    made = []
    for body in ("a=1&_met|hod=DELETE", "a=1&b|=2", '{"_me|thod": 1}', '{"a": 1|}'):
        first, rest = body.split("|")
        lines = [
            "POST /t1/things HTTP/1.1",
            "Host: probe.example",
            f"Authorization: Bearer {stage.tokens['probe', 'plain']}",
            f"Content-Type: {'application/json' if body.startswith('{') else 'application/x-www-form-urlencoded'}",
            f"Content-Length: {len(first + rest)}",
        ]
        data = "\r\n".join(lines) + f"\r\n\r\n{first}"
        more = {"methods": ("POST",), "rest": (rest.encode(),), "fresh": True}
        made.append(Request(data.encode(), f"body in two pieces: {body}", **more))
    return made


def certificates(stage):
    """Each client certificate, and none, with and without a token, at APIs that make different uses of it."""
    bearer = f"Authorization: Bearer {stage.tokens['probe', 'plain']}\r\n"
    made = []
    for certificate in ("", "alice", "sync", "revoked", "mallory"):
        for api in ("probe", "halfshadow", "under", "noah"):
            for line in ("", bearer):
                for target in ("/t1/things", "/t1/rest/a"):
                    # The path belongs to another API of the same host.
                    host = "probe" if api == "under" else api
                    data = f"GET {target} HTTP/1.1\r\nHost: {host}.example\r\n{line}\r\n".encode()
                    label = f"certificate {certificate or 'none'}: {api} {target}{' with a token' if line else ''}"
                    refused = certificate in ("revoked", "mallory")
                    more = {"listener": "tls", "certificate": certificate, "fresh": refused}
                    made.append(Request(data, label, **more))
    return made


def frame(opcode, data):
    """A masked WebSocket frame."""
    key = bytes([1, 2, 3, 4])
    masked = bytes(byte ^ key[at % 4] for at, byte in enumerate(data))
    return bytes([0x80 | opcode, 0x80 | len(data)]) + key + masked
