"""Requests that try one thing each, systematically: spellings, header names, overrides, credentials, and more."""

import base64

import stage as scenery
from wire import Request

DROPPED = """
    x-request-uri x-override-url x-http-destinationurl x-script-name x-proxycontextpath x-ingress-path script-name
    path-info request-uri base-url x-scheme x-url-scheme x-host x-host-override x-http-host-override x-real-ip
    x-client-ip x-cluster-client-ip x-originating-ip x-remote-ip x-remote-addr x-azure-clientip x-azure-socketip
    true-client-ip cf-connecting-ip cf-connecting-ipv6 fastly-client-ip client-ip forwarded forwarded-for
    http2-settings proxy proxy-authorization x-proxyuser-ip x-forward-for wl-proxy-client-ip x-forwarded-port
    x-forwarded-user x-original-host x-rewrite-target x-envoy-original-path x-waws-unencoded-url ms-aspnetcore-token
    client-cert client-cert-chain x-client-cert ssl-client-verify x-ssl-cert x-tls-client-cert x-mtls-subject
    x-arr-clientcert x-arr-ssl x-amzn-mtls-clientcert cf-client-cert x-client-dn x-client-verify x-client-subject
    x-portcullis-subject x-portcullis-roles x-portcullis-tenant x-portcullis-decision x-api-key keep-alive te
    trailer upgrade x-client-version x-ssl x_real_ip x.real.ip x-other forwarded-by
""".split()
OVERRIDES = """
    x-http-method-override x-http-method x-method-override x-http-method-overrides x-method-overrides
    x-tunneled-method x-goog-method-override http-method-override method-override x_http_method_override
    X.HTTP.Method x-http-methods x-methods
""".split()
PARAMETERS = """
    _method _Method _httpmethod _httpMethod .method [_method] _method[] _method[0] %5fmethod _method%00 +_method
    x-http-method-override X_HTTP_Method method a[_method] _method.x _methods
""".split()
DOTS = """
    .. %2e%2e .%2E %252e%252e ..; ..;a=b %2e%2e; ..%00 %c0%ae%c0%ae ..%20 %u002e%u002e ... .... %2e .
""".split()
SLASHES = r"""
    // %2f %2F \ %5c %252f %c0%af /./ /%2e/ /;/ %u2215 %E2%88%95
""".split()
ENDS = """
    / // /. /./ ; ;x ;x=1/ %3b . .. %2e .json .aspx .html .php .jsp .action .xml %20 %09 %00 %00.json %0a %0d%0a %23
    %3f %3Fa=b ::$DATA ~ ~1 * %ff /% /index.php /index.html /index.jsp /default.aspx /x.php/more /$ /(S(x)) %2f %5c
""".split()
CASES = [
    "SECRET",
    "Secret",
    "secreT",
    "%73ecret",
    "s%65cret",
    "\u017fecret",
    "%C5%BFecret",
    "\uff53ecret",
    "secret%CC%81",
    "secr%C3%A9t",
    "%E2%84%AA",
]


def line_of(api, line, lines=(), body=b"", label=""):
    """A request of one line, some header lines, and a body."""
    if body:
        lines = [*lines, f"Content-Length: {len(body)}"]
    head = "\r\n".join([f"{line} HTTP/1.1", f"Host: {api}.example", *lines]) + "\r\n\r\n"
    return Request(head.encode() + body, f"{api}: {line[:100]} [{label}]", methods=(line.split(" ")[0],))


def bearer(stage, name="plain"):
    """The header line with the token of a caller of the small policies."""
    return f"Authorization: Bearer {stage.tokens['probe', name]}"


def spellings(stage):
    """Paths in other spellings, for a caller who may read the one and not the other, under each dialect."""
    user = [bearer(stage)]
    for dialect in scenery.DIALECTS:
        for path in ("/secret", "/a", "/a/x1", "/files/x"):
            for end in ENDS:
                yield line_of(dialect, f"GET {path}{end}", user, label="spelling")
        for page in [*(f"p{at}" for at in range(1, 10)), *(f"q{at}" for at in range(1, 8))]:
            for end in ("", "/"):
                yield line_of(dialect, f"GET /ends/{page}{end}", user, label="spelling")
        for dots in DOTS:
            yield line_of(dialect, f"GET /a/{dots}/secret", user, label="spelling")
            yield line_of(dialect, f"GET /files/x/{dots}", user, label="spelling")
        for slash in SLASHES:
            yield line_of(dialect, f"GET /a{slash}x1", user, label="spelling")
            yield line_of(dialect, f"GET /files/x{slash}y", user, label="spelling")
        for word in CASES:
            yield line_of(dialect, f"GET /{word}", user, label="spelling")
        for word in (
            "/index/page",
            "/INDEX/Page/",
            "/A/x1",
            "/a/X1/b",
            "/A/x1/B",
            "/files",
            "/files/",
            "/open/",
            "/OPEN",
        ):
            yield line_of(dialect, f"GET {word}", user, label="spelling")


def header_names(stage):
    """Header names that an upstream could take for something else, each alone."""
    for name in DROPPED:
        yield line_of("probe", "GET /open", [f"{name}: 1"], label="header name")
    for name in DROPPED[::5]:
        for api in ("pathology", "proknow", "orthanc"):
            yield line_of(api, "GET /api/organization/resolve", [f"{name.title()}: 1"], label="header name")


def overrides(stage):
    """Method overrides in headers, queries and forms, under each setting and dialect."""
    user = [bearer(stage)]
    admin = [f"Authorization: Bearer {stage.tokens['carestream', 'radiologist']}"]
    for name in OVERRIDES:
        for value in ("DELETE", "GET"):
            yield line_of("probe", "POST /t1/things", [*user, f"{name}: {value}"], label="override rejected")
            yield line_of("php", "POST /a", [*user, f"{name}: {value}"], label="override evaluated")
            yield line_of(
                "carestream", "GET /dicomweb/studies", [*admin, f"{name}: {value}"], label="override stripped"
            )
    for name in PARAMETERS:
        for api, line, lines in (
            ("probe", "POST /t1/things", user),
            ("php", "POST /a", user),
            ("iis", "POST /a", user),
            ("nginx", "POST /a", user),
            ("carestream", "GET /dicomweb/studies", admin),
        ):
            yield line_of(api, f"{line}?{name}=DELETE", lines, label="override in the query")
        for api in scenery.DIALECTS:
            plain = name.replace("+", " ").replace("%5f", "_").replace("%00", "\0")
            yield line_of(
                api,
                "POST /a",
                [*user, "Content-Type: application/x-www-form-urlencoded"],
                f"a=1&{name}=DELETE".encode(),
                "override in a form",
            )
            yield line_of(
                api,
                "POST /a",
                [*user, "Content-Type: application/json"],
                f'{{"a": {{"{plain}": "DELETE"}}}}'.encode(),
                "override in JSON",
            )
            part = f'--b\r\nContent-Disposition: form-data; name="{plain}"\r\n\r\nDELETE\r\n--b--\r\n'
            yield line_of(
                api,
                "POST /a",
                [*user, "Content-Type: multipart/form-data; boundary=b"],
                part.encode(),
                "override in a part",
            )


def credentials(stage):
    """Each wrong token and each API key, at APIs that believe different sources."""
    for name, token in stage.bad.items():
        for api, target in (
            ("probe", "/t1/things"),
            ("halfshadow", "/t1/secrets"),
            ("orthanc", "/patients"),
            ("php", "/a"),
        ):
            yield line_of(api, f"GET {target}", [f"Authorization: Bearer {token}"], label=f"token {name}")
        yield line_of("probe", f"GET /socket?access_token={token}", label=f"token {name} in the query")
    for name, key in stage.api_keys.items():
        basic = base64.b64encode(key.encode()).decode()
        for api, target in (
            ("probe", "/t1/things"),
            ("noah", "/t1/api/Patients"),
            ("proknow", "/api/users"),
            ("carestream", "/dicomweb/studies"),
            ("pathology", "/images/i/fields"),
        ):
            yield line_of(api, f"GET {target}", [f"X-Api-Key: {key}"], label=f"key {name}")
            yield line_of(api, f"GET {target}", [f"Authorization: Basic {basic}"], label=f"basic {name}")


def preflights(stage):
    """Preflights, and answers to other origins."""
    for api in ("probe", "halfshadow", "noah"):
        for origin in ("https://portal.example", "https://evil.example", "null"):
            for target in ("/open", "/t1/things", "/nothing"):
                yield line_of(
                    api,
                    f"OPTIONS {target}",
                    [f"Origin: {origin}", "Access-Control-Request-Method: PUT"],
                    label="preflight",
                )
                yield line_of(
                    api,
                    f"OPTIONS {target}",
                    [f"Origin: {origin}", "Access-Control-Request-Method: PUT", bearer(stage)],
                    label="preflight with a token",
                )
                yield line_of(api, f"GET {target}", [f"Origin: {origin}", "X-Answer: cors"], label="another origin")
                yield line_of(api, f"GET {target}", [f"Origin: {origin}", bearer(stage)], label="another origin")


def probes(stage):
    """Every route of the policy of this comparison by every one of its callers."""
    for name in sorted(name for policy, name in stage.tokens if policy == "probe"):
        for line in (
            "GET /t1/things",
            "PUT /t1/things/x",
            "DELETE /t1/things/x",
            "PATCH /t1/things/x",
            "GET /t1/things/special",
            "GET /t1/files/a%2Fb",
            "GET /t1/rest/a/b",
            "PUT /t1/rest/a",
            "GET /t1/high",
            "GET /t1/near",
            "GET /t1/collections",
            "GET /t1/collections?workspace=w1",
            "POST /t1/collections",
            "GET /t1/collections?workspace=w2",
            "GET /t1/secrets",
            "POST /t1/secrets",
            "GET /t1/people",
            "GET /t2/things",
            "GET /t3/things",
            "GET /closed",
            "GET /lossless",
            "PUT /lossless",
            "HEAD /t1/things",
            "OPTIONS /t1/things",
        ):
            yield line_of("probe", line, [bearer(stage, name)], label=f"caller {name}")
        for answer in ("png", "json", "pdf", "untyped", "two-types"):
            yield line_of(
                "probe",
                "GET /t1/typed",
                [bearer(stage, name), f"X-Answer: {answer}"],
                label=f"caller {name}, answer {answer}",
            )


def targets(stage):
    """Targets that name an authority, and paths near those of another API of the host."""
    user = [bearer(stage)]
    for target in FORMS:
        yield line_of("probe", f"GET {target}", user, label="form of the target")
    for path in NEAR:
        yield line_of("probe", f"GET {path}", user, label="near another API")


def parameters(stage):
    """Scopes and tokens in queries, and scopes where servers may look besides."""
    user, collector = [bearer(stage)], [bearer(stage, "collector")]
    for query in [*SCOPES, "&".join(f"a{at}=1" for at in range(300))]:
        yield line_of("probe", f"GET /t1/collections?{query}", collector, label="scope in the query")
    form = [*collector, "Content-Type: application/x-www-form-urlencoded"]
    yield line_of("probe", "POST /t1/collections", form, b"workspace=w2", "scope in a form")
    cookie = [*collector, "Cookie: workspace=w2"]
    yield line_of("probe", "GET /t1/collections?workspace=w1", cookie, label="scope in a cookie")
    for query in ("access_token=a&access_token=b", "ACCESS_TOKEN=a", "access_token[]=a", "a=1&access_token=&b=2"):
        yield line_of("probe", f"GET /socket?{query}", label="token in the query")
        yield line_of("probe", f"GET /t1/things?{query}", user, label="token in the query")


def bodies(stage):
    """Bodies around the sizes at which forms and bodies are refused."""
    medias = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "application/json", "text/plain")
    for size in (60_000, 66_000, 200_000, 300_000):
        for media in medias:
            lines = [bearer(stage), f"Content-Type: {media}"]
            yield line_of("probe", "POST /t1/things", lines, b"a=" + b"x" * size, f"{size} bytes of {media}")


def hosts(stage):
    """Spellings of a host, and hosts that no API has; requests of forwarders, trusted and not."""
    for host in [*HOSTS, ""]:
        head = f"GET /open HTTP/1.1\r\nHost: {host}\r\n\r\n"
        yield Request(head.encode(), f"host {host}", fresh=True)
    for lines in FORWARDED:
        for source in ("127.0.0.7", "127.0.0.8"):
            for target in ("/t1/near", "/open"):
                label = f"forwarded by {source}: {lines}"
                request = line_of("probe", f"GET {target}", [bearer(stage), *lines], label=label)
                request.source = source
                yield request


FORMS = """
    http://probe.example/open https://probe.example/open HTTP://PROBE.EXAMPLE/open http://other.example/open
    http://probe.example:80/open http://probe.example?x http://a@probe.example/open ftp://probe.example/open *
    probe.example:80 open ?x #x /open#x
""".split()
NEAR = r"""
    /t1/rest/a /T1/rest/a /t1/REST/a /t1/rest%2fa /t1//rest /t1/rest;x/a /t1/rest.json /t1/re%73t/a /t1/rest/../things
    /t1/x/../rest/a /t1/rest. /t1/resta /t1/rest/ /t1/rest /t1/r%65st%2Fa /t1/rest\a
""".split()
SCOPES = """
    workspace=w1&workspace=w2 workspace[]=w1 workspace=w1;workspace=w2 WORKSPACE=w1&workspace=w2 workspace=%771
    workspace=w1%00 workspace workspace= work%73pace=w1 workspace.=w1
""".split()
HOSTS = """
    PROBE.example probe.example:8080 probe.example. probe.example:x probe.example: probe.example:80:80 [::1] 127.0.0.1
    unknown.example probe_example probe.example/a
""".split()
FORWARDED = [
    ["X-Forwarded-For: 192.0.2.1"],
    ["X-Forwarded-For: 192.0.2.1, 10.1.1.1"],
    ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 127.0.0.1"],
    ["X-Forwarded-For: unknown, 10.0.0.1"],
    ["X-Forwarded-Proto: https"],
    ["X-Forwarded-Host: other.example"],
    ["X-Forwarded-Proto: https, http"],
    ["Forwarded: for=192.0.2.9"],
    ["X-Real-IP: 192.0.2.9"],
    ["X-Forwarded-Prefix: /x"],
    ["X_Forwarded_For: 192.0.2.3"],
    ["X-Forwarded-For: ::1, [::2]:80"],
    ["X-Forwarded-For: "],
    ["X-Forwarded-For: ::ffff:127.0.0.1"],
    ["X-Forwarded-For: 127.0.0.1"],
    ["X-Forwarded-Proto: gopher"],
    ["X-Forwarded-Proto: https", "X-Forwarded-Proto: https"],
]


PARTS = (
    spellings,
    header_names,
    overrides,
    credentials,
    preflights,
    probes,
    targets,
    parameters,
    bodies,
    hosts,
)


def all_of(stage):
    """All of them."""
    return [request for part in PARTS for request in part(stage)]
