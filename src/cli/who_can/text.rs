//! Prints a who-can report as text.

use crate::cli::page::TextPage;

use super::report::{CallersEntry, GrantedThrough, WhoCanReport};

/// The most ids that are printed; JSON has all of them.
const MAX_IDS: usize = 20;

/// The report as text.
pub(super) fn print_page(report: &WhoCanReport) -> String {
    let mut page = TextPage::default();
    page.line("policy", &report.policy);
    page.line("request", &format!("{} {}", report.method, report.target));
    if let Some(route) = &report.route {
        page.line("route", route);
    }
    let scope: Vec<String> = report
        .scope
        .iter()
        .map(|bound| format!("{}: {}", bound.name, bound.value.as_deref().unwrap_or("not in the request")))
        .collect();
    page.list("scope", &scope);
    let needs = report.needs.iter().map(|need| {
        let answered = need.answered_as.as_ref().map(|range| format!("answered as {range}: ")).unwrap_or_default();
        format!("{answered}{}", need.cells.join(" and "))
    });
    page.list("needs", &needs.collect::<Vec<_>>());
    if let Some(condition) = &report.condition {
        page.line("when", condition);
    }
    if report.public {
        page.line("may", "every caller, without a credential");
    } else if let Some(refused) = &report.refused {
        page.line("may", &format!("nobody: {refused}"));
    } else if report.may.is_empty() {
        page.line("may", "no caller that the policy lists");
    }
    page.list("may", &report.may.iter().map(describe_entry).collect::<Vec<_>>());
    let kept_out = report
        .kept_out
        .iter()
        .map(|entry| format!("{}: {}", describe_callers(entry), entry.reason.as_deref().unwrap_or_default()));
    page.list("kept out", &kept_out.collect::<Vec<_>>());
    if report.one_role && !report.public && report.refused.is_none() {
        page.line("and", "each with exactly one role");
    }
    page.into_text()
}

fn describe_entry(entry: &CallersEntry) -> String {
    let through: Vec<String> = entry.through.iter().map(describe_grant).filter(|text| !text.is_empty()).collect();
    if through.is_empty() {
        describe_callers(entry)
    } else {
        format!("{}, {}", describe_callers(entry), through.join("; "))
    }
}

fn describe_callers(entry: &CallersEntry) -> String {
    let names = entry.names.join(", ");
    let within = if entry.within.is_empty() {
        String::new()
    } else {
        format!(" assigned in this {}", entry.within.join(" and "))
    };
    match (entry.who, &entry.group) {
        ("everyone", _) => "every user".to_owned(),
        ("service-apps", _) => "every service app that `users:` does not list".to_owned(),
        ("group", _) => format!("every caller in the group `{names}`"),
        ("role", None) => format!("every caller with the role `{names}`{within}"),
        ("role", Some(group)) => format!("every caller with the role `{names}`{within} in the group `{group}`"),
        (_, group) => {
            let ids: Vec<&str> = entry.names.iter().take(MAX_IDS).map(String::as_str).collect();
            let more = entry.names.len().saturating_sub(MAX_IDS);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let group = group.as_ref().map(|group| format!(" in the group `{group}`")).unwrap_or_default();
            let noun = if entry.names.len() == 1 { "the user" } else { "the users" };
            format!("{noun} {}{more}{group}", ids.join(", "))
        }
    }
}

fn describe_grant(through: &GrantedThrough) -> String {
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
