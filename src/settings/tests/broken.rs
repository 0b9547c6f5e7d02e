//! Tests of broken settings: each fault is reported at its position.

use super::load;

const BASE: &str = "\
version: 1
listeners:
  - address: 127.0.0.1:8080
issuers:
  hospital:
    issuer: https://login.example.com
    audiences: [noah]
    keys: { jwks: https://login.example.com/jwks }
apis:
  noah:
    policy: noah.yaml
    upstream: { url: http://127.0.0.1:5080 }
";

/// The text in the base, its replacement, and the findings as `line:column code`.
const TABLE: &[(&str, &str, &str)] = &[
    // The file as a whole.
    ("version: 1", "version: 2", "1:10 bad-value"),
    ("version: 1", "version: \"1\"", "1:10 wrong-sort"),
    ("version: 1\n", "", "1:1 missing-key"),
    ("version: 1", "version: 1\nlimit: {}", "2:1 unknown-key"),
    ("version: 1", "version: 1\nversion: 1", "2:1 duplicate-key"),
    ("version: 1", "version: 1\nthreads: 0", "2:10 bad-value"),
    ("version: 1", "version: 1\nthreads: 01", "2:10 bad-value"),
    // Listeners and administration.
    ("127.0.0.1:8080", "localhost:8080", "3:14 bad-value"),
    ("127.0.0.1:8080", "127.0.0.1", "3:14 bad-value"),
    ("127.0.0.1:8080", "\":8080\"", "3:14 bad-value"),
    ("  - address: 127.0.0.1:8080", "  []", "3:3 empty-value"),
    ("  - address: 127.0.0.1:8080", "  - {}", "3:5 missing-key"),
    ("8080\n", "8080\n  - address: 127.0.0.1:8080\n", "4:5 duplicate-name"),
    ("8080\n", "8080\n    h2c: yes\n", "4:10 wrong-sort"),
    ("8080\n", "8080\n    name: Plain Text\n", "4:11 bad-value"),
    ("8080\n", "8080\n    tls: { certificates: [] }\n", "4:26 empty-value"),
    ("8080\n", "8080\n    tls: { certificates: [{ chain: missing, key: k }] }\n", "4:36 unreadable"),
    ("8080\n", "8080\n    tls: { certificates: [{ chain: c, key: k }] }\n    h2c: true\n", "5:10 bad-value"),
    ("8080\n", "8080\nadmin: { address: 0.0.0.0:9901 }\n", "4:19 bad-value"),
    ("8080\n", "8080\nadmin: { address: 127.0.0.1:8080 }\n", "4:19 duplicate-name"),
    ("8080\n", "8080\nadmin: { address: unix:admin.sock }\n", "4:19 bad-value"),
    ("8080\n", "8080\nadmin: { address: 0.0.0.0:9901, token: { env: TOKEN } }\n", "4:40 bad-value"),
    ("8080\n", "8080\nadmin: { address: 0.0.0.0:9901, token: { env: BELL } }\n", "4:40 bad-value"),
    ("8080\n", "8080\nadmin: { token: sesame }\n", "4:17 wrong-sort"),
    ("8080\n", "8080\nadmin: { token: { env: NOBODY } }\n", "4:24 unreadable"),
    ("8080\n", "8080\nupgrade-socket:\n", "4:15 empty-value"),
    ("8080\n", "8080\nupgrade-socket: [a]\n", "4:17 wrong-sort"),
    (
        "8080\n",
        "8080\nadmin: { address: \"unix:/run/one.sock\" }\nupgrade-socket: /run/one.sock\n",
        "5:17 duplicate-name",
    ),
    // Proxies and limits.
    ("8080\n", "8080\ntrusted-proxies: [10.0.0.1/8]\n", "4:19 bad-value"),
    ("8080\n", "8080\ntrusted-proxies: [0.0.0.0/0]\n", "4:19 bad-value"),
    ("8080\n", "8080\ntrusted-proxies: 10.0.0.0/8\n", "4:18 wrong-sort"),
    ("8080\n", "8080\nlimits: { header-timeout: 10 }\n", "4:27 bad-value"),
    ("8080\n", "8080\nlimits: { header-timeout: 1d }\n", "4:27 bad-value"),
    ("8080\n", "8080\nlimits: { header-timeout: }\n", "4:25 empty-value"),
    ("8080\n", "8080\nlimits: { header-timeout: [] }\n", "4:27 wrong-sort"),
    ("8080\n", "8080\nlimits: { body: 1MB }\n", "4:17 bad-value"),
    ("8080\n", "8080\nlimits: { header-bytes: unlimited }\n", "4:25 bad-value"),
    ("8080\n", "8080\nlimits: { header-bytes: 4KiB, target-length: 8KiB }\n", "4:46 bad-value"),
    ("8080\n", "8080\nlimits: { header-count: 257 }\n", "4:25 bad-value"),
    ("8080\n", "8080\nlimits: { conections: 5 }\n", "4:11 unknown-key"),
    ("8080\n", "8080\nlimits: 5\n", "4:9 wrong-sort"),
    // Issuers.
    ("  hospital:", "  Hospital:", "5:3 bad-value"),
    ("[noah]", "[]", "7:16 empty-value"),
    ("[noah]", "[noah, noah]", "7:23 duplicate-name"),
    ("[noah]", "noah", "7:16 wrong-sort"),
    ("    audiences: [noah]\n", "", "6:5 missing-key"),
    ("issuer: https://login.example.com\n", "issuer: 1.10\n", "6:13 needs-quotes"),
    ("jwks: https", "jwks: http", "8:19 bad-value"),
    ("jwks: https", "jwks: ftp", "8:19 bad-value"),
    ("{ jwks: https://login.example.com/jwks }", "{}", "8:11 bad-value"),
    ("{ jwks: ", "{ file: a, jwks: ", "8:11 bad-value"),
    ("{ jwks: https://login.example.com/jwks }", "{ file: missing.pem }", "8:19 unreadable"),
    ("{ jwks: https://login.example.com/jwks }", "{ file: a.pem, refresh: 1m }", "8:35 bad-value"),
    ("{ jwks: https://login.example.com/jwks }", "{ secret: { env: SHORT } }", "8:21 bad-value"),
    ("{ jwks: https://login.example.com/jwks }", "{ discovery: false }", "8:24 bad-value"),
    ("jwks }", "jwks, ca: missing.pem }", "8:55 unreadable"),
    ("jwks }\n", "jwks }\n    leeway: 31s\n", "9:13 bad-value"),
    ("jwks }\n", "jwks }\n    leeway: 500ms\n", "9:13 bad-value"),
    ("jwks }\n", "jwks }\n    claims: { role: roles }\n", "9:15 unknown-key"),
    ("jwks }\n", "jwks }\n    claims: { roles: https://example.com/roles }\n", "9:22 bad-value"),
    ("jwks }\n", "jwks }\n    claims: { roles: realm..roles }\n", "9:22 bad-value"),
    ("jwks }\n", "jwks }\n    service-apps: { claim: kind }\n", "9:19 missing-key"),
    ("jwks }\n", "jwks }\n    service-apps: {}\n", "9:19 missing-key"),
    ("jwks }\n", "jwks }\n    may-claim: { kinds: [users] }\n", "9:26 bad-value"),
    ("jwks }\n", "jwks }\n    may-claim: { kinds: [] }\n", "9:25 empty-value"),
    (
        "jwks }\n",
        "jwks }\n  other:\n    issuer: https://login.example.com\n    audiences: [x, noah]\n    keys: { file: k }\n",
        "9:3 duplicate-name",
    ),
    // A fault of an issuer or a listener is not reported again at the API that names it.
    (
        "jwks: https://login.example.com/jwks }\napis:\n  noah:\n",
        "jwks: host }\napis:\n  noah:\n    issuers: [hospital]\n",
        "8:19 bad-value",
    ),
    // Introspection: line 8, `    keys: { ` and its content.
    ("jwks: https://login.example.com/jwks }", "introspection: true }", "8:28 wrong-sort"),
    (
        "jwks: https://login.example.com/jwks }",
        "introspection: { url: https://a.example/i, client-secret: { env: TOKEN } } }",
        "8:28 missing-key",
    ),
    (
        "jwks: https://login.example.com/jwks }",
        "introspection: { url: https://a.example/i, client-id: c, client-secret: sesame } }",
        "8:85 wrong-sort",
    ),
    (
        "jwks: https://login.example.com/jwks }",
        "introspection: { url: a.example, client-id: c, client-secret: { env: TOKEN } } }",
        "8:35 bad-value",
    ),
    (
        "jwks: https://login.example.com/jwks }",
        "introspection: { url: http://a.example/i, client-id: c, client-secret: { env: TOKEN } } }",
        "8:35 bad-value",
    ),
    (
        "jwks: https://login.example.com/jwks }",
        "introspection: { url: https://a.example/i, client-id: c, client-secret: { env: TOKEN }, auth: jwt } }",
        "8:107 bad-value",
    ),
    (
        "jwks: https://login.example.com/jwks }",
        "introspection: { url: https://a.example/i, client-id: c, client-secret: { env: TOKEN }, cache: 0s } }",
        "8:108 bad-value",
    ),
    (
        "jwks: https://login.example.com/jwks }",
        "introspection: { url: https://a.example/i, client-id: c, client-secret: { env: TOKEN }, cache: 1500ms } }",
        "8:108 bad-value",
    ),
    (
        "jwks: https://login.example.com/jwks }",
        "introspection: { url: https://a.example/i, client-id: c, client-secret: { env: TOKEN }, per-second: 0 } }",
        "8:113 bad-value",
    ),
    (
        "jwks: https://login.example.com/jwks }",
        "introspection: { url: https://a.example/i, client-id: c, client-secret: { env: TOKEN }, any-audience: true } }",
        "8:101 unknown-key",
    ),
    (
        "jwks: https://login.example.com/jwks }",
        "introspection: { url: https://a.example/i, client-id: c, client-secret: { env: TOKEN } }, refresh: 1m }",
        "8:112 bad-value",
    ),
    (
        "jwks: https://login.example.com/jwks }",
        "introspection: { url: https://a.example/i, client-id: c, client-secret: { env: TOKEN } }, file: k }",
        "8:11 bad-value",
    ),
    (
        "jwks: https://login.example.com/jwks }",
        "introspection: { url: https://a.example/i, client-id: c, client-secret: { env: TOKEN } } }\n  other:\n    issuer: https://b.example\n    audiences: [b]\n    keys: { introspection: { url: https://a.example/i, client-id: c, client-secret: { env: TOKEN } } }",
        "15:5 bad-value",
    ),
    // API keys.
    ("apis:\n", "api-keys: []\napis:\n", "9:11 wrong-sort"),
    ("apis:\n", "api-keys: { Machines: { file: k, basic: true } }\napis:\n", "9:13 bad-value"),
    ("apis:\n", "api-keys: { hospital: { file: k, basic: true } }\napis:\n", "9:13 duplicate-name"),
    ("apis:\n", "api-keys: { m: { basic: true } }\napis:\n", "9:16 missing-key"),
    ("apis:\n", "api-keys: { m: { file: k } }\napis:\n", "9:16 missing-key"),
    ("apis:\n", "api-keys: { m: { file: k, basic: false } }\napis:\n", "9:16 missing-key"),
    ("apis:\n", "api-keys: { m: { file: missing, basic: true } }\napis:\n", "9:24 unreadable"),
    ("apis:\n", "api-keys: { m: { file: k, header: X-Key, basic: yes } }\napis:\n", "9:49 wrong-sort"),
    ("apis:\n", "api-keys: { m: { file: k, basic: true, heder: X-Key } }\napis:\n", "9:40 unknown-key"),
    ("apis:\n", "api-keys: { m: { file: k, header: Authorization } }\napis:\n", "9:35 bad-value"),
    ("apis:\n", "api-keys: { m: { file: k, header: X_Key } }\napis:\n", "9:35 bad-value"),
    ("apis:\n", "api-keys: { m: { file: k, basic: true, may-claim: { kinds: [] } } }\napis:\n", "9:60 empty-value"),
    ("apis:\n", "api-keys: { m: { file: k, basic: true }, o: { file: k, basic: true } }\napis:\n", "12:5 bad-value"),
    (
        "apis:\n  noah:\n",
        "api-keys: { m: { file: k, header: X-Key }, o: { file: k, header: x-key } }\napis:\n  noah:\n    api-keys: [o, m]\n",
        "12:15 bad-value",
    ),
    ("apis:\n", "api-keys: { m: { file: k, header: x-portcullis-roles } }\napis:\n", "12:5 bad-value"),
    ("policy: noah.yaml\n", "policy: noah.yaml\n    api-keys: [machines]\n", "12:16 unknown-name"),
    // Client certificates.
    ("apis:\n", "client-certificates: { Big: { ca: c } }\napis:\n", "9:24 bad-value"),
    ("apis:\n", "client-certificates: { hospital: { ca: c } }\napis:\n", "9:24 duplicate-name"),
    (
        "apis:\n",
        "client-certificates: { m: { ca: c } }\napi-keys: { m: { file: k, basic: true } }\napis:\n",
        "9:24 duplicate-name",
    ),
    ("apis:\n", "client-certificates: { m: {} }\napis:\n", "9:27 missing-key"),
    ("apis:\n", "client-certificates: { m: { ca: missing } }\napis:\n", "9:33 unreadable"),
    ("apis:\n", "client-certificates: { m: { ca: c, crl: [missing] } }\napis:\n", "9:42 unreadable"),
    ("apis:\n", "client-certificates: { m: { ca: c, crl: d } }\napis:\n", "9:41 wrong-sort"),
    ("apis:\n", "client-certificates: { m: { ca: c, stale-crl: accept } }\napis:\n", "9:47 bad-value"),
    ("apis:\n", "client-certificates: { m: { ca: c, id: cn } }\napis:\n", "9:40 bad-value"),
    ("apis:\n", "client-certificates: { m: { ca: c, service-apps: [] } }\napis:\n", "9:50 empty-value"),
    ("policy: noah.yaml\n", "policy: noah.yaml\n    client-certificates: [m]\n", "12:27 unknown-name"),
    ("policy: noah.yaml\n", "policy: noah.yaml\n    caller: key\n", "12:13 bad-value"),
    (
        "8080\n",
        "8080\n    tls: { certificates: [{ chain: c, key: k }], client-certificates: { from: [m] } }\n",
        "4:80 unknown-name",
    ),
    (
        "8080\n",
        "8080\n    tls: { certificates: [{ chain: c, key: k }], client-certificates: { from: [] } }\n",
        "4:79 empty-value",
    ),
    // APIs.
    ("  noah:\n", "  Noah:\n", "10:3 bad-value"),
    ("policy: noah.yaml", "policy: missing.yaml", "11:13 unreadable"),
    ("    policy: noah.yaml\n", "", "11:5 missing-key"),
    ("noah.yaml\n", "noah.yaml\n    issuers: [hospitl]\n", "12:15 unknown-name"),
    ("noah.yaml\n", "noah.yaml\n    audit: lossless\n", "12:12 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    host: as-recieved\n", "12:11 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    host: no/ah.example.com\n", "12:11 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    method-overrides: allow\n", "12:23 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    pass-headers: [X-Plain]\n", "12:20 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    pass-headers: [Content_Length]\n", "12:20 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    pass-headers: [x_portcullis_subject]\n", "12:20 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    identity-headers: { subject: Host }\n", "12:34 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    identity-headers: { subject: X_User }\n", "12:34 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    identity-headers: { subject: X-Me, roles: x-me }\n", "12:47 duplicate-name"),
    ("noah.yaml\n", "noah.yaml\n    identity-headers: { subject: X-Portcullis-Roles }\n", "12:34 duplicate-name"),
    ("noah.yaml\n", "noah.yaml\n    credential: forward\n", "12:17 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    credential: { header: X-Key }\n", "12:17 missing-key"),
    ("noah.yaml\n", "noah.yaml\n    credential: { header: Host, value: { env: TOKEN } }\n", "12:27 bad-value"),
    (
        "noah.yaml\n",
        "noah.yaml\n    credential: { basic: { user: a:b, password: { env: TOKEN } } }\n",
        "12:34 bad-value",
    ),
    ("noah.yaml\n", "noah.yaml\n    credential: { basic: { user: a, password: sesame } }\n", "12:47 wrong-sort"),
    ("noah.yaml\n", "noah.yaml\n    match: { path: /noah/ }\n", "12:20 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    match: { path: /a/../b }\n", "12:20 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    match: { path: noah }\n", "12:20 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    match: { hosts: [noah:80] }\n", "12:22 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    match: { hosts: [\"*.noah\"] }\n", "12:22 bad-value"),
    ("noah.yaml\n", "noah.yaml\n    match: { listeners: [tls] }\n", "12:26 unknown-name"),
    // Upstreams.
    ("http://127.0.0.1:5080", "https://127.0.0.1:5080", "12:22 missing-key"),
    ("http://127.0.0.1:5080", "http://127.0.0.1:5080/noah", "12:22 bad-value"),
    ("http://127.0.0.1:5080", "http://127.0.0.1:5080?x", "12:22 bad-value"),
    ("http://127.0.0.1:5080", "http://me@127.0.0.1:5080", "12:22 bad-value"),
    ("http://127.0.0.1:5080", "127.0.0.1:5080", "12:22 bad-value"),
    ("5080 }", "5080, server-name: noah }", "12:58 bad-value"),
    ("http://127.0.0.1:5080 }", "https://127.0.0.1:5080, server-name: \"\" }", "12:59 empty-value"),
    ("http://127.0.0.1:5080 }", "https://127.0.0.1:5080, server-name: 127.0.0.1 }", "12:59 bad-value"),
    ("5080 }", "5080, read-timeout: 0s }", "12:59 bad-value"),
    ("5080 }", "5080, timeout: 5s }", "12:45 unknown-key"),
    // The small sections.
    ("8080\n", "8080\naudit: { to: off }\n", "4:14 needs-quotes"),
    ("8080\n", "8080\naudit: { to: stdut }\n", "4:14 bad-value"),
    ("8080\n", "8080\naudit: { on-full: block }\n", "4:19 bad-value"),
    ("8080\n", "8080\naudit: { on-failure: ignore }\n", "4:22 bad-value"),
    ("8080\n", "8080\naudit: { patience: 0s }\n", "4:20 bad-value"),
    ("8080\n", "8080\naudit: { rotate: { size: 1B } }\n", "4:26 bad-value"),
    ("8080\n", "8080\naudit: { rotate: { age: never } }\n", "4:25 bad-value"),
    ("8080\n", "8080\naudit: { rotate: { keep: 0 } }\n", "4:26 bad-value"),
    ("8080\n", "8080\naudit: { rotate: { kept: 1 } }\n", "4:20 unknown-key"),
    ("8080\n", "8080\nlog: { level: inf }\n", "4:15 bad-value"),
    ("8080\n", "8080\nreload: { poll: 1ms }\n", "4:17 bad-value"),
    ("8080\n", "8080\ntoken-cache: { max-age: 2h }\n", "4:25 bad-value"),
];

#[test]
fn each_broken_setting_is_found_where_it_stands() {
    assert!(load(BASE).is_ok(), "{:#?}", load(BASE));
    let mut wrong = Vec::new();
    for (before, after, expected) in TABLE {
        assert!(BASE.contains(before), "{before}");
        let lines = load(&BASE.replacen(before, after, 1)).err().unwrap_or_default();
        let found: Vec<String> =
            lines.iter().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
        if found != [*expected] {
            wrong.push(format!("{after:?}: expected {expected}, found {lines:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_finding_of_a_file_comes_in_one_run() {
    let text = BASE
        .replace("version: 1", "version: 3")
        .replace("127.0.0.1:8080", "localhost")
        .replace("[noah]", "[]")
        .replace("jwks: https", "jwks: gopher")
        .replace("policy", "polcy")
        .replace("5080", "99999");
    let lines = load(&text).unwrap_err();
    let found: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(found, ["1:10", "3:14", "7:16", "8:19", "11:5", "11:5", "12:22"], "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("did you mean `policy`?")), "{lines:#?}");
}

#[test]
fn what_was_meant_is_suggested() {
    let table = [
        ("8080\n", "8080\nlimits: { body: 1MB }\n", "did you mean `1MiB`?"),
        ("8080\n", "8080\nlimits: { keep-alive: 60 }\n", "`60s`"),
        ("8080\n", "8080\ntrusted-proxies: [10.1.2.3/16]\n", "did you mean `10.1.0.0/16`?"),
        ("8080\n", "8080\naudit: { to: stdut }\n", "did you mean `stdout`?"),
        ("127.0.0.1:8080", "localhost:8080", "write `127.0.0.1:8080`"),
        ("  hospital:", "  Hospital:", "did you mean `hospital`?"),
        ("5080 }", "5080/noah }", "write `http://127.0.0.1:5080`"),
        ("noah.yaml\n", "noah.yaml\n    issuers: [hospitl]\n", "did you mean `hospital`?"),
        ("noah.yaml\n", "noah.yaml\n    match: { path: /noah/ }\n", "write `/noah`"),
        ("noah.yaml\n", "noah.yaml\n    host: as-recieved\n", "did you mean `as-received`?"),
        ("jwks }\n", "jwks }\n    claims: { roles: https://x/roles }\n", "write [\"https://x/roles\"]"),
    ];
    for (before, after, help) in table {
        let lines = load(&BASE.replacen(before, after, 1)).unwrap_err().join("\n");
        assert!(lines.contains(help), "{after}: {lines}");
    }
}

#[test]
fn two_apis_never_claim_the_same_requests() {
    let with = |here: &str, there: &str| {
        let second = format!("  other:\n    match: {there}\n    policy: b.yaml\n    upstream: {{ url: http://b }}\n");
        BASE.replace("  - address", "  - name: plain\n    address")
            .replace("issuers:\n", "  - { name: tls, address: 127.0.0.1:8443 }\nissuers:\n")
            .replace("    policy: noah", &format!("    match: {here}\n    policy: noah"))
            + &second
    };
    let table = [
        ("{}", "{}", true),
        ("{ path: / }", "{}", true),
        ("{ path: /a }", "{ path: /a }", true),
        ("{ path: /a }", "{ path: /A }", true),
        ("{ hosts: [a, b] }", "{ hosts: [B] }", true),
        ("{ hosts: [a] }", "{}", true),
        ("{ listeners: [tls] }", "{ hosts: [a] }", true),
        ("{ path: /a }", "{ path: /a/b }", false),
        ("{ path: /a }", "{}", false),
        ("{ hosts: [a] }", "{ hosts: [b] }", false),
        ("{ listeners: [tls] }", "{ listeners: [plain] }", false),
        ("{ hosts: [a], path: /x }", "{ path: /x/y }", false),
    ];
    for (here, there, conflict) in table {
        let lines = load(&with(here, there)).err().unwrap_or_default();
        let found = lines.len() == 1 && lines[0].starts_with("17:12 route-conflict");
        assert_eq!(found, conflict, "{here} {there}: {lines:#?}");
        assert!(conflict || lines.is_empty(), "{here} {there}: {lines:#?}");
    }
}

#[test]
fn a_broken_listener_is_not_held_against_the_api_that_names_it() {
    let text = BASE.replace("- address: 127.0.0.1:8080", "- { name: a, address: here }");
    let text = text.replace("noah.yaml\n", "noah.yaml\n    match: { listeners: [a] }\n");
    let lines = load(&text).unwrap_err();
    assert!(lines.len() == 1 && lines[0].starts_with("3:25 bad-value"), "{lines:#?}");
}
