"""Sets the stage for live comparisons: a folder with settings, policies, keys, certificates and tokens.

Everything is made once and served by both binaries, one after the other, from the same folder and on the same ports,
so that settings, policies and their hashes are the same for both.
"""

import pathlib
import random
import re
import shutil
import socket

import documents
from credentials import Credentials

FILES = pathlib.Path(__file__).resolve().parent / "files"
DIALECTS = ["strict", "aspnet", "iis", "tomcat", "spring", "php", "wsgi", "express", "nginx"]
# A row of the Noah policy that candidates and reloads change.
SESSIONS = "Patient Sessions:                    CR\n"


class Stage:
    """The folder, the ports and everything that requests need."""

    def __init__(self, root, folder, binary):
        self.root, self.folder = pathlib.Path(root), pathlib.Path(folder)
        self.config = self.folder / "gateway.yaml"
        self.ports = dict(zip(("plain", "h2c", "tls", "admin", "origin", "side", "down"), free_ports(7)))
        for name in ("policies", "keys", "tls"):
            (self.folder / name).mkdir(parents=True)
        self.credentials = Credentials(folder, binary)

    def set(self, policies):
        """Writes everything; `policies` are those of the repository."""
        self.write_policies(policies)
        self.credentials.make(policies)
        for name in ("gateway.yaml", "limits.yaml"):
            text = (FILES / name).read_text()
            for port, number in self.ports.items():
                text = text.replace(f"PORT_{port.upper()}", str(number))
            apis = "".join(dialect_api(dialect, self.ports["origin"]) for dialect in DIALECTS)
            (self.folder / name).write_text(text.replace("\nAPIS\n", f"\n{apis}\n"))

    @property
    def tokens(self):
        """The good tokens, by policy and caller."""
        return self.credentials.tokens

    @property
    def bad(self):
        """The wrong tokens, by what is wrong."""
        return self.credentials.bad

    @property
    def api_keys(self):
        """The API keys, by id."""
        return self.credentials.api_keys

    def apis(self):
        """The names of the APIs."""
        return list(documents.read(self.config)["apis"])

    def write_policies(self, policies):
        """The repository's policies, and those that only this comparison has."""
        texts = {policy.name: localized(policy.text) for policy in policies}
        for policy in policies:
            cases = (self.root / policy.path).with_suffix(".cases.yaml")
            if cases.exists():
                shutil.copy(cases, self.folder / "policies")
        texts["orthanc-shadow"] = replaced(texts["orthanc"], "\ndialect:", "\nshadow: all\ndialect:")
        texts["noah-candidate"] = candidate(texts["noah-es"])
        probe, dialect = ((FILES / name).read_text() for name in ("probe.yaml", "dialect.yaml"))
        texts["probe"] = probe
        texts["probe-shadow"] = replaced(probe, "dialect: strict", "dialect: strict\nshadow: [Secrets]")
        texts["under"] = replaced(probe, "  stations/alice: { roles: [user], tenants: [t1] }\n", "")
        texts["broken"] = replaced(probe, "\nresources:", "\nresuorces:")
        texts["limited"] = replaced(dialect, "dialect: DIALECT", "dialect: strict")
        texts |= {f"dialect-{name}": dialect.replace("DIALECT", name) for name in DIALECTS}
        for name, text in texts.items():
            self.policy(name, text)

    def policy(self, name, text):
        """Writes a policy in one step, as a reload needs it."""
        file = self.folder / "policies" / f"{name}.yaml"
        fresh = file.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(file)


def dialect_api(dialect, port):
    """The settings of an API for a dialect."""
    overrides = "    method-overrides: evaluate\n" if dialect in ("php", "iis") else ""
    return (
        f"  {dialect}:\n    match: {{ hosts: [{dialect}.example] }}\n    policy: policies/dialect-{dialect}.yaml\n"
        f'    upstream: {{ url: "http://127.0.0.1:{port}" }}\n{overrides}'
    )


def candidate(noah):
    """A version of the Noah policy that permits more here and less there."""
    noah = replaced(noah, SESSIONS, SESSIONS.replace("CR", "R"))
    noah = replaced(noah, "[Merge Patient Records]", "[Merge Patient Records, Manage Advanced Settings]")
    route = "  /{tenant}/api/Settings:"
    return replaced(noah, route, "  /{tenant}/api/Fresh: { GET: read Users }\n" + route)


def replaced(text, old, new):
    """A text with one piece replaced, which must be there."""
    if old not in text:
        raise ValueError(f"a policy has no {old!r} any more; mend the comparison")
    return text.replace(old, new, 1)


def localized(text):
    """A policy whose ids name the issuer that vouches for them, as APIs with several issuers need it."""
    head, users, tail = text.partition("\nusers:")
    tail = re.sub(r"(?m)^  ([\w-]+):(?= +\{)", r"  hospital/\1:", tail)
    issuers = ("hospital", "trial", "machines")
    approved = "\n".join(rf"      - {{ client: {issuer}/\1, \2 }}" for issuer in issuers)
    return re.sub(r"(?m)^      - \{ client: ([\w-]+), +(tenant: \w+) \}", approved, head) + users + tail


def free_ports(count):
    """Ports on loopback that nobody listens on, below those that the system gives to outgoing connections."""
    found = []
    while len(found) < count:
        port = random.randrange(12_000, 32_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        if port not in found:
            found.append(port)
    return found
