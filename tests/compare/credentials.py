"""Makes the credentials of the stage: keys, certificates, API keys, good tokens, and tokens that are wrong."""

import base64
import concurrent.futures
import hashlib
import hmac
import json
import pathlib
import subprocess
import time

EC = "EC -pkeyopt ec_paramgen_curve:P-256"
SECRET = b"a secret of forty-eight bytes, for HS256 alone.."
# What the issuer says of opaque tokens.
OPAQUE = {
    "opaque-good": {"active": True, "sub": "olga", "roles": ["user"], "tenants": ["t1"], "client_id": "app-1"},
    "opaque-none": {"active": False},
    "opaque-other": {"active": True, "sub": "x", "aud": "other"},
    "opaque-type": {"active": True, "sub": "x", "token_type": "DPoP"},
    "opaque-iss": {"active": True, "iss": "https://other"},
    "opaque-odd": "nothing",
}
# Callers of the small policies: roles, and what else their tokens claim.
PROBE_CALLERS = {
    "plain": (["user"], {}),
    "remover": (["remover"], {}),
    "insider": (["insider"], {"acr": "mfa"}),
    "unstepped": (["insider"], {}),
    "collector": (["collector"], {}),
    "boss": (["boss"], {"acr": "mfa", "level": "high"}),
    "high": (["user"], {"level": "high"}),
    "gone": (["boss"], {}),
    "ward": ([], {}),
    "abroad": (["boss"], {"tenants": ["t2"]}),
    "several": (["user", "unknown"], {"tenants": ["t1", "t2"]}),
    "service": (["user"], {"token_use": "service"}),
    "direct": ([], {"permissions": ["Use", "Names", "Nothing"]}),
    "member": ([], {"groups": ["G"]}),
}


class Credentials:
    """What callers prove themselves with; the files are in the stage's folder."""

    def __init__(self, folder, binary):
        self.folder, self.binary = pathlib.Path(folder), binary
        self.now = int(time.time())
        self.jwks = {}
        self.tokens, self.bad, self.api_keys = {}, {}, {}

    def make(self, policies):
        """Makes all of them."""
        self.make_keys()
        self.make_certificates()
        self.make_api_keys()
        self.make_tokens(policies)

    def make_keys(self):
        """Two keys for tokens, one that nobody believes, and a secret."""
        folder = self.folder / "keys"
        for name, how in (("rsa", "RSA -pkeyopt rsa_keygen_bits:2048"), ("ec", EC), ("foreign", EC)):
            openssl(f"genpkey -algorithm {how} -out {name}.key", folder)
        pem = b"".join(openssl(f"pkey -in {name}.key -pubout", folder) for name in ("rsa", "ec"))
        (folder / "hospital.pem").write_bytes(pem)
        modulus = openssl("rsa -in rsa.key -noout -modulus", folder).decode().strip().split("=")[1]
        rsa = {"kty": "RSA", "use": "sig", "alg": "RS256", "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}
        point = openssl("pkey -in ec.key -pubout -outform DER", folder)[-64:]
        ec = {"kty": "EC", "use": "sig", "crv": "P-256", "x": b64(point[:32]), "y": b64(point[32:])}
        self.jwks = {"keys": [{**rsa, "kid": "one"}, {**ec, "kid": "two"}]}
        # Secrets are for their owner only, or the gateway does not start.
        (folder / "secret").touch(mode=0o600)
        (folder / "secret").write_bytes(SECRET)

    def make_certificates(self):
        """A server's certificate, two authorities, a revocation list, and certificates of clients."""
        folder = self.folder / "tls"
        fresh = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        own = f"req -x509 {fresh} -days 30"
        for name in ("ca", "other-ca"):
            usage = "-addext keyUsage=critical,keyCertSign,cRLSign"
            openssl(f"{own} -keyout {name}.key -out {name}.pem -subj /CN={name} {usage}", folder)
        names = "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
        openssl(f"{own} -keyout server.key -out server.pem {names}", folder)
        (folder / "client.ext").write_text("extendedKeyUsage=clientAuth\n")
        for name, authority in (("alice", "ca"), ("sync", "ca"), ("revoked", "ca"), ("mallory", "other-ca")):
            openssl(f"req -new {fresh} -keyout {name}.key -out {name}.csr -subj /CN={name}", folder)
            signer = f"-CA {authority}.pem -CAkey {authority}.key -CAcreateserial -extfile client.ext"
            openssl(f"x509 -req -in {name}.csr {signer} -days 30 -out {name}.pem", folder)
        (folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ncrlnumber = crlnumber\ndefault_md = sha256\n"
            "default_crl_days = 7\ncrl_extensions = crl\n[crl]\nauthorityKeyIdentifier = keyid\n"
        )
        (folder / "index.txt").write_text("")
        (folder / "crlnumber").write_text("01\n")
        ca = "ca -config ca.cnf -cert ca.pem -keyfile ca.key"
        openssl(f"{ca} -revoke revoked.pem", folder)
        openssl(f"{ca} -gencrl -out ca.crl", folder)

    def make_api_keys(self):
        """API keys, made with the older binary; one of them is revoked."""
        noah = ["--client", "app-1", "--tenant", "t1"]
        for file, name, *args in (
            ("machines", "nurse", "--role", "Level 2", *noah),
            ("machines", "sync", "--kind", "service", *noah),
            ("machines", "radiologist", "--group", "Radiologists"),
            ("machines", "viewer", "--role", "viewer", "--permission", "Image View"),
            ("machines", "boss", "--role", "boss", *noah),
            ("machines", "gone", "--role", "boss"),
            ("desks", "physicist", "--role", "Physicist"),
            ("desks", "admin", "--role", "Admin"),
            ("desks", "guest", "--role", "Guest", "--expires", "12h"),
        ):
            self.api_keys[name] = self.key("create", file, name, *args)
        self.key("revoke", "machines", "gone")

    def key(self, action, file, name, *args):
        """Runs `key`; what it prints."""
        command = [self.binary, "key", action, "--file", f"keys/{file}.yaml", "--id", name, *args]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, check=True, timeout=60)
        return done.stdout.decode().strip()

    def claims(self, issuer="https://login.hospital.example", **more):
        """Claims of a good token, changed by `more`; None leaves one out."""
        found = {"iss": issuer, "aud": "gateway", "sub": "ann", "iat": self.now - 60, "exp": self.now + 7200, **more}
        return {key: value for key, value in found.items() if value is not None}

    def sign(self, claims, key="rsa", **header):
        """A JSON Web Token; `claims` may be text, to say what JSON would not."""
        alg = {"rsa": "RS256", "secret": "HS256", "none": "none"}.get(key, "ES256")
        text = ".".join(
            b64((part if isinstance(part, str) else json.dumps(part, separators=(",", ":"))).encode())
            for part in ({"alg": alg, "typ": "JWT", **header}, claims)
        ).encode()
        if key == "none":
            return text.decode() + "."
        if key == "secret":
            return text.decode() + "." + b64(hmac.digest(SECRET, text, hashlib.sha256))
        made = openssl(f"dgst -sha256 -sign {key}.key", self.folder / "keys", text)
        return text.decode() + "." + b64(made if key == "rsa" else raw_ecdsa(made))

    def make_tokens(self, policies):
        """A token for each caller of the cases, and tokens that are wrong in one way each."""
        good = {**self.tokens_of_cases(policies), **self.tokens_of_probe()}
        wrong = self.wrong_tokens()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda job: self.sign(*job[:2], **dict(*job[2:])), [*good.values(), *wrong.values()]))
        self.tokens = dict(zip(good, made))
        self.bad = dict(zip(wrong, made[len(good) :]))
        self.add_broken_tokens()

    def tokens_of_cases(self, policies):
        """Claims and key for each caller of the cases that has a credential; every second one by a shared secret."""
        found = {}
        for policy in policies:
            for name, caller in policy.callers.items():
                if caller.get("kind") == "anonymous":
                    continue
                # Users whom the policy lists are those of the first issuer.
                listed = caller.get("id") in policy.names["users"]
                key = "rsa" if listed else ("rsa", "secret", "ec", "secret")[len(found) % 4]
                issuer = "https://trial.example" if key == "secret" else "https://login.hospital.example"
                found[policy.name, name] = (self.claims(issuer, **claims_of(caller)), key)
        return found

    def tokens_of_probe(self):
        """Claims, key and header for the callers of the small policies, and for two of the issuer with a key set."""
        found = {}
        for name, (roles, more) in PROBE_CALLERS.items():
            claims = {"sub": name, "roles": roles, "client_id": "app-1", "tenants": ["t1"], **more}
            found["probe", name] = (self.claims(**claims), "ec")
        for name in ("viewer", "modality", "archivist"):
            found["orthanc", name] = (self.claims("https://trial.example", sub=name, roles=[name]), "secret")
        clinic = "https://clinic.example"
        claims = self.claims(clinic, sub="cli", tenants="t1 t2", realm_access={"roles": "user boss"})
        found["probe", "clinic"] = (claims, "rsa", {"kid": "one"})
        roles = {"roles": ["Level 2", "BDM"]}
        claims = self.claims(clinic, sub="cli", azp="app-1", tenants=["t1"], realm_access=roles)
        found["noah-es", "clinic"] = (claims, "ec", {"kid": "two"})
        return found

    def add_broken_tokens(self):
        """Adds what no issuer would sign so."""
        good = self.tokens["probe", "plain"]
        self.bad |= {
            "altered": good[:-6] + "AAAAAA",
            "cut": good[:-2],
            "two-dots": "a.b.c",
            "empty-part": good.rsplit(".", 1)[0] + ".",
            "garbage": "x" * 40,
            "long": self.sign(self.claims(padding="x" * 6000), "secret"),
            "repeated": self.sign(json.dumps(self.claims("https://trial.example"))[:-1] + ', "sub": "eve"}', "secret"),
            "no-json": self.sign("nothing", "secret"),
            "no-object": self.sign("[]", "secret"),
            **{name: name for name in OPAQUE},
            "opaque-unknown": "opaque-unknown",
        }

    def wrong_tokens(self):
        """Tokens that are wrong in one way each: claims, key, and header."""
        now, trial = self.now, "https://trial.example"
        return {
            "expired": (self.claims(exp=now - 600), "ec"),
            "expired-long": (self.claims(exp=now - 86400, iat=now - 90000), "rsa"),
            "early": (self.claims(nbf=now + 4000), "rsa"),
            "audience": (self.claims(aud="other"), "ec"),
            "audiences": (self.claims(aud=["other", "gateway"]), "ec"),
            "no-audience": (self.claims(aud=None), "ec"),
            "issuer": (self.claims("https://nobody.example"), "ec"),
            "no-issuer": (self.claims(iss=None), "rsa"),
            "no-expiry": (self.claims(exp=None), "ec"),
            "long-life": (self.claims(exp=now + 10**7), "rsa"),
            "text-expiry": (self.claims(exp="soon"), "ec"),
            "none": (self.claims(), "none"),
            "foreign": (self.claims(), "foreign"),
            "confused": (self.claims(), "secret"),
            "wrong-kid": (self.claims("https://clinic.example"), "rsa", {"kid": "three"}),
            "other-kid": (self.claims("https://clinic.example"), "ec", {"kid": "one"}),
            "critical": (self.claims(), "ec", {"crit": ["x"], "x": 1}),
            "embedded": (self.claims(), "foreign", {"jwk": {"kty": "EC"}}),
            "type": (self.claims(), "ec", {"typ": "at+jwt"}),
            "odd-type": (self.claims(), "ec", {"typ": "logout+jwt"}),
            "no-subject": (self.claims(sub=None), "ec"),
            "client-only": (self.claims(sub=None, client_id="app-1", tenants=["t1"]), "ec"),
            "number-subject": (self.claims(sub=7), "ec"),
            "odd-subject": (self.claims(trial, sub="ä % b, c ", roles=["user"], tenants=["t1"]), "secret"),
            "reserved-id": (self.claims(sub="client:app-1"), "ec"),
            "kind-refused": (self.claims("https://clinic.example", token_use="service"), "rsa", {"kid": "one"}),
            "roles-text": (self.claims(trial, roles="user"), "secret"),
            "roles-number": (self.claims(trial, roles=[1]), "secret"),
            "bound": (self.claims(trial, roles=[{"collector": {"workspace": "w1"}}], tenants=["t1"]), "secret"),
            "confirmation": (self.claims(trial, cnf={"jkt": "x"}), "secret"),
            "thumbprint": (self.claims(trial, cnf={"x5t#S256": "x"}), "secret"),
            "tenants-odd": (self.claims(trial, tenants={"t1": 1}), "secret"),
            "no-tenant": (self.claims(trial, roles=["user"], tenants=None), "secret"),
        }


def claims_of(caller):
    """The claims of a token for a caller as cases write it."""
    found = {
        "sub": caller.get("id"),
        "client_id": caller.get("client"),
        "roles": caller.get("roles"),
        "permissions": caller.get("permissions"),
    }
    found["tenants"] = caller.get("tenants") or ([caller["tenant"]] if "tenant" in caller else None)
    found["groups"] = caller.get("groups") or ([caller["group"]] if "group" in caller else None)
    found["token_use"] = "service" if caller.get("kind") == "service" else None
    return {**found, **(caller.get("claims") or {})}


def openssl(words, folder, stdin=None):
    """Runs openssl in a folder and returns its output."""
    command = ["openssl", *words.split()]
    return subprocess.run(command, input=stdin, cwd=folder, check=True, capture_output=True, timeout=60).stdout


def b64(data):
    """Base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw_ecdsa(der):
    """The two numbers of a signature that openssl wrote in DER, 32 bytes each."""
    r = der[4 : 4 + der[3]]
    s = der[4 + der[3] + 2 :]
    return b"".join(int.from_bytes(part, "big").to_bytes(32, "big") for part in (r, s))
