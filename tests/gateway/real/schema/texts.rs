//! Valid texts of each file format, and replacements that make them invalid.

pub(super) const POLICY: &str = r#"
version: 1
name: p
dialect: strict
scopes: { tenant: caller, workspace: grant }
routes:
  /{tenant}/a/{id}: { GET: read A, POST: [create A, read B], DELETE: nobody }
  /c?workspace={workspace}: { GET: read A }
  /hub: { GET: { need: update A, websocket: true, token-from: t, across: [workspace], when: "now > timestamp('2026-01-01T00:00:00Z')" } }
  /e/{entry}: { GET: { by-type: { image/*: read A, otherwise: [read B, check-in B] } } }
resources: { First: [A], Second: [B] }
fields: { PHI: { A: [$..name] } }
permissions:
  All: { A: CRU, B: [R, check-in] }
  View PHI: { PHI: R }
  Nothing: {}
everyone: [Nothing]
service-apps: all
gates:
  connection: { by: approval, except: [Nothing], keys: [client, tenant], asked-by: [create A], granted: [{ client: c, tenant: t1 }] }
  images: { by: feature, permissions: [All] }
  step-up: { by: condition, permissions: [View PHI], when: "caller.claims.acr == 'mfa'" }
roles:
  One: { permissions: [All], within: [{ workspace: w1, permissions: [View PHI] }], locked: true }
  Two: { includes: [One], assign-within: [tenant] }
  Three: { permissions: [All], assign: policy-only }
one-role: false
profiles: { Full: { features: [images], within: [{ tenant: [t1, t2] }], locked: true } }
groups: { Staff: { profile: Full, permissions: [All] } }
users:
  a: { group: Staff, roles: [One, { Two: { tenant: t1, when: "now < timestamp('2030-01-01T00:00:00Z')" } }], tenants: [t1] }
  b: { permissions: [All], without: [Nothing] }
cors: { origins: ["https://app.example.com"], headers: [X-A], expose: [X-B], credentials: true, max-age: 60 }
shadow: [A]
"#;

/// Texts of the policy with replacements that make it invalid.
pub(super) const BROKEN_POLICIES: &[(&str, &str)] = &[
    ("version: 1", "version: 2"),
    ("version: 1", "version: one"),
    ("name: p", "name: [p]"),
    ("name: p", "nmae: p"),
    ("dialect: strict", "dialect: strikt"),
    ("tenant: caller", "tenant: callers"),
    ("scopes: { tenant: caller, workspace: grant }", "scopes: [tenant, workspace]"),
    ("/{tenant}/a/{id}", "tenant/a/{id}"),
    ("/{tenant}/a/{id}", "/{tenant}/a{id}"),
    ("/{tenant}/a/{id}", "/{tenant}//{id}"),
    ("/{tenant}/a/{id}", "/{tenant}/:a/{id}"),
    ("/{tenant}/a/{id}", "/{tenant}/*/{id}"),
    ("/{tenant}/a/{id}", "/{tenant}/{*a}/{id}"),
    ("/c?workspace={workspace}", "/c?workspace=w1"),
    ("{ GET: read A, POST", "{ get: read A, POST"),
    ("{ GET: read A, POST", "{ HEAD: read A, POST"),
    ("GET: read A, POST", "GET: readA, POST"),
    ("GET: read A, POST", "GET: Read A, POST"),
    ("[create A, read B]", "[]"),
    ("need: update A", "needs: update A"),
    ("websocket: true", "websocket: yes"),
    ("websocket: true", "webscoket: true"),
    ("across: [workspace]", "across: workspace"),
    ("need: update A", "need: update A, by-type: { otherwise: read A }"),
    ("image/*: read A", "image: read A"),
    ("image/*: read A", "image/*: public"),
    ("{ First: [A], Second: [B] }", "{ First: A, Second: [B] }"),
    ("PHI: { A: [$..name] }", "PHI: { A: $..name }"),
    ("A: CRU", "A: CRX"),
    ("A: CRU", "A: Cru"),
    ("A: CRU", "A: 7"),
    ("Nothing: {}", "Nothing:"),
    ("everyone: [Nothing]", "everyone: Nothing"),
    ("service-apps: all", "service-apps: some"),
    ("by: approval", "by: approvals"),
    ("keys: [client, tenant]", "kyes: [client, tenant]"),
    ("keys: [client, tenant]", "keys: []"),
    ("asked-by: [create A]", "asked-by: create A"),
    ("by: feature, permissions: [All]", "by: feature"),
    ("by: feature, permissions: [All]", "by: feature, permissions: [All], except: [All]"),
    ("by: feature, permissions: [All]", "by: feature, permissions: [All], keys: [client]"),
    ("by: condition, permissions: [View PHI], when", "by: condition, permissions: [View PHI], if"),
    ("images: { by: feature", "the images: { by: feature"),
    ("workspace: w1, permissions: [View PHI]", "workspace: w1"),
    ("within: [{ workspace: w1, permissions: [View PHI] }]", "within: { workspace: w1, permissions: [View PHI] }"),
    ("assign: policy-only", "assign: never"),
    ("assign-within: [tenant]", "assign-within: tenant"),
    ("within: [{ tenant: [t1, t2] }], locked: true", "within: [{ tenant: [t1, t2] }], locked: on"),
    ("one-role: false", "one-role: no"),
    ("features: [images]", "feature: [images]"),
    ("profile: Full", "profile: [Full]"),
    ("Two: { tenant: t1,", "Two: { tenant: 0123,"),
    ("without: [Nothing]", "witout: [Nothing]"),
    ("tenants: [t1]", "tenant: t1"),
    ("origins: ", "origin: "),
    ("max-age: 60", "max-age: 86401"),
    ("max-age: 60", "max-age: 1m"),
    ("shadow: [A]", "shadow: some"),
    ("shadow: [A]", "cases: may-pass"),
];

pub(super) const GATEWAY: &str = r#"
version: 1
threads: 2
listeners:
  - { address: 127.0.0.1:8080, name: plain, h2c: true }
admin: { address: 127.0.0.1:9901 }
trusted-proxies: [10.0.0.0/8]
limits: { connections: 100, requests-per-connection: unlimited, header-bytes: 64KiB, keep-alive: 60s, body: unlimited }
issuers:
  hospital:
    issuer: https://login.example.com
    audiences: [noah-es]
    keys: { discovery: true, refresh: 10m }
    claims: { roles: realm_access.roles, tenants: ["https://example.com/tenants"], client: [azp] }
    service-apps: { claim: token_use, values: [service] }
    may-claim: { kinds: [user] }
    leeway: 10s
apis:
  noah:
    match: { path: /noah, hosts: [noah.example.com], listeners: [plain] }
    policy: ../policies/noah-es.yaml
    issuers: [hospital]
    upstream: { url: "http://127.0.0.1:5080", total-timeout: 10m }
    host: upstream
    credential: none
    identity-headers: { subject: X-Who }
    method-overrides: strip
    pass-headers: [X_Old]
    body: 1MiB
    audit: fast
token-cache: { entries: 10, max-age: 1m }
audit: { to: ./audit.jsonl, queue: 16, on-full: wait }
log: { format: text, level: warn }
reload: { poll: 1s }
"#;

pub(super) const BROKEN_SETTINGS: &[(&str, &str)] = &[
    ("version: 1", "version: 2"),
    ("version: 1\n", ""),
    ("threads: 2", "threads: 0"),
    ("threads: 2", "thread: 2"),
    ("127.0.0.1:8080", "localhost:8080"),
    ("127.0.0.1:8080", "127.0.0.1"),
    ("name: plain", "name: Plain Text"),
    ("h2c: true", "h2c: yes"),
    ("h2c: true", "tls: { certificates: [] }"),
    ("h2c: true", "tls: { certificates: [{ chain: missing.pem }] }"),
    ("127.0.0.1:9901", "unix:admin.sock"),
    ("{ address: 127.0.0.1:9901 }", "{ token: sesame }"),
    ("{ address: 127.0.0.1:9901 }", "{ token: { file: a, env: B } }"),
    ("[10.0.0.0/8]", "10.0.0.0/8"),
    ("connections: 100", "connections: 0"),
    ("requests-per-connection: unlimited", "requests-per-connection: endless"),
    ("header-bytes: 64KiB", "header-bytes: 64KB"),
    ("keep-alive: 60s", "keep-alive: 60"),
    ("keep-alive: 60s", "keep-alive: 060s"),
    ("audiences: [noah-es]", "audiences: []"),
    ("audiences: [noah-es]", "audience: [noah-es]"),
    ("discovery: true, ", ""),
    ("discovery: true", "discovery: false"),
    ("discovery: true", "discovery: true, jwks: https://login.example.com/jwks"),
    ("discovery: true", "secret: { env: SECRET }"),
    ("hospital:\n", "Hospital:\n"),
    ("realm_access.roles", "realm_access..roles"),
    ("client: [azp]", "client: azp"),
    ("claim: token_use, ", ""),
    ("{ claim: token_use, values: [service] }", "{}"),
    ("kinds: [user]", "kinds: [people]"),
    ("path: /noah", "path: noah"),
    ("path: /noah", "path: /noah/{id}"),
    ("hosts: [noah.example.com]", "hosts: []"),
    ("    policy: ../policies/noah-es.yaml\n", ""),
    ("http://127.0.0.1:5080", "127.0.0.1:5080"),
    ("http://127.0.0.1:5080", "http://127.0.0.1:5080/api"),
    ("credential: none", "credential: some"),
    ("credential: none", "credential: { header: X-Key }"),
    ("subject: X-Who", "subject: X_Who"),
    ("subject: X-Who", "user: X-Who"),
    ("method-overrides: strip", "method-overrides: drop"),
    ("audit: fast", "audit: slow"),
    ("to: ./audit.jsonl", "to: audit.jsonl"),
    ("queue: 16", "queue: 1"),
    ("on-full: wait", "on-full: block"),
    ("format: text", "format: xml"),
    ("level: warn", "level: warning"),
    ("poll: 1s", "poll: 1sec"),
];

pub(super) const CASES: &str = r#"
callers:
  nurse: { id: hospital/n, roles: [Level 2, { Two: { tenant: [t1] } }], client: app-1, tenant: t1, approved: [app-connection] }
  nobody: { kind: anonymous }
variants:
  closed: { drop: [service-apps, [routes, "/x/{y}"]], add: { routes: { "/x/{y}": { GET: nobody } } } }
  without: { users: { nurse: { without: [Delete] } } }
cases:
  - { as: nurse, permit: GET /t1/a, by: Use, masks: [PHI], asks: [], proves: [N1], decision: 25, note: as told }
  - { in: closed, as: nurse, refuse: GET /x/1, reason: nobody, answered-as: image/png, at: "2026-11-22T10:00:00Z" }
  - { as: nobody, refuse: GET /t1/a, reason: "gate:app-connection" }
"#;

pub(super) const BROKEN_CASES: &[(&str, &str)] = &[
    ("callers:", "caller:"),
    ("kind: anonymous", "kind: ghost"),
    ("roles: [Level 2", "role: [Level 2"),
    ("tenant: t1, approved", "tenant: t1, tenants: [t2], approved"),
    ("drop: [service-apps", "drop: [7"),
    ("{ users: { nurse", "{ user: { nurse"),
    ("as: nurse, permit", "permit"),
    ("permit: GET /t1/a", "permit: /t1/a"),
    ("permit: GET /t1/a", "permit: GET /t1/a, refuse: GET /t1/a"),
    ("by: Use", "reason: nobody"),
    ("masks: [PHI]", "masks: PHI"),
    ("decision: 25", "decision: 0"),
    ("reason: nobody, ", ""),
    ("reason: nobody", "reason: nobdy"),
    ("reason: nobody", "reason: nobody, by: Use"),
    ("answered-as: image/png", "answered-as: image"),
    ("\"2026-11-22T10:00:00Z\"", "\"tomorrow\""),
];
