"""Changes policies and keys under a running gateway, and looks at what it makes of them."""

import signal
import subprocess

import wire
from session import READY

SHOWN = ("/policy", "/ready", "/apis/noah/diff", "/apis/probe/diff", "/apis/noah/candidate")
# Each request: the API, its line, and whose token it has, as policy and caller.
SAMPLES = [
    ("noah", "POST /t1/api/Patients/p1/s1", ("noah-es", "nurse")),
    ("noah", "GET /t1/api/Patients/p1", ("noah-es", "nurse")),
    ("noah", "DELETE /t1/api/Patients/p1", ("noah-es", "records")),
    ("carestream", "GET /dicomweb/studies/s/series/e/mpr", ("carestream", "clinician")),
    ("probe", "GET /t1/secrets", ("probe", "plain")),
    ("probe", "GET /t1/secrets", None),
    ("broken", "GET /t1/things", ("probe", "plain")),
    ("probe", "GET /t1/things", ("probe", "clinic")),
]
SESSIONS = "Patient Sessions:                    CR\n"
# Each change: the policy, a text in it and its replacement, and what is tried.
CHANGES = [
    ("noah-es", SESSIONS, SESSIONS.replace("Sessions", "Sesions"), "a bad policy"),
    ("noah-es", SESSIONS, SESSIONS.replace("CR", "R"), "a good policy"),
    None,
    ("noah-es", "    includes: [Level 2]\n", "    includes: [Level 1]\n", "another good policy"),
    ("carestream", "features: [mpr] }", "features: [] }", "a locked profile"),
    ("probe", "dialect: strict", "dialect: strict\nshadow: all", "shadow mode"),
    ("broken", "resuorces:", "resources:", "a policy that was broken"),
    ("noah-candidate", "version: 1", "vresion: 1", "a bad candidate"),
]


class Reloads:
    """The reloads of one session."""

    def __init__(self, session):
        self.session, self.stage = session, session.stage

    def run(self):
        """Policies and keys change, one after the other."""
        texts = {file.stem: file.read_text() for file in (self.stage.folder / "policies").glob("*.yaml")}
        for change in CHANGES:
            if change is None:
                self.roll_back("noah")
                continue
            name, old, new, what = change
            if old not in texts[name]:
                raise RuntimeError(f"the policy `{name}` has no {old!r} to change; mend CHANGES")
            self.change(name, texts[name].replace(old, new, 1), what)
        self.revoke()
        self.replace_keys()

    def change(self, name, text, what):
        """Writes a policy, waits until the gateway has taken or refused it, and looks."""
        before = self.versions()
        self.stage.policy(name, text)
        wire.wait_for(f"{what} to be read", READY, lambda: self.versions() != before)
        self.session.settle()
        for path in SHOWN:
            self.session.ask("GET", path, name=f"{what}: GET {path}")
        self.send_samples(what)

    def versions(self):
        """The version of each policy, and when another one was refused."""
        apis = self.session.json("/policy")["apis"]
        parts = [(api["name"], part) for api in apis for part in (api, api.get("candidate") or {})]
        return [
            (name, (part.get("policy") or {}).get("hash"), (part.get("refused") or {}).get("at"))
            for name, part in parts
        ]

    def send_samples(self, what):
        """A few requests whose answers depend on what was reloaded."""
        for host, line, caller in SAMPLES:
            lines = [f"{line} HTTP/1.1", f"Host: {host}.example"]
            lines += [f"Authorization: Bearer {self.stage.tokens[caller]}"] if caller else []
            data = "\r\n".join([*lines, "", ""]).encode()
            self.session.send(wire.Request(data, f"{what}: {host} {line}", methods=(line.split()[0],)))
        line, key = "GET /t1/api/Patients HTTP/1.1", self.stage.api_keys["nurse"]
        data = f"{line}\r\nHost: noah.example\r\nX-Api-Key: {key}\r\n\r\n".encode()
        self.session.send(wire.Request(data, f"{what}: an API key"))

    def roll_back(self, api):
        """Goes back one version, twice: the second time there is none."""
        for count in ("once", "twice"):
            self.session.ask("POST", f"/apis/{api}/rollback", name=f"rollback {count}")
            self.session.ask("GET", "/policy", name=f"policies after rollback {count}")
        self.send_samples("rolled back")

    def revoke(self):
        """Revokes an API key: it counts from the next request on."""
        command = ["key", "revoke", "--file", str(self.stage.folder / "keys/machines.yaml"), "--id", "nurse"]
        done = subprocess.run([self.session.binary, *command], capture_output=True, timeout=60)
        self.session.found.codes["key revoke"] = done.returncode
        self.send_samples("a revoked key")

    def replace_keys(self):
        """Takes one of an issuer's two keys away, and tells so by a signal."""
        file = self.stage.folder / "keys/hospital.pem"
        fresh = file.with_suffix(".new")
        first, end, _ = file.read_bytes().partition(b"-----END PUBLIC KEY-----\n")
        fresh.write_bytes(first + end)
        fresh.rename(file)
        self.session.gateway.process.send_signal(signal.SIGHUP)

        def are_replaced():
            issuers = {issuer["name"]: issuer["keys"] for issuer in self.session.json("/ready")["issuers"]}
            return issuers["hospital"] == 1

        wire.wait_for("the keys to be read", READY, are_replaced)
        self.session.settle()
        self.send_samples("one key less")
