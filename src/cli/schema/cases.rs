//! The schema of cases files.

use serde_json::{Value, json};

use super::builder::{
    SchemaBuilder, any_map, any_of, integer, list, map_of, object, one_of, pattern, reference, text, texts,
};
use super::policy;
use crate::vocabulary::SubjectKind;

/// The reason codes of a policy's refusals; the code of a gate also contains its name, after a colon.
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
    let whole =
        policy::policy().description("Policy text that is joined to the policy, as one more file of its folder");
    file().document("cases", "The cases of a policy", [("policy", whole), cells, method])
}

fn file() -> SchemaBuilder {
    object([
        (
            "callers",
            map_of(text(), caller())
                .description("The callers of the cases, by names that you choose")
                .example(json!({ "nurse": { "roles": ["Level 2"], "client": "app-1", "tenant": "t1" } })),
        ),
        (
            "variants",
            map_of(text(), variant()).description("Small changes to the policy for cases whose `in` names them"),
        ),
        ("cases", list(case()).description("One request each, and its expected decision")),
    ])
}

/// A subject, in the same form as for `--as` and in recorded requests.
fn caller() -> SchemaBuilder {
    let bounds = map_of(text(), any_of([text(), texts()])).description("For each scope a value or a list of them");
    let role = any_of([text(), map_of(text(), bounds).example(json!({ "Level 2": { "tenant": "t1" } }))]);
    object([
        ("id", text().description("The caller's id: `issuer/id`, or `id` alone").example("hospital/smith")),
        (
            "kind",
            one_of([SubjectKind::User, SubjectKind::Service, SubjectKind::Anonymous].map(SubjectKind::as_str))
                .description("A user, a service app, or an unauthenticated caller")
                .default_value(SubjectKind::User.as_str()),
        ),
        ("client", text().description("The application that the caller uses").example("app-1")),
        ("tenant", text().description("The only tenant that the caller belongs to").example("t1")),
        ("tenants", texts().description("The tenants that the caller belongs to")),
        ("roles", list(role).description("The roles that a token would claim, each with a scope where it is bound")),
        ("group", text().description("The only group of the caller")),
        ("groups", texts().description("The groups of the caller")),
        ("permissions", texts().description("The permissions that a token would claim directly")),
        ("claims", any_map().description("Other claims of the token, for conditions").example(json!({ "acr": "mfa" }))),
        ("approved", texts().description("The approval gates that are open for the caller")),
    ])
    .with("not", json!({ "anyOf": [{ "required": ["tenant", "tenants"] }, { "required": ["group", "groups"] }] }))
}

fn variant() -> SchemaBuilder {
    let path = any_of([text(), texts().non_empty()]);
    let changes = object([
        (
            "drop",
            list(path)
                .description("The parts that are removed first: keys of the policy, or paths to an entry, as lists")
                .example(json!(["service-apps", ["routes", "/x/{y}"]])),
        ),
        ("add", reference("policy")),
    ]);
    any_of([changes.non_empty().title("what is dropped and added"), reference("policy")])
}

fn case() -> SchemaBuilder {
    let request = || pattern(r"^[A-Z-]+ \S").example("GET /t1/api/Patients/p1");
    object([
        ("as", text().description("The caller: a name under `callers`")),
        ("in", text().description("The variant of the policy, by its name under `variants`")),
        ("permit", request().description("The request that must be permitted: method, space, path")),
        ("refuse", request().description("The request that must be refused: method, space, path")),
        ("by", text().description("The permission that must have granted the first operation")),
        ("masks", texts().description("The sets of fields that must be masked, exactly these; `[]` is none")),
        ("asks", texts().description("The gates whose approval the request must ask for")),
        ("reason", reason()),
        (
            "answered-as",
            pattern("^[^/ ]+/[^/ ]+")
                .description("The media type of the response, where the needed cells depend on it")
                .example("image/png"),
        ),
        (
            "at",
            pattern(r"^\d{4}-\d\d-\d\dT\d\d:\d\d")
                .description("The time of the request, quoted; for conditions that depend on it")
                .example("2026-11-22T10:00:00Z"),
        ),
        (
            "proves",
            texts().description("The rules that the case proves, by names that you choose").example(json!(["N1"])),
        ),
        (
            "decision",
            integer(1, u64::from(u32::MAX)).description("The number of a decision that the case is taken from"),
        ),
        ("note", text().description("A comment for readers")),
    ])
    .required(["as"])
    .required_one_of([&["permit"], &["refuse", "reason"]])
    .dependencies([
        ("by", &["permit"]),
        ("masks", &["permit"]),
        ("asks", &["permit"]),
        ("reason", &["refuse"]),
        ("refuse", &["reason"]),
    ])
}

fn reason() -> SchemaBuilder {
    any_of([one_of(REFUSALS), pattern("^gate:.+$").example("gate:app-connection")])
        .description("The expected reason code of the refusal")
}
