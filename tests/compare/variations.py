"""A request while it is put together, and the variations that may happen to it.

Each variation changes a draft; `rng` is the source of chance, and `tokens` are good ones.
"""

import sweeps
from wire import Request

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ODD_METHODS = ["TRACE", "CONNECT", "PROPFIND", "get", "MERGE", "X-A_b.c"]
SUFFIXES = r"""
    / // /. /./ ; ;x ;x=1/ %3b . .. %2e .json .aspx %20 %09 %00 %0a %23 %3f ~ * %ff /% ::$DATA ~1 %252f /index.html
    /.. /%2e%2e /..;/ %5c \ (S(x)) %u002f %c0%af é
""".split()
OVERRIDES = """
    X-HTTP-Method-Override X-HTTP-Method X-Method-Override x_http_method_override X-HTTP-Method-Overrides
    X.Method.Override
""".split()
# Header lines, each row together.
FIELDS = [
    line.strip().split(" | ")
    for line in """
    Cookie: a=b; c=d
    Cookie: a=b | Cookie: c=d
    Cookie: _method=DELETE
    X-Portcullis-Subject: root
    X_Portcullis_Roles: boss
    X-Who: root | x-where: t9
    proknow_key: 1 | X.Odd: 2 | other_odd: 3
    X-Original-URL: /open | X-Rewrite-URL: /open
    X-Host: evil
    Connection: X-Gone | X-Gone: 1
    Connection: X-Portcullis-Decision
    Connection: Authorization
    Connection: close
    Connection: keep-alive, TE | TE: trailers
    Keep-Alive: timeout=9
    Proxy-Authorization: Basic eDp5
    Proxy-Connection: close
    Range: bytes=0-3
    If-None-Match: "1"
    Accept: image/png | Accept-Language: de
    User-Agent: compare | Referer: http://x/
    X-A: 1 | X-A: 2 | x-a: 3
    X-Empty:
    X-Latin: äö
    Upgrade: h2c | Connection: Upgrade, HTTP2-Settings | HTTP2-Settings: AAA
    Via: 1.0 fred | Max-Forwards: 0
    Content-Language: de
    Sec-Fetch-Mode: cors
    Origin: null
    X-Upstream-Key: stolen
    X-Api-Version: 2
    """.strip().splitlines()
] + [["X-Long: " + "x" * 9000]]
QUERIES = (
    """
    a=1 a=1&a=2 _method=DELETE _METHOD=put&x=1 access_token={token} a=%zz a=%e4 workspace=w1 workspace=w2&workspace=w1
    workspace[]=w1 X-HTTP-Method-Override=PUT a=b;c=d ? = a=%00 && %5fmethod=DELETE q=ä
""".split()
    + ["", "a=" + "x" * 300]
)


class Draft:
    """A request while it is put together."""

    def __init__(self, api, method, target):
        self.api, self.method, self.target = api, method, target
        self.version = "HTTP/1.1"
        self.host = [f"Host: {api}.example"]
        self.lines, self.credential, self.label = [], [], []
        self.body = None
        self.more = {}

    def request(self):
        """The finished request."""
        lines = [*self.host, *self.credential, *self.lines]
        body = self.body or b""
        framed = any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines)
        if self.body is not None and not framed:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([f"{self.method} {self.target} {self.version}", *lines]) + "\r\n\r\n"
        label = f"{self.api}: {self.method} {self.target[:120]} [{', '.join(self.label)}]"
        return Request(head.encode() + body, label, methods=(self.method,), **self.more)


def spell(draft, rng, tokens):
    """Spells the path in another way."""
    path, _, query = draft.target.partition("?")
    parts = path.split("/")
    at = rng.randrange(len(parts))
    part = parts[at]
    change = rng.randrange(10)
    if change == 0:
        parts[at] = part.swapcase()
    elif change == 1 and part:
        parts[at] = f"%{ord(part[0]):02x}" + part[1:]
    elif change == 2:
        parts[at] = part + rng.choice([";a=b", ";", "%3B"])
    elif change == 3:
        parts.insert(at, rng.choice(["", ".", "..", "%2e", "%2E%2e", "x/.."]))
    elif change == 4:
        slash = rng.choice(["%2f", "%2F", "\\", "%5c", "//", "%252f"])
        parts = path.replace("/", slash, rng.choice([1, 2])).split("/")
    elif change == 5 and part:
        odd = rng.choice(["%00", "%20", "%c3%a9", "\u00e9", "%ff", "%", "+", "%2b", "|", "^", '"', "<", "%7e"])
        parts[at] = part[:1] + odd + part[1:]
    elif change == 6:
        parts[at] = "".join(f"%{byte:02X}" for byte in part.encode())
    else:
        parts[-1] += rng.choice(SUFFIXES)
    draft.target = "/".join(parts) + ("?" + query if query else "")


def query(draft, rng, tokens):
    """Adds a query."""
    token = rng.choice(tokens)
    draft.target += ("&" if "?" in draft.target else "?") + rng.choice(QUERIES).format(token=token)


def change_method(draft, rng, tokens):
    """Takes another method."""
    draft.method = rng.choice(METHODS + ODD_METHODS)


def override(draft, rng, tokens):
    """Asks for another method in a header."""
    method = rng.choice(["DELETE", "PUT", "GET", "put", "x y", ""])
    draft.lines.append(f"{rng.choice(OVERRIDES)}: {method}")


def forward(draft, rng, tokens):
    """Comes by a proxy, trusted or not."""
    draft.lines.extend(rng.choice(sweeps.FORWARDED))
    draft.more["source"] = rng.choice(["127.0.0.7", "127.0.0.7", "127.0.0.8", "127.0.0.1"])


def add_fields(draft, rng, tokens):
    """Adds header fields."""
    draft.lines.extend(rng.choice(FIELDS))
    if rng.random() < 0.3:
        draft.lines.extend(rng.choice(FIELDS))


def cross_origin(draft, rng, tokens):
    """Comes from a page of another origin, or asks whether it may."""
    origins = ["https://portal.example"] * 4 + ["https://evil.example", "null", "HTTPS://PORTAL.EXAMPLE"]
    draft.lines.append(f"Origin: {rng.choice(origins)}")
    if rng.random() < 0.5:
        draft.method, draft.body, draft.credential = "OPTIONS", None, []
        of_body = ("content-type", "transfer-encoding")
        draft.lines = [line for line in draft.lines if not line.lower().startswith(of_body)]
        draft.lines += ["Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-a"]


def old_version(draft, rng, tokens):
    """Speaks HTTP/1.0."""
    draft.version = "HTTP/1.0"
    draft.more["fresh"] = True


def absolute(draft, rng, tokens):
    """Names the authority in the target."""
    name = f"{draft.api}.example"
    before = rng.choice([f"http://{name}", f"https://{name}", "http://other.example", f"HTTP://{name.upper()}:80"])
    draft.target = before + draft.target


def change_host(draft, rng, tokens):
    """Spells the host in another way, or names another one."""
    name = f"{draft.api}.example"
    others = ["unknown.example", "", "127.0.0.1", "[::1]:80"]
    draft.host = [f"Host: {rng.choice([name.upper(), f'{name}:8080', f'{name}.', *others])}"]


def expect(draft, rng, tokens):
    """Waits to be asked for its body."""
    if draft.body and draft.version == "HTTP/1.1":
        draft.lines.append("Expect: 100-continue")
        if not any(line.startswith("Transfer") for line in draft.lines):
            draft.lines.append(f"Content-Length: {len(draft.body)}")
        draft.more["rest"], draft.body = (draft.body,), b""
        draft.more["fresh"] = True


def long_target(draft, rng, tokens):
    """Has a long target."""
    draft.target += ("&" if "?" in draft.target else "?") + "long=" + "x" * rng.choice([3000, 4090, 5000, 9000])


# Each variation, and how likely it is.
VARIATIONS = [
    (spell, 0.14),
    (query, 0.12),
    (change_method, 0.07),
    (override, 0.05),
    (forward, 0.08),
    (add_fields, 0.14),
    (cross_origin, 0.06),
    (old_version, 0.02),
    (absolute, 0.015),
    (change_host, 0.03),
    (expect, 0.01),
    (long_target, 0.01),
]
