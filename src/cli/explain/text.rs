//! Prints an explanation as text, with one labelled line for each part.

use crate::cli::page::TextPage;

use super::explanation::{ExplainedCell, Explanation, SuggestedChanges};
use super::levels::RowExplanation;

/// The explanation as text.
pub(super) fn print_page(explanation: &Explanation) -> String {
    let mut page = TextPage::default();
    let answer = explanation.status.map(|status| format!(", answered {status}")).unwrap_or_default();
    let detail = explanation.detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    page.line(explanation.decision, &format!("{}{detail}{answer}", explanation.reason));
    page.line("", explanation.meaning);
    page.line("policy", &format!("{}, version {}", explanation.policy.name, explanation.policy.hash));
    page.line("request", &format!("{} {}", explanation.method, explanation.target));
    page.line("path", explanation.canonical_path.as_deref().unwrap_or("cannot be read in one way only"));
    if let (Some(route), Some(place)) = (&explanation.route, &explanation.place) {
        page.line("route", &format!("{route}  ({place})"));
    } else if explanation.canonical_path.is_some() {
        page.line("route", "none");
    }
    let scope: Vec<String> = explanation
        .scope
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or("not in the request")))
        .collect();
    if let Some(when) = &explanation.when {
        let holds = if when.holds { "holds" } else { "does not hold" };
        page.line("when", &format!("{} {holds}", when.condition));
    }
    if explanation.route.is_some() {
        page.list("scope", &scope);
    }
    page.list("across", &explanation.across);
    print_caller(&mut page, explanation);
    page.list("needs", &explanation.needs.iter().flat_map(cell_lines).collect::<Vec<_>>());
    let gates = explanation.gates.iter().map(|gate| {
        let keys = gate.keys.iter().map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or("none")));
        let state = if gate.open { "open" } else { "closed" };
        format!("{} is {state} for {}", gate.gate, keys.collect::<Vec<_>>().join(", "))
    });
    page.list("gates", &gates.collect::<Vec<_>>());
    page.list("masks", &explanation.masks);
    page.list("asks", &explanation.asks);
    page.list("help", &explanation.help);
    page.list("changes", &explanation.changes.iter().map(changes).collect::<Vec<_>>());
    page.into_text()
}

fn print_caller(page: &mut TextPage, explanation: &Explanation) {
    let caller = &explanation.caller;
    let mut parts = vec![caller.kind.to_owned()];
    parts.extend(caller.id.iter().map(|id| format!("id {id}")));
    parts.extend(caller.client.iter().map(|client| format!("client {client}")));
    if !caller.tenants.is_empty() {
        parts.push(format!("of {}", caller.tenants.join(" and ")));
    }
    page.line("caller", &parts.join(", "));
    match &caller.listed {
        Some(entry) => page.line("", &format!("`users:` has the entry `{entry}`{}", behind(&caller.listed_at))),
        None if caller.kind != "anonymous" => page.line("", "not listed under `users:`"),
        None => {}
    }
    if let Some(group) = &caller.group {
        let profile = group.profile.as_ref().map(|name| format!(" with the profile `{name}`")).unwrap_or_default();
        page.line("group", &format!("{}{profile}, by {}{}", group.name, group.from, behind(&group.place)));
    }
    page.list("roles", &caller.roles);
    page.list("claims", &caller.permissions);
    let ignored: Vec<String> =
        caller.ignored.iter().map(|ignored| format!("{} `{}`: {}", ignored.claim, ignored.name, ignored.why)).collect();
    page.list("ignored", &ignored);
    page.list("approved", &caller.approved);
    page.list("holds", caller.holds.as_deref().unwrap_or_default());
}

/// A cell and its verdict; below it each permission that has the cell, and below that the verdict of each level.
fn cell_lines(need: &ExplainedCell) -> Vec<String> {
    let answered = need.answered_as.as_ref().map(|range| format!(" if answered as {range}")).unwrap_or_default();
    let cell = format!("{} {}{answered}", need.operation, need.resource);
    let verdict = match (need.verdict, &need.granted_by, &need.reason) {
        (_, Some(row), _) => format!("{cell}: granted by `{row}`"),
        ("granted", None, _) => format!("{cell}: granted by `service-apps: all`"),
        (_, None, Some(reason)) => format!("{cell}: {reason}"),
        _ => format!("{cell}: not judged"),
    };
    std::iter::once(verdict).chain(need.rows.iter().flat_map(row_lines)).collect()
}

fn row_lines(row: &RowExplanation) -> Vec<String> {
    let mut lines = vec![format!("  {}: {}{}", row.permission, row.result, behind(&row.place))];
    if row.words.is_empty() {
        lines.push("    nothing gives it".to_owned());
    }
    lines.extend(row.words.iter().map(|verdict| format!("    {}{}", verdict.text, behind(&verdict.place))));
    lines.extend(row.gates.iter().map(|gate| {
        let state = if gate.open { "open" } else { "closed" };
        format!("    the gate `{}` is {state}, {}{}", gate.gate, gate.text, behind(&gate.place))
    }));
    lines
}

fn changes(changes: &SuggestedChanges) -> String {
    let steps = changes.steps.iter().map(|step| format!("{}{}", step.text, behind(&step.place)));
    steps.collect::<Vec<_>>().join(", and ")
}

/// The position in parentheses, as a suffix of its line.
fn behind(place: &Option<String>) -> String {
    place.as_ref().map(|place| format!("  ({place})")).unwrap_or_default()
}
