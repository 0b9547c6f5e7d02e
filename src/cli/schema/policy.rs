//! The schema of policy files: the meaning and the values of each key.

use serde_json::{Value, json};

use super::builder::{
    SchemaBuilder, any_of, boolean, constant, integer, list, map_of, object, one_of, pattern, reference, text, texts,
};
use crate::request::Dialect;
use crate::vocabulary::{Operation, access::MAX_SCOPES};

/// The schema of a policy, or of one file of a policy's folder.
pub(super) fn schema() -> Value {
    policy().document("policy", "A policy of Portcullis", definitions())
}

/// The definitions that `policy` refers to.
pub(super) fn definitions() -> [(&'static str, SchemaBuilder); 2] {
    [("cells", cells()), ("method", method())]
}

/// The map of a policy. No key is required, because each file of a folder holds a part.
pub(super) fn policy() -> SchemaBuilder {
    object([
        ("version", constant(1).description("The version of the policy language; it occurs once in a policy")),
        (
            "name",
            text().description("The policy's name in logs, metrics and `/policy`; it occurs once").example("noah-es"),
        ),
        ("dialect", dialect()),
        ("scopes", scopes()),
        ("routes", routes()),
        ("resources", resources()),
        ("fields", fields()),
        ("permissions", permissions()),
        (
            "everyone",
            texts()
                .description("The permissions that every authenticated caller holds")
                .example(json!(["Non-connected"])),
        ),
        ("service-apps", service_apps()),
        ("gates", gates()),
        ("roles", roles()),
        ("one-role", boolean().description("Refuses every user without exactly one known role").default_value(false)),
        ("profiles", profiles()),
        ("groups", groups()),
        ("users", users()),
        ("cors", cors()),
        ("shadow", shadow()),
        ("cases", one_of(["must-pass"]).description("Loads the policy only while the cases beside it pass")),
    ])
}

fn dialect() -> SchemaBuilder {
    one_of(Dialect::KEYWORDS.map(|(word, _)| word))
        .description("How the origin server interprets paths; `strict` where that is not known")
        .default_value(Dialect::default().as_str())
}

fn scopes() -> SchemaBuilder {
    let scope = one_of(["caller", "grant"]).description(
        "`caller`: a request's value must be one of the caller's own. `grant`: it only bounds what roles give",
    );
    map_of(text(), scope)
        .description("Parameters of paths or queries that bound what is granted, such as a tenant")
        .example(json!({ "tenant": "caller" }))
        .with("maxProperties", MAX_SCOPES)
}

// ── What requests need ──

fn routes() -> SchemaBuilder {
    const PARAMETER: &str = "[A-Za-z][A-Za-z0-9_-]*";
    // A segment is `{name}` or text without special characters; the last one may be empty or `{*rest}`.
    let segment = format!(r"(\{{{PARAMETER}\}}|[^/{{}}*%?:\s][^/{{}}*%?\s]*)");
    let query = format!(r"[^=&\s]+=\{{{PARAMETER}\}}");
    let template = format!(r"^(/{segment})*/({segment}|\{{\*{PARAMETER}\}})?(\?{query}(&{query})*)?$");
    let names_of_methods = pattern("^[A-Z-]+$")
        .pattern_error("A method is written in capitals")
        .with("not", json!({ "enum": ["HEAD", "CONNECT", "TRACE"] }));
    let methods = map_of(names_of_methods, reference("method"))
        .keys(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].map(|method| (method, reference("method"))))
        .description(
            "The cells that each method needs; HEAD is evaluated as GET, and a method that is not listed is refused",
        )
        .non_empty();
    let template = pattern(&template).example("/{tenant}/api/Patients").pattern_error(
        "A route is `/` and segments, each a text or `{name}`, the last perhaps `{*name}`; then perhaps `?name={name}`",
    );
    map_of(template, methods)
        .description("The cells that each request needs, by path template and method; others are refused")
        .example(json!({ "/{tenant}/api/Patients": { "GET": "read Patients" } }))
}

/// The cells that a method needs, with or without options.
fn method() -> SchemaBuilder {
    let options = object([
        (
            "need",
            any_of([reference("cells"), one_of(["public", "nobody"])])
                .description("The cells that the request needs: all of the list"),
        ),
        ("by-type", by_type()),
        (
            "across",
            texts()
                .description("Scopes that a grant may bind although this request does not name them")
                .example(json!(["workspace"])),
        ),
        ("when", condition().description("A condition in CEL, quoted: where it is not true the request is refused")),
        ("websocket", boolean().description("Allows this GET to open a WebSocket").default_value(false)),
        (
            "token-from",
            text()
                .description("The query parameter that may hold a token, as browsers need it for WebSockets")
                .example("access_token"),
        ),
        (
            "encoded-slash",
            text().description("The parameter of this route whose value may hold an encoded slash").example("path"),
        ),
        (
            "audit",
            one_of(["lossless", "fast"]).description(
                "Whether a decision is on disk before the request is forwarded; by default as in the API's settings",
            ),
        ),
    ])
    .title("the needed cells, with options")
    .required_one_of([&["need"], &["by-type"]]);
    any_of([
        reference("cells"),
        one_of(["public", "nobody"]).description("`public`: no credential is needed. `nobody`: closed to everyone"),
        options,
    ])
    .description("An operation on a resource, a list that is needed as a whole, `public`, `nobody`, or options")
}

fn by_type() -> SchemaBuilder {
    const TOKEN: &str = "[A-Za-z0-9!#$&^_.+-]+";
    let range = pattern(&format!(r"^({TOKEN}/({TOKEN}|\*)|otherwise)$")).example("image/*");
    map_of(range, reference("cells"))
        .description("For GET: the needed cells by the media type of the response; the most specific range applies")
        .example(json!({ "image/*": "read Images", "otherwise": "read Files" }))
        .non_empty()
}

fn cells() -> SchemaBuilder {
    any_of([cell(), list(cell()).non_empty()])
        .description("An operation on a resource, or a list of operations that are all needed")
}

/// `read Patients`: the operation ends at the first space.
pub(super) fn cell() -> SchemaBuilder {
    pattern(r"^[a-z][a-z0-9-]* +\S")
        .example("read Patients")
        .pattern_error("Write an operation in lower case, a space and a resource: `read Patients`")
}

// ── The table ──

fn resources() -> SchemaBuilder {
    let table = || texts().example(json!(["Patients", "Patient Sessions"]));
    any_of([table(), map_of(text(), table())])
        .description("The columns of the vendor's table in their order, as one list or as one list for each table")
}

fn fields() -> SchemaBuilder {
    let paths = list(pattern(r"^\$").example("$..name")).description("The fields in a response, as JSON paths");
    map_of(text(), map_of(text(), paths).description("For each resource the fields in its responses"))
        .description("Sets of fields that are masked unless a permission may read the set; each is a column too")
        .example(json!({ "PHI": { "Patients": ["$..mrn", "$..name"] } }))
}

fn permissions() -> SchemaBuilder {
    let letters: String = Operation::LETTERED.iter().filter_map(Operation::letter).collect();
    let operation = || any_of([pattern(&format!("^[{letters}]+$")), pattern("^[a-z][a-z0-9-]*$")]);
    let operations = any_of([
        pattern(&format!("^[{letters}]+$"))
            .example("CRU")
            .pattern_error("Write letters of C, R, U, D, M, or a lower-case word that a route uses"),
        pattern("^[a-z][a-z0-9-]*$").example("check-in"),
        list(operation()),
    ])
    .description("C create, R read, U update, D delete, M merge; or a word that a route uses; or a list of both");
    map_of(
        text(),
        map_of(text(), operations)
            .description("For each resource the operations that the permission grants; `{}` grants none"),
    )
    .description("The rows of the vendor's table, by the vendor's names")
    .example(json!({ "View stock": { "Stock": "R" } }))
}

fn service_apps() -> SchemaBuilder {
    one_of(["all", "every-permission"]).description(
        "Service apps that `users` does not list: `all` permits them on every route, \
         `every-permission` gives them every row. Without this key they are evaluated like users",
    )
}

// ── Gates ──

fn gates() -> SchemaBuilder {
    let name = pattern(r"^\S+$").pattern_error("A gate's name holds no space: write `-`");
    map_of(name, any_of([by_approval(), by_feature(), by_condition()]))
        .description("Gates that close permissions for all holders; the name is part of the reason code `gate:NAME`")
}

fn by_approval() -> SchemaBuilder {
    let granted = map_of(text(), text()).description("One approval: a value for each of `keys`");
    let [by, except, closed] = closing("approval");
    object([
        by,
        except,
        closed,
        (
            "keys",
            texts()
                .description("The keys of one approval: `client`, `caller`, names of scopes")
                .example(json!(["client", "tenant"]))
                .non_empty(),
        ),
        (
            "asked-by",
            list(cell())
                .description("The operations that ask for an approval")
                .example(json!(["create App Connection"])),
        ),
        ("approvers", texts().description("The permissions whose holders may approve")),
        (
            "granted",
            list(granted)
                .description("Approvals that are granted here")
                .example(json!([{ "client": "app-1", "tenant": "t1" }])),
        ),
    ])
    .title("a gate by approval")
    .required(["by", "keys"])
    .required_one_of([&["except"], &["permissions"]])
}

fn by_feature() -> SchemaBuilder {
    object(closing("feature"))
        .title("a gate by feature")
        .required(["by"])
        .required_one_of([&["except"], &["permissions"]])
}

fn by_condition() -> SchemaBuilder {
    let [by, except, closed] = closing("condition");
    let when = condition().description("The condition in CEL, quoted; the gate is open while it is true");
    let keys = object([by, except, closed, ("when", when)]).title("a gate by condition");
    keys.required(["by", "when"]).required_one_of([&["except"], &["permissions"]])
}

/// The keys of every gate.
fn closing(by: &str) -> [(&'static str, SchemaBuilder); 3] {
    [
        (
            "by",
            one_of([by])
                .description("The way to open the gate: an approval, a feature that a profile lists, or a condition"),
        ),
        ("except", texts().description("Closes every permission except these")),
        ("permissions", texts().description("Closes these permissions")),
    ]
}

// ── Who holds what ──

fn roles() -> SchemaBuilder {
    let role = object([
        ("includes", texts().description("Roles whose permissions this one has as well")),
        ("permissions", granted()),
        ("within", list(within()).description("Permissions that the role grants only within a scope")),
        (
            "assign",
            one_of(["policy-only"])
                .description("The role counts only where this policy assigns it, never from a token"),
        ),
        (
            "assign-within",
            texts().description("Scopes that every assignment of the role must name").example(json!(["tenant"])),
        ),
        ("locked", locked()),
    ]);
    map_of(text(), role)
        .description("Roles as tokens name them, with the permissions that they hold")
        .example(json!({ "Level 2": { "permissions": ["Use Patient and Session Features"] } }))
}

/// Scopes with their accepted values, and the permissions that are granted there.
fn within() -> SchemaBuilder {
    let bounds =
        map_of(text(), values()).keys([("permissions", granted())]).required(["permissions"]).with("minProperties", 2);
    bounds.example(json!({ "workspace": "w1", "permissions": ["View PHI"] }))
}

fn profiles() -> SchemaBuilder {
    let bounds = map_of(text(), values()).non_empty();
    let profile = object([
        ("features", texts().description("The gates `by: feature` that the profile opens").example(json!(["mpr"]))),
        (
            "within",
            list(bounds).description("The scopes in which the profile applies").example(json!([{ "tenant": "t1" }])),
        ),
        ("locked", locked()),
    ]);
    map_of(text(), profile)
        .description("Installed features: a feature gate is open where a profile that applies lists it")
}

fn groups() -> SchemaBuilder {
    let group = object([
        ("profile", text().description("The profile of the group")),
        ("permissions", granted()),
        ("without", without()),
    ]);
    map_of(text(), group)
        .description("Groups as tokens name them; where there are any, each caller must be in exactly one")
}

fn users() -> SchemaBuilder {
    let bounds = map_of(text(), values()).keys([(
        "when",
        condition().description("A condition in CEL, quoted: the assignment counts while it is true"),
    )]);
    let bound =
        map_of(text(), bounds.description("The scope of the assignment: for each name a value or a list of them"))
            .non_empty();
    let user = object([
        ("group", text().description("The user's group, instead of the token's group")),
        (
            "roles",
            list(any_of([text(), bound.example(json!({ "Level 2": { "tenant": "t1" } }))]))
                .description("The user's roles, instead of the token's roles and permissions; `[]` removes all access"),
        ),
        ("permissions", granted()),
        ("without", without()),
        ("tenants", texts().description("The user's tenants, instead of the token's tenants")),
    ]);
    map_of(text(), user)
        .description(
            "Exceptions for single users and service apps, by id: `issuer/id`, or `id` where there is one issuer",
        )
        .example(json!({ "hospital/smith": { "without": ["Print Images"] } }))
}

fn granted() -> SchemaBuilder {
    texts().description("The granted permissions, by name")
}

fn without() -> SchemaBuilder {
    texts().description("The permissions that are removed, regardless of who grants them")
}

fn locked() -> SchemaBuilder {
    boolean().description("Refuses a reload that changes or drops it").default_value(false)
}

fn values() -> SchemaBuilder {
    any_of([text(), texts().non_empty()]).description("The value of the scope, or a list of accepted values")
}

fn condition() -> SchemaBuilder {
    text().example("caller.claims.acr == 'mfa'")
}

// ── The edges ──

fn cors() -> SchemaBuilder {
    object([
        (
            "origins",
            texts().description("The origins whose pages may call the API").example(json!(["https://app.example.com"])),
        ),
        ("headers", texts().description("Request headers that such pages may send")),
        ("expose", texts().description("Response headers that such pages may read")),
        (
            "credentials",
            boolean().description("Whether browsers may send cookies and credentials along").default_value(false),
        ),
        (
            "max-age",
            integer(0, 86_400).description("For how many seconds a browser may cache the response").default_value(600),
        ),
    ])
    .description("The web pages that may call the API; the gateway answers their preflight requests")
    .required(["origins"])
}

fn shadow() -> SchemaBuilder {
    any_of([one_of(["all"]), texts()])
        .description("Forwards refused requests and counts them: `all`, or those for one of these resources")
        .example("all")
}
