//! The policy file: what each key is for, and what may stand there.

use serde_json::{Value, json};

use super::shape::{SchemaBuilder, any, defined, flag, list, matching, names, number, only, record, text, texts, word};
use crate::request::Dialect;
use crate::vocabulary::{Operation, access::MAX_SCOPES};

/// The schema of a policy, or of one file of a policy's folder.
pub(super) fn schema() -> Value {
    policy().document("policy", "A policy of Portcullis", definitions())
}

/// What `policy` refers to.
pub(super) fn definitions() -> [(&'static str, SchemaBuilder); 2] {
    [("cells", cells()), ("method", method())]
}

/// The map that a policy is. Nothing has to be there: in a folder each file holds a part.
pub(super) fn policy() -> SchemaBuilder {
    record([
        ("version", only(1).says("The version of the policy language; it stands once in a policy")),
        ("name", text().says("What logs, metrics and `/policy` call the policy; it stands once").such_as("noah-es")),
        ("dialect", dialect()),
        ("scopes", scopes()),
        ("routes", routes()),
        ("resources", resources()),
        ("fields", fields()),
        ("permissions", permissions()),
        (
            "everyone",
            texts().says("The permissions that every authenticated caller holds").such_as(json!(["Non-connected"])),
        ),
        ("service-apps", service_apps()),
        ("gates", gates()),
        ("roles", roles()),
        ("one-role", flag().says("Refuses every user who does not have exactly one known role").otherwise(false)),
        ("profiles", profiles()),
        ("groups", groups()),
        ("users", users()),
        ("cors", cors()),
        ("shadow", shadow()),
        ("cases", word(["must-pass"]).says("Loads the policy only while the cases file beside it passes")),
    ])
}

fn dialect() -> SchemaBuilder {
    word(Dialect::KEYWORDS.map(|(word, _)| word))
        .says("How the server behind reads paths; `strict` where it is not known")
        .otherwise(Dialect::default().as_str())
}

fn scopes() -> SchemaBuilder {
    let scope = word(["caller", "grant"])
        .says("`caller`: a request's value must be one of the caller's own. `grant`: it only bounds what roles give");
    names(text(), scope)
        .says("Names in paths or queries that bound what is granted, such as a tenant")
        .such_as(json!({ "tenant": "caller" }))
        .with("maxProperties", MAX_SCOPES)
}

// ── What requests need ──

fn routes() -> SchemaBuilder {
    const PARAMETER: &str = "[A-Za-z][A-Za-z0-9_-]*";
    // A segment is `{name}` or text without what means something else; the last one may be empty or `{*rest}`.
    let segment = format!(r"(\{{{PARAMETER}\}}|[^/{{}}*%?:\s][^/{{}}*%?\s]*)");
    let query = format!(r"[^=&\s]+=\{{{PARAMETER}\}}");
    let template = format!(r"^(/{segment})*/({segment}|\{{\*{PARAMETER}\}})?(\?{query}(&{query})*)?$");
    let names_of_methods = matching("^[A-Z-]+$")
        .or_else("A method is written in capitals")
        .with("not", json!({ "enum": ["HEAD", "CONNECT", "TRACE"] }));
    let methods = names(names_of_methods, defined("method"))
        .keys(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].map(|method| (method, defined("method"))))
        .says("What each method needs here; HEAD is judged as GET, and a method that is not listed is refused")
        .filled();
    let template = matching(&template).such_as("/{tenant}/api/Patients").or_else(
        "A route is `/` and segments, each a text or `{name}`, the last perhaps `{*name}`; then perhaps `?name={name}`",
    );
    names(template, methods)
        .says("Which request needs what: path template, method, operation on a resource; the rest is refused")
        .such_as(json!({ "/{tenant}/api/Patients": { "GET": "read Patients" } }))
}

/// What a method needs, bare or with options.
fn method() -> SchemaBuilder {
    let options = record([
        (
            "need",
            any([defined("cells"), word(["public", "nobody"])]).says("What the request needs: all cells of the list"),
        ),
        ("by-type", by_type()),
        (
            "across",
            texts()
                .says("Scopes that a grant may bind although this request does not name them")
                .such_as(json!(["workspace"])),
        ),
        ("when", condition().says("A condition in CEL, quoted: where it is not true the request is refused")),
        ("websocket", flag().says("Lets this GET open a WebSocket").otherwise(false)),
        (
            "token-from",
            text()
                .says("The query parameter in which a token may stand, as browsers need it for WebSockets")
                .such_as("access_token"),
        ),
        (
            "encoded-slash",
            text().says("The parameter of this route whose value may hold an encoded slash").such_as("path"),
        ),
        (
            "audit",
            word(["lossless", "fast"]).says(
                "Whether a decision is on disk before the request goes on; what the API's settings say by default",
            ),
        ),
    ])
    .called("what it needs, with options")
    .needs_one_of([&["need"], &["by-type"]]);
    any([
        defined("cells"),
        word(["public", "nobody"]).says("`public`: no credential is needed. `nobody`: closed to everyone"),
        options,
    ])
    .says("An operation on a resource, a list of which all is needed, `public`, `nobody`, or a map with options")
}

fn by_type() -> SchemaBuilder {
    const TOKEN: &str = "[A-Za-z0-9!#$&^_.+-]+";
    let range = matching(&format!(r"^({TOKEN}/({TOKEN}|\*)|otherwise)$")).such_as("image/*");
    names(range, defined("cells"))
        .says("For GET: what is needed by the media type of the response; the most specific range counts")
        .such_as(json!({ "image/*": "read Images", "otherwise": "read Files" }))
        .filled()
}

fn cells() -> SchemaBuilder {
    any([cell(), list(cell()).filled()]).says("An operation on a resource, or a list of which all is needed")
}

/// `read Patients`: the operation ends at the first blank.
pub(super) fn cell() -> SchemaBuilder {
    matching(r"^[a-z][a-z0-9-]* +\S")
        .such_as("read Patients")
        .or_else("Write an operation in small letters, a blank and a resource: `read Patients`")
}

// ── The table ──

fn resources() -> SchemaBuilder {
    let table = || texts().such_as(json!(["Patients", "Patient Sessions"]));
    any([table(), names(text(), table())])
        .says("The columns of the vendor's table in their order, as one list or as one list for each table")
}

fn fields() -> SchemaBuilder {
    let paths = list(matching(r"^\$").such_as("$..name")).says("Where the fields stand in a response, as JSON paths");
    names(text(), names(text(), paths).says("For each resource the fields in its responses"))
        .says("Sets of fields that are masked unless a permission may read the set; each is a column too")
        .such_as(json!({ "PHI": { "Patients": ["$..mrn", "$..name"] } }))
}

fn permissions() -> SchemaBuilder {
    let letters: String = Operation::LETTERED.iter().filter_map(Operation::letter).collect();
    let operation = || any([matching(&format!("^[{letters}]+$")), matching("^[a-z][a-z0-9-]*$")]);
    let operations = any([
        matching(&format!("^[{letters}]+$"))
            .such_as("CRU")
            .or_else("Write letters of C, R, U, D, M, or a word in small letters that a route uses"),
        matching("^[a-z][a-z0-9-]*$").such_as("check-in"),
        list(operation()),
    ])
    .says("C create, R read, U update, D delete, M merge; or a word that a route uses; or a list of both");
    names(
        text(),
        names(text(), operations).says("For each resource what the permission gives; `{}` gives nothing here"),
    )
    .says("The rows of the vendor's table, by the vendor's names")
    .such_as(json!({ "View stock": { "Stock": "R" } }))
}

fn service_apps() -> SchemaBuilder {
    word(["all", "every-permission"]).says(
        "Service apps that `users` does not list: `all` lets them pass wherever a route is, \
         `every-permission` gives them every row. Without this key they are judged like users",
    )
}

// ── Gates ──

fn gates() -> SchemaBuilder {
    let name = matching(r"^\S+$").or_else("A gate's name holds no blank: write `-`");
    names(name, any([by_approval(), by_feature(), by_condition()]))
        .says("What closes permissions, whoever holds them; the name is part of the refusal's code `gate:NAME`")
}

fn by_approval() -> SchemaBuilder {
    let granted = names(text(), text()).says("One approval: a value for each of `keys`");
    let [by, except, closed] = closing("approval");
    record([
        by,
        except,
        closed,
        (
            "keys",
            texts()
                .says("What one approval is for: `client`, `caller`, names of scopes")
                .such_as(json!(["client", "tenant"]))
                .filled(),
        ),
        (
            "asked-by",
            list(cell()).says("The operations that ask for an approval").such_as(json!(["create App Connection"])),
        ),
        ("approvers", texts().says("The permissions whose holders may approve")),
        (
            "granted",
            list(granted)
                .says("Approvals that are granted here")
                .such_as(json!([{ "client": "app-1", "tenant": "t1" }])),
        ),
    ])
    .called("a gate by approval")
    .needs(["by", "keys"])
    .needs_one_of([&["except"], &["permissions"]])
}

fn by_feature() -> SchemaBuilder {
    record(closing("feature")).called("a gate by feature").needs(["by"]).needs_one_of([&["except"], &["permissions"]])
}

fn by_condition() -> SchemaBuilder {
    let [by, except, closed] = closing("condition");
    let when = condition().says("The condition in CEL, quoted; the gate is open while it is true");
    let keys = record([by, except, closed, ("when", when)]).called("a gate by condition");
    keys.needs(["by", "when"]).needs_one_of([&["except"], &["permissions"]])
}

/// The keys of every gate.
fn closing(by: &str) -> [(&'static str, SchemaBuilder); 3] {
    [
        ("by", word([by]).says("What opens the gate: an approval, a feature that a profile lists, or a condition")),
        ("except", texts().says("Closes every permission but these")),
        ("permissions", texts().says("Closes these permissions")),
    ]
}

// ── Who holds what ──

fn roles() -> SchemaBuilder {
    let role = record([
        ("includes", texts().says("Roles whose permissions this one has as well")),
        ("permissions", granted()),
        ("within", list(within()).says("Permissions that the role gives within a scope only")),
        ("assign", word(["policy-only"]).says("The role counts only where this policy assigns it, never from a token")),
        (
            "assign-within",
            texts().says("Scopes that every assignment of the role must name").such_as(json!(["tenant"])),
        ),
        ("locked", locked()),
    ]);
    names(text(), role)
        .says("Roles as tokens name them, with the permissions that they hold")
        .such_as(json!({ "Level 2": { "permissions": ["Use Patient and Session Features"] } }))
}

/// Scopes, each with the values that fit, and the permissions that are given there.
fn within() -> SchemaBuilder {
    let bounds =
        names(text(), values()).keys([("permissions", granted())]).needs(["permissions"]).with("minProperties", 2);
    bounds.such_as(json!({ "workspace": "w1", "permissions": ["View PHI"] }))
}

fn profiles() -> SchemaBuilder {
    let bounds = names(text(), values()).filled();
    let profile = record([
        ("features", texts().says("The gates `by: feature` that the profile opens").such_as(json!(["mpr"]))),
        ("within", list(bounds).says("The scopes in which the profile applies").such_as(json!([{ "tenant": "t1" }]))),
        ("locked", locked()),
    ]);
    names(text(), profile)
        .says("What was bought or installed: a gate by feature is open where a profile that applies lists it")
}

fn groups() -> SchemaBuilder {
    let group = record([
        ("profile", text().says("The profile of the group")),
        ("permissions", granted()),
        ("without", without()),
    ]);
    names(text(), group).says("Groups as tokens name them; where there are any, each caller must be in exactly one")
}

fn users() -> SchemaBuilder {
    let bounds = names(text(), values())
        .keys([("when", condition().says("A condition in CEL, quoted: the assignment counts while it is true"))]);
    let bound =
        names(text(), bounds.says("The scope of the assignment: for each name a value or a list of them")).filled();
    let user = record([
        ("group", text().says("The user's group, in the place of what the token says")),
        (
            "roles",
            list(any([text(), bound.such_as(json!({ "Level 2": { "tenant": "t1" } }))]))
                .says("The user's roles, in the place of the token's roles and permissions; `[]` cuts the user off"),
        ),
        ("permissions", granted()),
        ("without", without()),
        ("tenants", texts().says("The user's tenants, in the place of what the token says")),
    ]);
    names(text(), user)
        .says("Exceptions for single users and service apps, by id: `issuer/id`, or `id` where there is one issuer")
        .such_as(json!({ "hospital/smith": { "without": ["Print Images"] } }))
}

fn granted() -> SchemaBuilder {
    texts().says("The permissions that are given, by their names")
}

fn without() -> SchemaBuilder {
    texts().says("The permissions that are taken away, whoever else gives them")
}

fn locked() -> SchemaBuilder {
    flag().says("Refuses a reload that changes or drops it").otherwise(false)
}

fn values() -> SchemaBuilder {
    any([text(), texts().filled()]).says("The value of the scope, or a list of which any fits")
}

fn condition() -> SchemaBuilder {
    text().such_as("caller.claims.acr == 'mfa'")
}

// ── The edges ──

fn cors() -> SchemaBuilder {
    record([
        (
            "origins",
            texts().says("The origins whose pages may call the API").such_as(json!(["https://app.example.com"])),
        ),
        ("headers", texts().says("Request headers that such pages may send")),
        ("expose", texts().says("Response headers that such pages may read")),
        ("credentials", flag().says("Whether browsers may send cookies and credentials along").otherwise(false)),
        ("max-age", number(0, 86_400).says("For how many seconds a browser may remember the answer").otherwise(600)),
    ])
    .says("Which web pages may call the API; the gateway answers their preflights")
    .needs(["origins"])
}

fn shadow() -> SchemaBuilder {
    any([word(["all"]), texts()])
        .says("Forwards what would be refused and counts it: `all`, or what is about one of these resources")
        .such_as("all")
}
