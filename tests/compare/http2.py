"""Sends a few requests over HTTP/2 with curl, where there is one that knows it."""

import pathlib
import shutil
import subprocess
import tempfile

from wire import Answer


def available():
    """Whether there is a curl with HTTP/2."""
    if not shutil.which("curl"):
        return False
    return "HTTP2" in subprocess.run(["curl", "--version"], capture_output=True, text=True, timeout=30).stdout


def requests(stage):
    """Each request: a label, the listener, the target, and curl's arguments."""
    token = stage.tokens["probe", "plain"]
    bearer = ["-H", f"Authorization: Bearer {token}"]
    found = []
    for listener in ("h2c", "tls"):
        for target, args in (
            ("/open", []),
            ("/t1/things", bearer),
            ("/t1/things", []),
            ("/t1/things/a", [*bearer, "-X", "PUT", "-d", "a=1"]),
            ("/t1/things", [*bearer, "-d", "_method=DELETE"]),
            ("/t1/secrets", bearer),
            ("/closed", bearer),
            ("/nothing", bearer),
            ("/t1/%2e%2e/open", bearer),
            ("/t1//things", bearer),
            ("/t1/things/", bearer),
            ("/open", ["-H", "Cookie: a=b", "-H", "Cookie: c=d"]),
            ("/open", ["-H", "X-Portcullis-Subject: root"]),
            ("/open", ["-H", "X-HTTP-Method-Override: DELETE"]),
            ("/open", ["-H", "TE: trailers"]),
            ("/open", ["-I"]),
            ("/t1/typed", [*bearer, "-H", "X-Answer: png"]),
            ("/t1/typed", [*bearer, "-H", "X-Answer: pdf"]),
            ("/t1/things", [*bearer, "-H", "X-Answer: chunked"]),
            ("/t1/things", [*bearer, "-H", "X-Answer: trailers"]),
            ("/t1/things", [*bearer, "-H", "X-Answer: large"]),
            ("/t1/things", [*bearer, "-H", "X-Answer: no-http"]),
            ("/t1/things", [*bearer, "-H", "Origin: https://portal.example"]),
            (
                "/t1/things",
                ["-X", "OPTIONS", "-H", "Origin: https://portal.example", "-H", "Access-Control-Request-Method: PUT"],
            ),
            ("/open", ["-X", "TRACE"]),
            ("/open", ["-H", "Host: unknown.example"]),
            ("/t1/things?access_token=x", bearer),
            ("/t1/things", [*bearer, "-X", "POST", "-H", "Content-Type: text/plain", "-d", "x" * 2000]),
        ):
            found.append((f"HTTP/2 {listener}: {target} {' '.join(arg[:30] for arg in args)}", listener, target, args))
    return found


def exchanges(stage):
    """Sends them one after the other; yields the label and the answers."""
    if not available():
        return
    with tempfile.TemporaryDirectory() as folder:
        head, body = pathlib.Path(folder, "head"), pathlib.Path(folder, "body")
        for label, listener, target, args in requests(stage):
            scheme = "https" if listener == "tls" else "http"
            more = (
                ["--http2", "--cacert", str(stage.folder / "tls/server.pem")]
                if listener == "tls"
                else ["--http2-prior-knowledge"]
            )
            host = [] if any(arg.startswith("Host:") for arg in args) else ["-H", "Host: probe.example"]
            head.write_bytes(b"")
            body.write_bytes(b"")
            done = subprocess.run(
                [
                    "curl",
                    "-q",
                    "--silent",
                    "--noproxy",
                    "*",
                    "--path-as-is",
                    "--max-time",
                    "10",
                    "-A",
                    "curl",
                    "-D",
                    str(head),
                    "-o",
                    str(body),
                    *more,
                    *host,
                    *args,
                    f"{scheme}://localhost:{stage.ports[listener]}{target}",
                ],
                capture_output=True,
                timeout=60,
            )
            status, *fields = head.read_text("latin-1").replace("\r", "").rstrip("\n").split("\n")
            answer = Answer(
                status.strip(),
                fields,
                b"" if "-I" in args else body.read_bytes(),
                end="" if done.returncode == 0 else f"curl ended with {done.returncode}",
            )
            yield label, [answer]
