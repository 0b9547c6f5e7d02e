"""Runs `serve` of one binary: the main run with all requests and reloads, and a run with low limits."""

import shutil

import http2
import limits
import normalize
import reloads
from session import Session

PATHS = ["/live", "/ready", "/policy", "/nothing", "/apis", "/apis/none/coverage", "/apis/noah/nothing", "/reload", "/"]
QUESTIONS = [
    ("POST", "/ready"),
    ("HEAD", "/live"),
    ("DELETE", "/policy"),
    ("GET", "/apis/noah/rollback"),
    ("POST", "/apis/none/rollback"),
    ("POST", "/apis/hid/rollback"),
    ("POST", "/apis/noah/coverage"),
    ("GET", "/ready", "Host: evil.example"),
    ("GET", "/policy", "Host: evil.example"),
    ("GET", "/policy", "Host: [::1]:9"),
    ("POST", "/reload", "Origin: http://evil"),
    ("GET", "/metrics?x=1"),
    ("GET", "//metrics"),
    ("OPTIONS", "*"),
]


def run(stage, binary, output, requests):
    """What a binary does with all of it."""
    session = Session(stage, binary, output)
    before = contents(stage)
    try:
        for name, part in (("main", lambda: main(session, requests)), ("limits", lambda: limits.run(session))):
            try:
                part()
            except (TimeoutError, RuntimeError) as error:
                session.found.errors[name] = f"{type(error).__name__}: {error}"
                break
    finally:
        session.close()
        restore(before)
        collect(stage, output)
    for name, file in (("main", "main/audit.jsonl"), ("limits", "limits/stdout")):
        file = session.output / file
        session.found.audit[name] = file.read_bytes().splitlines() if file.exists() else []
    session.assign()
    session.found.questions = {normalize.ids(head + body) for head, body in session.side.take()}
    return session.found


def contents(stage):
    """The files that a run changes."""
    return {file: file.read_bytes() for name in ("policies", "keys") for file in (stage.folder / name).iterdir()}


def restore(before):
    """Writes the files as they were, for the other binary."""
    for file, data in before.items():
        file.write_bytes(data)


def collect(stage, output):
    """Moves the audit to the binary's own folder."""
    (output / "main").mkdir(parents=True, exist_ok=True)
    for file in sorted(stage.folder.glob("audit*.jsonl")):
        shutil.move(file, output / "main" / file.name)


def main(session, requests):
    """Requests, what the admin listener says of them, reloads, and the end."""
    session.start("gateway.yaml", "main")
    look(session, "at the start")
    for request in requests:
        session.send(request)
    for label, answers in http2.exchanges(session.stage):
        session.record(label, answers)
    session.settle()
    look(session, "after the requests")
    for question in QUESTIONS:
        session.ask(*question)
    reloads.Reloads(session).run()
    look(session, "at the end")
    session.stop("main")


def look(session, when):
    """Records everything that the admin listener shows."""
    apis = session.stage.apis()
    for path in PATHS + [f"/apis/{api}/{what}" for api in apis for what in ("coverage", "diff", "candidate")]:
        session.ask("GET", path, name=f"{when}: GET {path}")
    metrics = session.ask("GET", "/metrics", name=f"{when}: GET /metrics")
    session.found.metrics[when] = metrics.body.decode()
