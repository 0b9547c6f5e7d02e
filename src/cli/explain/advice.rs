//! Advice: what would help against a refusal, where that is simple to say.

use crate::decision::Reason;
use crate::policy::grants::rows_of;
use crate::vocabulary::name::nearest;

use super::explanation::ExplanationContext;

/// Sentences, the nearest cure first; none for a permit.
pub(super) fn of(scene: &ExplanationContext<'_>) -> Vec<String> {
    match scene.decision.reason {
        Reason::Unauthenticated(_) => vec!["only public routes answer a caller without a credential".to_owned()],
        Reason::NoRoute => vec![no_route(scene)],
        Reason::NoMethod => no_method(scene),
        Reason::NotAMember => vec![not_a_member(scene)],
        Reason::NotGranted => not_granted(scene),
        Reason::Gate(at) => gate(scene, usize::from(at)),
        _ => Vec::new(),
    }
}

fn no_route(scene: &ExplanationContext<'_>) -> String {
    let near = scene.path.and_then(|path| {
        let texts = scene.policy.routes.routes().iter().map(|route| route.template.text());
        texts.into_iter().find(|template| differs_in_one(template, path))
    });
    match near {
        Some(template) => format!("no template covers the path; `{template}` comes near"),
        None => "no template covers the path; what the policy does not list is refused".to_owned(),
    }
}

/// Whether a path matches a template but for one literal segment that is nearly the same.
fn differs_in_one(template: &str, path: &str) -> bool {
    let (wanted, found): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    if wanted.len() != found.len() {
        return false;
    }
    let mut differing =
        wanted.iter().zip(&found).filter(|(want, have)| !want.starts_with('{') && !want.eq_ignore_ascii_case(have));
    match (differing.next(), differing.next()) {
        (Some((want, have)), None) => nearest(have, [*want]).is_some(),
        _ => false,
    }
}

fn no_method(scene: &ExplanationContext<'_>) -> Vec<String> {
    let methods = scene.route.map(|route| route.methods.iter().map(|method| &*method.name).collect::<Vec<_>>());
    methods.map(|methods| format!("the route lists {}", methods.join(", "))).into_iter().collect()
}

fn not_a_member(scene: &ExplanationContext<'_>) -> String {
    let tenants = scene.policy.entitlements.for_subject(scene.subject).tenants();
    if tenants.is_empty() {
        return "the caller belongs to no tenant".to_owned();
    }
    format!(
        "the caller belongs to {} only; values are compared letter by letter",
        quoted(tenants.iter().map(|name| &**name))
    )
}

fn not_granted(scene: &ExplanationContext<'_>) -> Vec<String> {
    let Some(id) = scene.decision.cell else { return Vec::new() };
    let cell = scene.policy.cell(id).map(ToString::to_string).unwrap_or_default();
    let nowhere = rows_of(scene.policy.grants.rows_with(id)).next().is_none();
    let told = format!("no permission of the policy has `{cell}`; only service apps with full grants pass");
    nowhere.then_some(told).into_iter().collect()
}

fn gate(scene: &ExplanationContext<'_>, at: usize) -> Vec<String> {
    let Some(gate) = scene.policy.gate(at) else { return Vec::new() };
    let Some(approval) = gate.approval() else { return Vec::new() };
    let keys: Vec<(String, Option<String>)> =
        approval.keys.iter().map(|key| (scene.key_name(*key), scene.key_value(*key))).collect();
    let missing: Vec<&str> = keys.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    if !missing.is_empty() {
        let name = &gate.name;
        return vec![format!(
            "an approval of `{name}` is for a {}, and this request has none",
            missing.join(" and a ")
        )];
    }
    let asks: Vec<String> =
        approval.asked_by.iter().filter_map(|cell| scene.policy.cell(*cell)).map(ToString::to_string).collect();
    let told = format!("the caller asks for the approval by: {}", asks.join(", "));
    (!asks.is_empty()).then_some(told).into_iter().collect()
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
