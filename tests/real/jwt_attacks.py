"""Runs the known attacks on JSON Web Tokens against one protected URL.

    jwt_attacks.py --url http://127.0.0.1:8080/t1/things --alg RS256 --key private.pem --kid first \
        --iss https://login.example --aud noah-es --claims '{"sub": "alice", "roles": ["user"]}'

Signs as the honest issuer with `openssl`: RS256, ES256 or EdDSA with a private key in PEM, HS256 with the bytes of
`--key` unchanged. The response to every forgery must be 401, or 400 or 431 if the header line itself is invalid.
The honest token is tried first and last. Prints one line per request: the status and the name. Exits with 1 if an
attack got another status, an honest request did not get 200, or a client requested a key that a token offered.
`--jwks` prints the issuer's key set instead and exits. Only needs Python 3.11, openssl and `jwt_forgeries.py`
beside it.
"""

import argparse
import json
import socket
import sys
import tempfile
import urllib.parse

from jwt_forgeries import INVALID, REFUSED, SECONDS, Forger, Key, Secret


class Gateway:
    """The attacked URL, over plain sockets: no library corrects or hides the bytes that are sent."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.address, self.path = (parts.hostname, parts.port or 80), parts.path or "/"

    def status(self, headers, query="", body=b""):
        """The status; 0 if the connection ended without a response."""
        method = "POST" if body else "GET"
        target = f"{self.path}?{query}" if query else self.path
        head = [f"{method} {target} HTTP/1.1", f"Host: {self.address[0]}", *headers, f"Content-Length: {len(body)}",
            "Connection: close", "", ""]
        with socket.create_connection(self.address, timeout=SECONDS) as stream:
            stream.sendall("\r\n".join(head).encode() + body)
            answer = stream.makefile("rb").readline().split()
        return int(answer[1]) if len(answer) > 1 else 0


def attack(args, folder):
    honest = Secret(args.key) if args.alg == "HS256" else Key(folder, args.alg, args.key)
    forger, gateway = Forger(args, folder, honest), Gateway(args.url)
    failures = []

    def tell(name, status, expected):
        right = status in expected
        print(f"{status} {name}{'' if right else '   <-- WRONG'}")
        if not right:
            failures.append(name)

    def be_honest(when):
        tell(f"honest: {when}", gateway.status([f"Authorization: Bearer {forger.token()}"]), {200})

    be_honest("before")
    tell("nothing at all", gateway.status([]), REFUSED)
    for name, token in forger.tokens():
        # A token that is invalid in a header line may be rejected as such, and so may an overlong one.
        odd = not token.isascii() or not token.isprintable() or len(token) > 8192
        tell(name, gateway.status([f"Authorization: Bearer {token}"]), INVALID if odd else REFUSED)
    for name, query, headers, body, expected in forger.messages():
        tell(name, gateway.status(headers, query, body), expected)
    be_honest("after")
    # A background fetch has had time during the attacks that followed.
    tell(f"bait: asked for {forger.bait.asked!r}", 200 if forger.bait.asked else 401, REFUSED)
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="")
    parser.add_argument("--alg", required=True, choices=["RS256", "ES256", "EdDSA", "HS256"])
    parser.add_argument("--key", required=True)
    parser.add_argument("--kid", default="first")
    parser.add_argument("--iss", default="")
    parser.add_argument("--aud", default="")
    parser.add_argument("--claims", type=json.loads, default={})
    parser.add_argument("--jwks", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.jwks:
            key = Key(folder, args.alg, args.key).jwk()
            print(json.dumps({"keys": [key | {"kid": args.kid, "alg": args.alg, "use": "sig"}]}))
            return 0
        failures = attack(args, folder)
    print(f"{len(failures)} failed", *failures, sep="\n  ", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
