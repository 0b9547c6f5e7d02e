//! The census as a page to read.

use crate::cli::page::TextPage;

use super::{CallersEntry, GrantedThrough, WhoCanReport};

/// So many ids are printed; JSON has all of them.
const MOST_IDS: usize = 20;

/// The page.
pub(super) fn page(census: &WhoCanReport) -> String {
    let mut page = TextPage::default();
    page.line("policy", &census.policy);
    page.line("request", &format!("{} {}", census.method, census.target));
    if let Some(route) = &census.route {
        page.line("route", route);
    }
    let scope: Vec<String> = census
        .scope
        .iter()
        .map(|bound| format!("{}: {}", bound.name, bound.value.as_deref().unwrap_or("not in the request")))
        .collect();
    page.list("scope", &scope);
    let needs = census.needs.iter().map(|need| {
        let answered = need.answered_as.as_ref().map(|range| format!("answered as {range}: ")).unwrap_or_default();
        format!("{answered}{}", need.cells.join(" and "))
    });
    page.list("needs", &needs.collect::<Vec<_>>());
    if let Some(condition) = &census.condition {
        page.line("when", condition);
    }
    if census.public {
        page.line("may", "anybody, without a credential");
    } else if let Some(refused) = &census.refused {
        page.line("may", &format!("nobody: {refused}"));
    } else if census.may.is_empty() {
        page.line("may", "nobody of whom the policy speaks");
    }
    page.list("may", &census.may.iter().map(may).collect::<Vec<_>>());
    let kept_out =
        census.kept_out.iter().map(|entry| format!("{}: {}", who(entry), entry.reason.as_deref().unwrap_or_default()));
    page.list("kept out", &kept_out.collect::<Vec<_>>());
    if census.one_role && !census.public && census.refused.is_none() {
        page.line("and", "each with exactly one role");
    }
    page.into_text()
}

fn may(entry: &CallersEntry) -> String {
    let through: Vec<String> = entry.through.iter().map(through).filter(|text| !text.is_empty()).collect();
    if through.is_empty() { who(entry) } else { format!("{}, {}", who(entry), through.join("; ")) }
}

fn who(entry: &CallersEntry) -> String {
    let names = entry.names.join(", ");
    let within = if entry.within.is_empty() {
        String::new()
    } else {
        format!(" assigned in this {}", entry.within.join(" and "))
    };
    match (entry.who, &entry.group) {
        ("everyone", _) => "every user".to_owned(),
        ("service-apps", _) => "every service app that `users:` does not list".to_owned(),
        ("group", _) => format!("whoever is in the group `{names}`"),
        ("role", None) => format!("whoever has the role `{names}`{within}"),
        ("role", Some(group)) => format!("whoever has the role `{names}`{within} and is in the group `{group}`"),
        (_, group) => {
            let ids: Vec<&str> = entry.names.iter().take(MOST_IDS).map(String::as_str).collect();
            let more = entry.names.len().saturating_sub(MOST_IDS);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let group = group.as_ref().map(|group| format!(" in the group `{group}`")).unwrap_or_default();
            let word = if entry.names.len() == 1 { "the user" } else { "the users" };
            format!("{word} {}{more}{group}", ids.join(", "))
        }
    }
}

fn through(through: &GrantedThrough) -> String {
    let mut parts = Vec::new();
    if !through.permissions.is_empty() {
        parts.push(format!("through `{}`", through.permissions.join("` and `")));
    }
    if !through.gates.is_empty() {
        parts.push(format!("once `{}` is open", through.gates.join("` and `")));
    }
    if through.conditional {
        parts.push("while the condition of the assignment holds".to_owned());
    }
    if let Some(range) = &through.answered_as {
        parts.push(format!("answered as {range}"));
    }
    parts.join(", ")
}
