"""The second run of a binary: low limits, the audit on standard output, an admin listener with a token."""

import time

import wire

HEAD = "GET /open HTTP/1.1\r\nHost: x\r\n"
POST = HEAD.replace("GET", "POST")


def run(session):
    """Requests that reach limits, guessed keys, and the admin listener with its token."""
    session.start("limits.yaml", "limits")
    for request in over_limits(session.stage):
        session.send(request)
    guess(session)
    time.sleep(0.3)
    token = "Authorization: Bearer " + (session.stage.folder / "keys/secret").read_text()
    for name, path, *lines in (
        ("no token", "/ready"),
        ("no token", "/policy"),
        ("the token", "/policy", token),
        ("the token", "/ready", token),
        ("another token", "/policy", token + "x"),
        ("the token and another host", "/policy", token, "Host: evil.example"),
    ):
        session.ask("GET", path, *lines, name=f"limits, with {name}: {path}")
    session.found.metrics["limits"] = session.ask("GET", "/metrics", token, name="limits: /metrics").body.decode()
    session.stop("limits")


def over_limits(stage):
    """Requests that reach a limit each."""
    token = f"Host: x\r\nAuthorization: Bearer {stage.tokens['orthanc', 'viewer']}\r\n"
    long = "x" * 2000

    def made(text, label, method="GET", **more):
        more = {"fresh": True, "methods": (method,), **more}
        return wire.Request(text.encode(), f"limits: {label}", **more)

    return [
        *(made(f"{HEAD}\r\n", f"request {at} on a connection", fresh=False) for at in range(5)),
        made(HEAD + "".join(f"X-{at}: 1\r\n" for at in range(15)) + "\r\n", "many headers"),
        made(f"{HEAD}X-Long: {'x' * 3000}\r\n\r\n", "long headers"),
        made(f"{HEAD}X-Long: {'x' * 6000}\r\n\r\n", "longer headers"),
        made(HEAD.replace("/open", "/open?" + "x" * 300) + "\r\n", "a long target"),
        made(f"{POST}Content-Length: 2000\r\n\r\n{long}", "a long body", "POST"),
        made(f"{POST}Transfer-Encoding: chunked\r\n\r\n7d0\r\n{long}\r\n0\r\n\r\n", "a long body in chunks", "POST"),
        made(f"{POST}Content-Length: 10\r\n\r\nabc", "a body that stops", "POST"),
        made("GET /open HTTP/1.1\r\nHost", "a header that stops"),
        made(f"{HEAD}X-Answer: nothing\r\n\r\n", "an upstream that ends"),
        made(f"{HEAD}X-Answer: silent\r\n\r\n", "an upstream that waits"),
        made(f"GET /a HTTP/1.1\r\n{token}\r\n", "a good token"),
        made(f"{HEAD}\r\n", "an idle connection", linger=3.0),
    ]


def guess(session):
    """Sends wrong keys until the address is refused; all in one minute of the clock, by which the program counts."""
    if time.time() % 60 > 56:
        time.sleep(60.2 - time.time() % 60)
    right = session.stage.api_keys["boss"]

    def send(key, label, source):
        data = f"GET /a HTTP/1.1\r\nHost: x\r\nX-Api-Key: {key}\r\n\r\n".encode()
        session.send(wire.Request(data, f"limits: {label}", source=source))

    for at in range(9):
        send(right[:-4] + f"{at:04}", f"guess {at}", "127.0.0.9")
    send(right, "the right key afterwards", "127.0.0.9")
    send(right, "the right key from elsewhere", "127.0.0.10")
