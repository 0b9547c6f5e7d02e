"""Forgeries of JSON Web Tokens for `jwt_attacks.py`: each has a name and is made from an honest token's parts.

This file runs openssl for signatures; everything else is hand-written, so that no library rejects invalid output.
"""

import base64
import hashlib
import hmac
import http.server
import json
import pathlib
import subprocess
import threading
import time

SECONDS = 20
REFUSED = {401}
# The statuses for a message that may itself be invalid.
INVALID = {400, 401, 431}
# The orders of the groups of P-256 and Ed25519.
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_L = 2**252 + 27742317777372353535851937790883648493


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def as_bytes(part):
    return part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()


def hs256(secret, text):
    return hmac.new(secret, text, hashlib.sha256).digest()


class Key:
    """A private key in PEM, used by openssl to sign."""

    def __init__(self, folder, alg, path):
        self.folder, self.alg, self.path = folder, alg, str(path)
        self.public_pem = self.openssl("pkey", "-in", self.path, "-pubout")
        self.public_der = self.openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")

    @classmethod
    def made(cls, folder, alg, name):
        path = pathlib.Path(folder, name)
        how = {"RS256": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "EdDSA": ["ED25519"],
               "ES256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]}[alg]
        cls.openssl("genpkey", "-algorithm", *how, "-out", str(path))
        return cls(folder, alg, path)

    @staticmethod
    def openssl(*words):
        return subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=SECONDS).stdout

    def raw(self, text):
        """The signature as openssl writes it: DER for ECDSA."""
        file = pathlib.Path(self.folder, "to-sign")
        file.write_bytes(text)
        if self.alg == "EdDSA":
            return self.openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", str(file))
        return self.openssl("dgst", "-sha256", "-sign", self.path, str(file))

    def sign(self, text):
        made = self.raw(text)
        if self.alg != "ES256":
            return made
        # SEQUENCE of two INTEGERs, each shorter than 128 bytes.
        r = made[4:4 + made[3]]
        s = made[4 + made[3] + 2:]
        return b"".join(int.from_bytes(part).to_bytes(32) for part in (r, s))

    def jwk(self):
        if self.alg == "RS256":
            written = self.openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip()
            return {"kty": "RSA", "n": b64(bytes.fromhex(written.split("=")[1])), "e": "AQAB"}
        if self.alg == "ES256":
            x, y = self.public_der[-64:-32], self.public_der[-32:]
            return {"kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y)}
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(self.public_der[-32:])}

    def certificate(self):
        """A self-signed certificate, in DER."""
        return subprocess.run(
            ["openssl", "req", "-x509", "-key", self.path, "-subj", "/CN=evil", "-outform", "DER"],
            check=True, capture_output=True, timeout=SECONDS).stdout


class Secret:
    """A secret shared with the issuer."""

    alg = "HS256"

    def __init__(self, path):
        self.secret = pathlib.Path(path).read_bytes()

    def sign(self, text):
        return hs256(self.secret, text)


class Bait:
    """A server with the forger's keys, which must never receive a request."""

    def __init__(self, body):
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                self.asked.append(handler.path)
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Forger:
    """Makes forgeries from the parts of an honest issuer's tokens."""

    def __init__(self, args, folder, honest):
        self.args, self.honest = args, honest
        self.evil = Key.made(folder, honest.alg if honest.alg != "HS256" else "RS256", "evil.pem")
        self.bait = Bait(as_bytes({"keys": [self.evil.jwk() | {"kid": "evil"}]}))
        self.claims = {"iss": args.iss, "aud": args.aud, "exp": int(time.time()) + 300} | args.claims
        self.header = {"alg": honest.alg, "typ": "JWT", "kid": args.kid}

    def token(self, header=None, claims=None, sign=None):
        """A token with these members of header and claims replaced (bytes replace all); None removes a member."""
        parts = []
        for own, change in ((self.header, header), (self.claims, claims)):
            if not isinstance(change, bytes):
                change = {name: value for name, value in (own | (change or {})).items() if value is not None}
            parts.append(b64(as_bytes(change)))
        signed = ".".join(parts)
        return f"{signed}.{b64((sign or self.honest.sign)(signed.encode()))}"

    def tokens(self):
        """Name and token of each forgery."""
        for family in (self.unsigned, self.swapped, self.own_keys, self.kids, self.extensions, self.signatures,
                       self.encodings, self.json_texts, self.times, self.parties, self.nested):
            for name, token in family():
                yield f"{family.__name__.replace('_', '-')}: {name}", token

    def unsigned(self):
        good = self.token().rsplit(".", 1)[1]
        for alg in ("none", "None", "NONE", "nOnE", "none ", " none", "none\0", "nоne", "", None):
            header = {"alg": alg}
            yield f"alg {alg!r}, empty signature", self.token(header, sign=lambda _: b"")
            yield f"alg {alg!r}, old signature", self.token(header, sign=lambda _: b"").rstrip(".") + "." + good
            yield f"alg {alg!r}, no third part", self.token(header, sign=lambda _: b"").rstrip(".")
        yield "alg none without kid", self.token({"alg": "none", "kid": None}, sign=lambda _: b"")

    def swapped(self):
        for alg in (self.honest.alg.lower() if self.honest.alg != "EdDSA" else "EDDSA", f" {self.honest.alg}",
                    "HS384", "HS512", "ES256K", "Ed448", "RSA1_5", "dir", "A128GCM", "MD5", "X", "../RS256",
                    self.honest.alg + "\0", [self.honest.alg], {"alg": self.honest.alg}, 256, True):
            yield f"alg {alg!r}, rightly signed", self.token({"alg": alg})
        for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "HS256"):
            if alg != self.honest.alg:
                yield f"alg {alg} over another one's signature", self.token({"alg": alg})
        for name, secret in self.secrets():
            for header in ({"alg": "HS256"}, {"alg": "HS256", "kid": None}):
                where = "" if "kid" not in header else ", no kid"
                yield f"HS256 with {name}{where}", self.token(header, sign=lambda text, s=secret: hs256(s, text))

    def secrets(self):
        """Values that a verifier might use as a shared secret."""
        for guess in (b"", b"\0", b"\0" * 32, b"secret", b"your-256-bit-secret", self.args.iss.encode(),
                      self.args.aud.encode(), self.args.kid.encode()):
            yield f"the secret {guess!r}", guess
        if isinstance(self.honest, Key):
            pem, der, jwk = self.honest.public_pem, self.honest.public_der, self.honest.jwk()
            yield "the public key in PEM", pem
            yield "the public key in PEM without its last newline", pem.rstrip(b"\n")
            yield "the public key in PEM with CRLF", pem.replace(b"\n", b"\r\n")
            yield "the public key in PEM on one line", b"".join(pem.splitlines()[1:-1])
            yield "the public key in DER", der
            yield "the public key in JWK", as_bytes(jwk)
            yield "the public key in spaced JWK", json.dumps(jwk).encode()
            yield "the key set", as_bytes({"keys": [jwk]})
            yield "the first number of the JWK", (jwk.get("n") or jwk["x"]).encode()
            number = jwk.get("n") or jwk["x"]
            yield "the first number itself", base64.urlsafe_b64decode(number + "=" * (-len(number) % 4))

    def own_keys(self):
        evil, alg = self.evil, self.evil.alg
        jwk = evil.jwk()
        chain = [base64.b64encode(evil.certificate()).decode()]
        digest = b64(hashlib.sha256(base64.b64decode(chain[0])).digest())
        url = self.bait.url
        offers = {
            "nothing": {}, "jwk": {"jwk": jwk}, "jwk with kid": {"jwk": jwk | {"kid": self.args.kid}},
            "jwk as text": {"jwk": json.dumps(jwk)}, "jwks": {"jwks": {"keys": [jwk]}}, "jku": {"jku": f"{url}/jwks"},
            "jku behind the issuer's name": {"jku": f"{self.args.iss}@{url[7:]}/jwks"}, "x5u": {"x5u": f"{url}/x5u"},
            "x5c": {"x5c": chain}, "x5c and x5t": {"x5c": chain, "x5t#S256": digest},
            "all": {"jwk": jwk, "jku": f"{url}/jwks", "x5u": f"{url}/x5u", "x5c": chain},
        }
        for name, offer in offers.items():
            for kid in (self.args.kid, "evil", None):
                yield f"{name}, kid {kid!r}", self.token({"alg": alg, "kid": kid} | offer, sign=evil.sign)
        # A symmetric key in the header, and an unknown issuer.
        oct_key = {"kty": "oct", "k": b64(b"k" * 32)}
        yield "jwk oct", self.token({"alg": "HS256", "jwk": oct_key}, sign=lambda text: hs256(b"k" * 32, text))
        yield "iss of the forger's server", self.token({"alg": alg, "kid": "evil"}, {"iss": url}, evil.sign)

    def kids(self):
        names = ["../../../../../../dev/null", "/dev/null", "file:///dev/null", "/proc/sys/kernel/randomize_va_space",
                 "C:\\nul", "' UNION SELECT '' -- ", "1' OR '1'='1", "x'; DROP TABLE keys; --", "$(touch /tmp/x)",
                 "| sleep 9", "`id`", "; id", "%00", "\0", self.args.kid + "\0", self.args.kid + " ",
                 self.args.kid.upper() + "_", "", "*", "${jndi:ldap://127.0.0.1/x}", self.bait.url, "k" * 4000, "é",
                 "\U0001f511"]
        empties = [("an empty secret", b""), ("a zero", b"\0"), ("a new line", b"\n")]
        for kid in names:
            shown = repr(kid if len(kid) < 40 else kid[:9] + "…")
            for name, secret in empties:
                header = {"alg": "HS256", "kid": kid}
                yield f"{shown}, {name}", self.token(header, sign=lambda text, s=secret: hs256(s, text))
            yield f"{shown}, the forger's key", self.token({"alg": self.evil.alg, "kid": kid}, sign=self.evil.sign)
        for kid in ([self.args.kid], [], {"$ne": ""}, {}, 0, 1.5, True):
            yield f"{kid!r}, rightly signed", self.token({"kid": kid})

    def extensions(self):
        for crit in (["exp"], ["b64"], ["x"], [], "exp", [""], ["alg", "alg"], {}, 1, True):
            yield f"crit {crit!r}", self.token({"crit": crit, "x": 1})
        for b64_value in (False, True, "false", 0):
            yield f"b64 {b64_value!r}", self.token({"b64": b64_value})
            yield f"b64 {b64_value!r} and crit", self.token({"b64": b64_value, "crit": ["b64"]})
        header = b64(as_bytes(self.header | {"b64": False, "crit": ["b64"]}))
        payload = as_bytes(self.claims)
        signature = b64(self.honest.sign(header.encode() + b"." + payload))
        yield "b64 false with what was signed encoded", f"{header}.{b64(payload)}.{signature}"

    def signatures(self):
        good = self.honest.sign
        size = len(good(b"x"))
        fixed = {
            "of zeros": bytes(size), "of one zero": b"\0", "of ones": b"\xff" * size, "empty": b"",
            "of zeros, short": bytes(size // 2),
            "of zeros, long": bytes(size * 2), "DER of zeros": bytes.fromhex("3006020100020100"), "JSON": b"null",
        }
        if self.honest.alg == "ES256":
            one, n = (1).to_bytes(32), P256_N.to_bytes(32)
            fixed |= {
                "r = s = 1": one + one, "r = n": n + one, "s = n": one + n, "r = s = n": n + n,
                "r = 0": bytes(32) + one, "s = 0": one + bytes(32), "DER of n": b"\x30\x46" + 2 * (b"\x02\x21\0" + n),
            }
        if self.honest.alg == "EdDSA":
            identity = (1).to_bytes(32, "little")
            order = ED25519_L.to_bytes(32, "little")
            fixed |= {"the identity and zero": identity + bytes(32), "the identity and L": identity + order}
        for name, signature in fixed.items():
            yield name, self.token(sign=lambda _, s=signature: s)
        changed = {
            "first bit turned": lambda s: bytes([s[0] ^ 1]) + s[1:],
            "last bit turned": lambda s: s[:-1] + bytes([s[-1] ^ 1]),
            "without its last byte": lambda s: s[:-1], "without its first byte": lambda s: s[1:],
            "with a zero behind": lambda s: s + b"\0", "with a zero before": lambda s: b"\0" + s,
            "twice": lambda s: s + s,
            "reversed": lambda s: s[::-1], "halves swapped": lambda s: s[len(s) // 2:] + s[:len(s) // 2],
            "in hexadecimal": lambda s: s.hex().encode(), "in base64 twice": lambda s: b64(s).encode(),
        }
        if self.honest.alg == "EdDSA":
            more = lambda half: (int.from_bytes(half, "little") + ED25519_L).to_bytes(32, "little")
            changed["s + L"] = lambda s: s[:32] + more(s[32:])
        for name, change in changed.items():
            yield name, self.token(sign=lambda text, c=change: c(good(text)))
        if self.honest.alg == "ES256":
            yield "DER instead of both halves", self.token(sign=self.honest.raw)
        yield "of another text", self.token(sign=lambda _: good(b"x"))
        yield "of the payload alone", self.token(sign=lambda text: good(text.split(b".")[1]))
        texts = as_bytes(self.header) + b"." + as_bytes(self.claims)
        yield "of the texts before encoding", self.token(sign=lambda _: good(texts))
        yield "a digest only", self.token(sign=lambda text: hashlib.sha256(text).digest())
        head, payload, signature = self.token().split(".")
        more = b64(as_bytes(self.claims | {"roles": ["root"], "sub": "root"}))
        yield "of other claims", f"{head}.{more}.{signature}"
        other = b64(as_bytes(self.header | {"typ": "at+jwt"}))
        yield "of another header", f"{other}.{payload}.{signature}"

    def encodings(self):
        # Until every part differs from the same bytes in another alphabet.
        for salt in range(10_000):
            good = self.token({"x": f"{'?>~' * 3}{salt}"}, {"jti": f"{'?>~' * 3}{salt}"})
            parts = good.split(".")
            if all(set(part) & set("-_") for part in parts):
                break
        for at, name in enumerate(("header", "payload", "signature")):
            def changed(text):
                return ".".join(text if place == at else part for place, part in enumerate(parts))
            part = parts[at]
            padding = "=" * (-len(part) % 4) or "===="
            yield f"{name} padded", changed(part + padding)
            yield f"{name} padded with %3D", changed(part + "%3D")
            yield f"{name} in the other alphabet", changed(part.replace("-", "+").replace("_", "/"))
            yield f"{name} with a letter of no alphabet", changed(part[:5] + "!" + part[5:])
            yield f"{name} with a tilde", changed(part + "~")
            yield f"{name} with one letter more", changed(part + "A")
            yield f"{name} with a percent sign", changed(f"%{ord(part[0]):02x}{part[1:]}")
            yield f"{name} with a blank", changed(part[:5] + " " + part[5:])
            yield f"{name} with a tab", changed(part[:5] + "\t" + part[5:])
            if len(part) % 4:
                letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                yield f"{name} with a spare bit set", changed(part[:-1] + letters[letters.index(part[-1]) | 1])
        for name, token in {
            "a dot before": f".{good}", "a dot behind": f"{good}.", "a fourth part": f"{good}.x",
            "a part doubled": f"{parts[0]}.{good}",
            "no dots": good.replace(".", ""), "commas for dots": good.replace(".", ","),
            "%2E for dots": good.replace(".", "%2E"),
            "only dots": "..", "empty header": f".{parts[1]}.{parts[2]}", "empty payload": f"{parts[0]}..{parts[2]}",
            "quoted": f'"{good}"', "in angle brackets": f"<{good}>", "in upper case": good.upper(),
            "in JSON": b64(as_bytes({"protected": parts[0], "payload": parts[1], "signature": parts[2]})),
            "JSON itself": json.dumps({"protected": parts[0], "payload": parts[1], "signature": parts[2]}),
            "without padding twice": b64(good.encode()), "nine KiB": self.token(claims={"x": "y" * 6700}),
            "nine KiB of nothing": "x" * 9216, "nine KiB of dots": "." * 9216,
        }.items():
            yield name, token

    def json_texts(self):
        header, claims = as_bytes(self.header), as_bytes(self.claims)
        for which, text in (("header", header), ("claims", claims)):
            def made(change):
                return self.token(change, None) if which == "header" else self.token(None, change)
            twice = {"header": ["alg", "kid", "typ"], "claims": ["iss", "aud", "exp", "sub"]}[which]
            for name in twice:
                own = json.dumps((self.header | self.claims).get(name)).encode()
                for how, key in (("", name), (", escaped", f"\\u{ord(name[0]):04x}{name[1:]}")):
                    yield f"{which}: {name} twice{how}", made(b'{"%s":%s,' % (key.encode(), own) + text[1:])
            for name, change in {
                "a byte order mark": b"\xef\xbb\xbf" + text, "UTF-16": text.decode().encode("utf-16"),
                "two objects": text + text,
                "text behind": text + b"x", "a zero behind": text + b"\0", "cut off": text[:-1],
                "a comma too many": text[:-1] + b",}",
                "a comment": text[:-1] + b"/**/}", "single quotes": text.replace(b'"', b"'"),
                "in a list": b"[" + text + b"]",
                "as a text": json.dumps(text.decode()).encode(), "null": b"null", "true": b"true", "nothing": b"",
                "an empty object": b"{}",
                "not UTF-8": text[:-1] + b',"x":"\xff"}', "overlong UTF-8": text[:-1] + b',"x":"\xc0\xaf"}',
                "half a surrogate": text[:-1] + b',"x":"\\ud800"}', "NaN": text[:-1] + b',"x":NaN}',
                "a raw control character": text[:-1] + b',"x":"\n"}',
                "deep": text[:-1] + b',"x":' + b"[" * 1000 + b"]" * 1000 + b"}",
                "a huge number": text[:-1] + b',"x":1e999}',
            }.items():
                yield f"{which}: {name}", made(change)

    def times(self):
        now = int(time.time())
        for exp in (None, "", str(now + 300), "never", [now + 300], {}, True, False, 0, 1, -1, -1.5, 0.5, 1.5,
            now - 3600, now - 3600.5,
                    2**31, 2**53, 2**63, 2**64, 1e308, -(2**63), now + 10 * 365 * 86400, (now + 300) * 1000):
            yield f"exp {exp!r}", self.token(claims={"exp": exp})
        text = as_bytes(self.claims | {"exp": 4242})
        for exp in (b"null", b"NaN", b"Infinity", b"1e999", b"0x7fffffff", b"+9999999999", b"09999999999"):
            yield f"exp {exp.decode()}", self.token(claims=text.replace(b"4242", exp))
        for name in ("nbf", "iat"):
            for value in (now + 300, now + 86400, 2**64, 1e308, "", str(now), [now], {}, True):
                yield f"{name} {value!r}", self.token(claims={name: value})

    def parties(self):
        iss, aud = self.args.iss, self.args.aud
        for value in (None, "", [iss], {"iss": iss}, 1, True, iss + "/", iss + " ", " " + iss, iss + "\0",
            iss.upper() + "_", iss + "#x", iss + "?x",
                      iss[:-1], "https://evil.test", f"{iss}@evil.test", [iss, "https://evil.test"]):
            yield f"iss {value!r}", self.token(claims={"iss": value})
        for value in (None, "", [], {}, {"0": aud}, 1, True, "other", ["other"], [["x", aud]], [aud, 1],
            [aud, None], aud + " ", aud.upper(), aud[:-1],
                      aud + "\0", f"{aud},other", f"{aud} other", "*", aud + "x"):
            yield f"aud {value!r}", self.token(claims={"aud": value})
        for value in ("", [], ["alice"], {}, 0, 1, True, "\0", "alice\0", "a\nb", "a\r\nX-Role: root",
            "client:app-1"):
            yield f"sub {value!r}", self.token(claims={"sub": value})
        yield "no sub and no client", self.token(claims={"sub": None, "client_id": None})
        for name, value in (("cnf", {"jkt": "x" * 43}), ("cnf", {"jwk": {}}), ("cnf", {"x5t#S256": "x" * 43}),
            ("cnf", "x"), ("cnf", [])):
            yield f"{name} {json.dumps(value)[:20]}", self.token(claims={name: value})

    def nested(self):
        inner = self.token()
        yield "a token as payload", self.token({"cty": "JWT"}, inner.encode())
        yield "a token as text", self.token({"cty": "JWT"}, as_bytes(inner))
        yield "an unsigned token as payload", self.token({"cty": "JWT"},
            self.token({"alg": "none"}, sign=lambda _: b"").encode())
        for alg, enc in (("dir", "A128GCM"), ("RSA-OAEP", "A256GCM"), ("none", "none"),
            ("PBES2-HS256+A128KW", "A128GCM")):
            header = {"alg": alg, "enc": enc, "cty": "JWT", "kid": self.args.kid, "zip": "DEF", "p2c": 2**31 - 1,
                "p2s": "AAAA"}
            yield f"JWE {alg}", ".".join([b64(as_bytes(header)), "", b64(bytes(12)), b64(inner.encode()),
                b64(bytes(16))])
        yield "JWE in three parts", ".".join([b64(as_bytes({"alg": "dir", "enc": "A128GCM"})), b64(inner.encode()),
            b64(bytes(16))])
        yield "PASETO", f"v2.public.{inner.split('.')[1]}"

    def messages(self):
        """Name, target, header lines, body and refusing statuses of invalid messages with an honest token."""
        good = self.token()
        bearer = f"Authorization: Bearer {good}"
        lines = {
            "twice": [bearer, bearer], "beside Basic": [bearer, "Authorization: Basic YTpi"],
            "behind Basic": ["Authorization: Basic YTpi", bearer],
            "beside an empty one": ["Authorization:", bearer], "two tokens": [f"{bearer} {good}"],
            "two tokens and a comma": [f"{bearer}, {good}"],
            "two schemes": [f"{bearer}, Bearer {good}"], "no scheme": [f"Authorization: {good}"],
            "no token": ["Authorization: Bearer"],
            "a blank token": ["Authorization: Bearer  "], "two blanks": [f"Authorization: Bearer  {good}"],
            "a tab": [f"Authorization: Bearer\t{good}"],
            "no blank": [f"Authorization: Bearer{good}"], "a colon": [f"Authorization: Bearer: {good}"],
            "an equals sign": [f"Authorization: Bearer={good}"],
            "as a parameter": [f'Authorization: Bearer token="{good}"'], "a token68 with padding": [f"{bearer}=="],
            "folded": [f"Authorization: Bearer\r\n {good}"],
            "a bare return": [f"Authorization: Bearer \r{good}"], "a zero": [f"{bearer}\0"],
            "another name": [f"X-Authorization: Bearer {good}"],
            "proxy": [f"Proxy-Authorization: Bearer {good}"],
            "an underscore": [f"HTTP_Authorization: Bearer {good}"],
            "a blank before the colon": [f"Authorization : Bearer {good}"],
            "cookies": [f"Cookie: access_token={good}; token={good}; Authorization=Bearer {good}; jwt={good}"],
            "a protocol": [f"Sec-WebSocket-Protocol: bearer, {good}"],
            "unicode in the token": [f"{bearer}é"], "unicode in the scheme": [f"Authorization: Béarer {good}"],
            "a wide blank": [f"Authorization: Bearer\u00a0{good}"],
            "a wide letter": [f"Authorization: Ｂearer {good}"],
            "a soft hyphen": [f"Authorization: Bearer \u00ad{good}"],
            "a mark before": [f"Authorization: \ufeffBearer {good}"],
        }
        for scheme in ("Basic", "Digest", "Token", "JWT", "DPoP", "MAC", "OAuth", "Negotiate", "ApiKey", "Bearer2",
            "PoP", "HOBA", "AWS4-HMAC-SHA256"):
            lines[f"scheme {scheme}"] = [f"Authorization: {scheme} {good}"]
        pair = base64.b64encode(f"bearer:{good}".encode()).decode()
        lines["Basic with the token inside"] = [f"Authorization: Basic {pair}"]
        for name, headers in lines.items():
            yield f"header: {name}", "", headers, b"", INVALID
        for name in ("access_token", "token", "jwt", "authorization", "Access_Token", "access%5Ftoken", "bearer"):
            yield f"query: {name}", f"{name}={good}", [], b"", REFUSED
        yield "query: beside the header", f"access_token={good}", [bearer], b"", REFUSED
        for kind, body in (("application/x-www-form-urlencoded", f"access_token={good}"),
            ("application/json", json.dumps({"access_token": good}))):
            yield f"body: {kind}", "", [f"Content-Type: {kind}"], body.encode(), REFUSED
