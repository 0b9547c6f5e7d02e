//! Suggests simple remedies for a refusal, as sentences.

use crate::decision::Reason;
use crate::policy::grants::rows_of;
use crate::vocabulary::name::nearest;

use super::context::ExplanationContext;

/// The sentences about a refusal, the most likely remedy first; empty for a permit.
pub(super) fn suggest_help(context: &ExplanationContext<'_>) -> Vec<String> {
    match context.decision.reason {
        Reason::Unauthenticated(_) => vec!["only public routes answer a caller without a credential".to_owned()],
        Reason::NoRoute => vec![no_route(context)],
        Reason::NoMethod => no_method(context),
        Reason::NotAMember => vec![not_a_member(context)],
        Reason::NotGranted => not_granted(context),
        Reason::Gate(index) => gate(context, usize::from(index)),
        _ => Vec::new(),
    }
}

fn no_route(context: &ExplanationContext<'_>) -> String {
    let near = context.path.and_then(|path| {
        let texts = context.policy.routes.routes().iter().map(|route| route.template.text());
        texts.into_iter().find(|template| differs_in_one(template, path))
    });
    match near {
        Some(template) => format!("no template covers the path; `{template}` comes near"),
        None => "no template covers the path; what the policy does not list is refused".to_owned(),
    }
}

/// Whether a path matches a template except for one literal segment that is spelled almost the same.
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

fn no_method(context: &ExplanationContext<'_>) -> Vec<String> {
    let methods = context.route.map(|route| route.methods.iter().map(|method| &*method.name).collect::<Vec<_>>());
    methods.map(|methods| format!("the route lists {}", methods.join(", "))).into_iter().collect()
}

fn not_a_member(context: &ExplanationContext<'_>) -> String {
    let tenants = context.policy.entitlements.for_subject(context.subject).tenants();
    if tenants.is_empty() {
        return "the caller belongs to no tenant".to_owned();
    }
    format!(
        "the caller belongs to {} only; values are compared letter by letter",
        quoted(tenants.iter().map(|name| &**name))
    )
}

fn not_granted(context: &ExplanationContext<'_>) -> Vec<String> {
    let Some(id) = context.decision.cell else { return Vec::new() };
    let cell = context.policy.cell(id).map(ToString::to_string).unwrap_or_default();
    let nowhere = rows_of(context.policy.grants.rows_with(id)).next().is_none();
    let sentence = format!("no permission of the policy has `{cell}`; only service apps with full grants pass");
    nowhere.then_some(sentence).into_iter().collect()
}

fn gate(context: &ExplanationContext<'_>, index: usize) -> Vec<String> {
    let Some(gate) = context.policy.gate(index) else { return Vec::new() };
    let Some(approval) = gate.approval() else { return Vec::new() };
    let keys: Vec<(String, Option<String>)> =
        approval.keys.iter().map(|key| (context.key_name(*key), context.key_value(*key))).collect();
    let missing: Vec<&str> = keys.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    if !missing.is_empty() {
        let name = &gate.name;
        return vec![format!(
            "an approval of `{name}` is for a {}, and this request has none",
            missing.join(" and a ")
        )];
    }
    let asks: Vec<String> =
        approval.asked_by.iter().filter_map(|cell| context.policy.cell(*cell)).map(ToString::to_string).collect();
    let sentence = format!("the caller asks for the approval by: {}", asks.join(", "));
    (!asks.is_empty()).then_some(sentence).into_iter().collect()
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
