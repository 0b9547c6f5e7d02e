//! The cases file: questions that a policy has to answer as they say.

use serde_json::{Value, json};

use super::policy;
use super::shape::{SchemaBuilder, any, defined, list, map, matching, names, number, record, text, texts, word};
use crate::vocabulary::SubjectKind;

/// The reasons with which a policy refuses; that of a gate has its name behind a colon.
pub(super) const REFUSALS: [&str; 13] = [
    "bad-request",
    "unauthenticated",
    "no-route",
    "no-method",
    "nobody",
    "condition",
    "not-a-member",
    "no-group",
    "not-one-role",
    "not-granted",
    "out-of-scope",
    "taken-away",
    "wrong-type",
];

/// The schema of `NAME.cases.yaml`.
pub(super) fn schema() -> Value {
    let [cells, method] = policy::definitions();
    let whole = policy::policy().says("Policy text that is joined to the policy, as one more file of its folder");
    file().document("cases", "The cases of a policy", [("policy", whole), cells, method])
}

fn file() -> SchemaBuilder {
    record([
        (
            "callers",
            names(text(), caller())
                .says("Who asks in the cases, by names of your own")
                .such_as(json!({ "nurse": { "roles": ["Level 2"], "client": "app-1", "tenant": "t1" } })),
        ),
        ("variants", names(text(), variant()).says("Small changes to the policy for cases whose `in` names them")),
        ("cases", list(case()).says("One request each, and what must come of it")),
    ])
}

/// A subject, as `--as` and recorded requests spell it too.
fn caller() -> SchemaBuilder {
    let bounds = names(text(), any([text(), texts()])).says("For each scope a value or a list of them");
    let role = any([text(), names(text(), bounds).such_as(json!({ "Level 2": { "tenant": "t1" } }))]);
    record([
        ("id", text().says("Who it is: `issuer/id`, or `id` alone").such_as("hospital/smith")),
        (
            "kind",
            word([SubjectKind::User, SubjectKind::Service, SubjectKind::Anonymous].map(SubjectKind::as_str))
                .says("A user, a service app, or somebody who proved nothing")
                .otherwise(SubjectKind::User.as_str()),
        ),
        ("client", text().says("The application that the caller uses").such_as("app-1")),
        ("tenant", text().says("The only tenant that the caller belongs to").such_as("t1")),
        ("tenants", texts().says("The tenants that the caller belongs to")),
        ("roles", list(role).says("The roles that a token would claim, each with a scope where it is bound")),
        ("group", text().says("The only group of the caller")),
        ("groups", texts().says("The groups of the caller")),
        ("permissions", texts().says("The permissions that a token would claim directly")),
        ("claims", map().says("What else a token would say, for conditions").such_as(json!({ "acr": "mfa" }))),
        ("approved", texts().says("The gates by approval that are open for the caller")),
    ])
    .with("not", json!({ "anyOf": [{ "required": ["tenant", "tenants"] }, { "required": ["group", "groups"] }] }))
}

fn variant() -> SchemaBuilder {
    let path = any([text(), texts().filled()]);
    let changes = record([
        (
            "drop",
            list(path)
                .says("What is taken out first: keys of the policy, or lists that lead to an entry")
                .such_as(json!(["service-apps", ["routes", "/x/{y}"]])),
        ),
        ("add", defined("policy")),
    ]);
    any([changes.filled().called("what is dropped and added"), defined("policy")])
}

fn case() -> SchemaBuilder {
    let request = || matching(r"^[A-Z-]+ \S").such_as("GET /t1/api/Patients/p1");
    record([
        ("as", text().says("Who asks: a name under `callers`")),
        ("in", text().says("The variant of the policy that is asked, by its name under `variants`")),
        ("permit", request().says("The request that must be permitted: method, blank, path")),
        ("refuse", request().says("The request that must be refused: method, blank, path")),
        ("by", text().says("The permission that must have granted the first operation")),
        ("masks", texts().says("The sets of fields that must be masked, exactly these; `[]` is none")),
        ("asks", texts().says("The gates for which the request must ask an approval")),
        ("reason", reason()),
        (
            "answered-as",
            matching("^[^/ ]+/[^/ ]+")
                .says("The media type of the response, where what is needed hangs on it")
                .such_as("image/png"),
        ),
        (
            "at",
            matching(r"^\d{4}-\d\d-\d\dT\d\d:\d\d")
                .says("The moment of the request, quoted; for conditions that hang on it")
                .such_as("2026-11-22T10:00:00Z"),
        ),
        ("proves", texts().says("The rules that the case proves, by names of your own").such_as(json!(["N1"]))),
        ("decision", number(1, u64::from(u32::MAX)).says("The number of a decision that the case is taken from")),
        ("note", text().says("What a reader should know about the case")),
    ])
    .needs(["as"])
    .needs_one_of([&["permit"], &["refuse", "reason"]])
    .beside([
        ("by", &["permit"]),
        ("masks", &["permit"]),
        ("asks", &["permit"]),
        ("reason", &["refuse"]),
        ("refuse", &["reason"]),
    ])
}

fn reason() -> SchemaBuilder {
    any([word(REFUSALS), matching("^gate:.+$").such_as("gate:app-connection")])
        .says("Why it must be refused, by the reason's code")
}
