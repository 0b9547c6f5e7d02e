//! The account as a page to read, a line for each thing.

use super::account::{Account, Need};

/// The page.
pub(super) fn page(account: &Account) -> String {
    let mut page = Page(String::new());
    let answer = account.status.map(|status| format!(", answered {status}")).unwrap_or_default();
    let detail = account.detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    page.line(account.decision, &format!("{}{detail}{answer}", account.reason));
    page.line("", account.meaning);
    page.line("policy", &format!("{}, version {}", account.policy.name, account.policy.hash));
    page.line("request", &format!("{} {}", account.method, account.target));
    page.line("path", account.canonical_path.as_deref().unwrap_or("cannot be read in one way only"));
    if let (Some(route), Some(place)) = (&account.route, &account.place) {
        page.line("route", &format!("{route}  ({place})"));
    } else if account.canonical_path.is_some() {
        page.line("route", "none");
    }
    let scope: Vec<String> = account
        .scope
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or("not in the request")))
        .collect();
    if account.route.is_some() {
        page.list("scope", &scope);
    }
    caller(&mut page, account);
    page.list("needs", &account.needs.iter().map(need).collect::<Vec<_>>());
    let gates = account.gates.iter().map(|gate| {
        let keys = gate.keys.iter().map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or("none")));
        let state = if gate.open { "open" } else { "closed" };
        format!("{} is {state} for {}", gate.gate, keys.collect::<Vec<_>>().join(", "))
    });
    page.list("gates", &gates.collect::<Vec<_>>());
    page.list("help", &account.help);
    page.0
}

fn caller(page: &mut Page, account: &Account) {
    let caller = &account.caller;
    let mut words = vec![caller.kind.to_owned()];
    words.extend(caller.id.iter().map(|id| format!("id {id}")));
    words.extend(caller.client.iter().map(|client| format!("client {client}")));
    if !caller.tenants.is_empty() {
        words.push(format!("of {}", caller.tenants.join(" and ")));
    }
    page.line("caller", &words.join(", "));
    match &caller.listed {
        Some(entry) => page.line("", &format!("`users:` has the entry `{entry}`")),
        None if caller.kind != "anonymous" => page.line("", "not listed under `users:`"),
        None => {}
    }
    page.list("roles", &caller.roles);
    page.list("claims", &caller.permissions);
    let ignored: Vec<String> =
        caller.ignored.iter().map(|ignored| format!("{} `{}`: {}", ignored.claim, ignored.name, ignored.why)).collect();
    page.list("ignored", &ignored);
    page.list("approved", &caller.approved);
    page.list("holds", caller.holds.as_deref().unwrap_or_default());
}

fn need(need: &Need) -> String {
    let cell = format!("{} {}", need.operation, need.resource);
    let through = need.through.join(" and ");
    match (need.verdict, &need.granted_by, &need.reason) {
        (_, Some(row), _) => format!("{cell}: granted by `{row}`, through {through}"),
        ("granted", None, _) => format!("{cell}: granted by {through}"),
        (_, None, Some(reason)) => format!("{cell}: {reason}"),
        _ => format!("{cell}: not judged"),
    }
}

/// Page: lines with a label each.
struct Page(String);

impl Page {
    /// A line; control characters are shown, not sent to the terminal.
    fn line(&mut self, label: &str, text: &str) {
        let mut shown = String::with_capacity(text.len());
        for character in text.chars() {
            if character.is_control() {
                shown.extend(character.escape_default());
            } else {
                shown.push(character);
            }
        }
        self.0.push_str(&format!("{label:<10}{shown}\n"));
    }

    /// A line for each text, the label before the first; nothing for none.
    fn list(&mut self, label: &str, texts: &[String]) {
        for (at, text) in texts.iter().enumerate() {
            self.line(if at == 0 { label } else { "" }, text);
        }
    }
}
