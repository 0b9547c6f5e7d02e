"""One binary's turn on the stage: its process, what is sent to it, and the recording of what came of it."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time

import normalize
import origin
import wire

# Seconds until a start or a reload is given up, and until a process that was told to end is killed.
READY = 30
STOP = 20
SETTLED = (
    "portcullis_audit_records_total ",
    "portcullis_audit_waiting ",
    "portcullis_in_flight ",
    "portcullis_connections ",
)


@dataclasses.dataclass
class Exchange:
    """One request: its label, the answers to it, and what arrived upstream because of it."""

    label: str
    answers: list
    upstream: list
    ids: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Recording:
    """What one binary did."""

    exchanges: list = dataclasses.field(default_factory=list)
    admin: dict = dataclasses.field(default_factory=dict)
    metrics: dict = dataclasses.field(default_factory=dict)
    # By the name of a run: the lines of its audit, and of its log.
    audit: dict = dataclasses.field(default_factory=dict)
    log: dict = dataclasses.field(default_factory=dict)
    codes: dict = dataclasses.field(default_factory=dict)
    # What issuers were asked; how often depends on time.
    questions: set = dataclasses.field(default_factory=set)
    # By the name of a run: why it was given up.
    errors: dict = dataclasses.field(default_factory=dict)


class Gateway:
    """A process of `serve`."""

    def __init__(self, binary, config, admin_port, output):
        self.port = admin_port
        self.output = pathlib.Path(output)
        self.output.mkdir(parents=True, exist_ok=True)
        self.files = [open(self.output / name, "wb") for name in ("stdout", "stderr")]
        command = [binary, "serve", "--config", str(config)]
        variables = {**os.environ, "RUST_BACKTRACE": "0"}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self.files[0],
            stderr=self.files[1],
            start_new_session=True,
            env=variables,
        )

    def wait(self):
        """Waits until the admin listener answers and every issuer has been asked for its keys."""
        wire.wait_for("the gateway to serve", READY, self.serves)

    def serves(self):
        """Whether it serves; an error where it has ended."""
        if self.process.poll() is not None:
            log = (self.output / "stderr").read_text(errors="replace")
            raise RuntimeError(f"`serve` has ended with {self.process.returncode}: {log[-2000:]}")
        try:
            answer = wire.admin(self.port, "GET", "/ready")
            # Where a token is needed, as in the second run, nothing is said of issuers.
            issuers = json.loads(answer.body or b"{}").get("issuers", [])
        except (OSError, ValueError):
            return False
        return all(issuer["state"] != "unavailable" or issuer["error"] for issuer in issuers)

    def stop(self, number=signal.SIGTERM):
        """Ends the process; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = f"killed after {STOP} s, then {self.process.wait()}"
        for file in self.files:
            file.close()
        return code


class Session:
    """A binary, the servers around it, and the recording."""

    def __init__(self, stage, binary, output):
        self.stage, self.binary, self.output = stage, binary, pathlib.Path(output)
        self.found = Recording()
        self.origin = origin.Origin(stage.ports["origin"])
        self.side = origin.Side(stage.ports["side"], stage.credentials.jwks)
        self.client = wire.Client(stage.ports, stage.folder)
        self.gateway = None

    def close(self):
        """Ends everything."""
        if self.gateway:
            self.gateway.stop(signal.SIGKILL)
        self.client.close()
        self.origin.close()
        self.side.close()

    def start(self, config, name):
        """Starts the gateway and waits for it."""
        config = self.stage.folder / config
        self.gateway = Gateway(self.binary, config, self.stage.ports["admin"], self.output / name)
        self.gateway.wait()

    def stop(self, name):
        """Ends the gateway and takes its log."""
        self.client.close()
        self.found.codes[f"SIGTERM, {name}"] = self.gateway.stop()
        self.gateway = None
        self.found.log[name] = (self.output / name / "stderr").read_text(errors="backslashreplace").splitlines()

    def send(self, request):
        """Sends a request and records what came back and what arrived upstream."""
        answers = self.client.send(request)
        if request.half_close or request.rest:
            # What the gateway gives up may be on its way upstream.
            time.sleep(0.06)
        self.record(request.label, answers)

    def record(self, label, answers):
        """Records the answers to a request, and what arrived upstream since the last one."""
        self.found.exchanges.append(Exchange(label, answers, self.origin.take()))

    def ask(self, method, path, *lines, name=None):
        """Asks the admin listener and records its answer."""
        answer = wire.admin(self.stage.ports["admin"], method, path, *lines)
        self.found.admin[name or f"{method} {path} {' '.join(lines)}".strip()] = answer
        return answer

    def json(self, path):
        """What the admin listener shows, unrecorded."""
        return json.loads(wire.admin(self.stage.ports["admin"], "GET", path).body)

    def settle(self):
        """Waits until every audit record is written and nothing is under way."""

        def counted():
            text = wire.admin(self.stage.ports["admin"], "GET", "/metrics").body.decode()
            return [line for line in text.splitlines() if line.startswith(SETTLED)]

        def is_quiet():
            before = counted()
            time.sleep(0.15)
            return before and before == counted()

        wire.wait_for("the audit to be written", READY, is_quiet)

    def assign(self):
        """Gives each exchange the ids of its decisions, and what arrived upstream after its answer, such as a request
        that was refused for what its body held."""
        owners = {}
        for at, exchange in enumerate(self.found.exchanges):
            exchange.ids = [one for answer in exchange.answers if (one := id_in(answer))]
            owners |= dict.fromkeys(exchange.ids, at)
        arrived = [
            (owners.get(normalize.id_of(head), at), head, body)
            for at, exchange in enumerate(self.found.exchanges)
            for head, body in exchange.upstream
        ]
        for exchange in self.found.exchanges:
            exchange.upstream = []
        for at, head, body in arrived:
            exchange = self.found.exchanges[at]
            exchange.upstream.append((head, body))
            if found := normalize.id_of(head):
                exchange.ids.append(found)


def id_in(answer):
    """The decision's id in an answer of the gateway; None where there is none."""
    return normalize.id_of("\n".join(answer.fields).encode())
