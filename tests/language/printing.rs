//! Prints a plain policy as YAML, as the policy page spells it.

use std::fmt::Write;

use crate::model::{
    Assignment, Bound, By, Cell, Gate, Method, Name, Need, PolicyModel, Role, Route, Row, ServiceApps, User,
};

/// The policy's file.
pub(crate) fn yaml(model: &PolicyModel) -> String {
    let mut out = String::from("version: 1\nname: generated\n");
    if !model.dialect.is_empty() {
        let _ = writeln!(out, "dialect: {}", model.dialect);
    }
    section(&mut out, "scopes", &model.scopes, |(name, caller)| {
        format!("{name}: {}", if *caller { "caller" } else { "grant" })
    });
    section(&mut out, "routes", &model.routes, route);
    let _ = writeln!(out, "resources: [{}]", model.resources.join(", "));
    section(&mut out, "fields", &model.fields, |(name, resources)| {
        let listed = resources.iter().map(|resource| format!("{resource}: [$..mrn]"));
        format!("{name}: {}", map(listed.collect()))
    });
    section(&mut out, "permissions", &model.rows, row);
    list(&mut out, "everyone", &model.everyone);
    match model.service_apps {
        Some(ServiceApps::All) => out.push_str("service-apps: all\n"),
        Some(ServiceApps::EveryPermission) => out.push_str("service-apps: every-permission\n"),
        None => {}
    }
    section(&mut out, "gates", &model.gates, gate);
    section(&mut out, "profiles", &model.profiles, |profile| {
        let mut parts = vec![names("features", &profile.features)];
        if !profile.within.is_empty() {
            let bounds: Vec<String> = profile.within.iter().map(|bound| map(bounds(bound))).collect();
            parts.push(format!("within: [{}]", bounds.join(", ")));
        }
        format!("{}: {}", profile.name, map(parts))
    });
    section(&mut out, "groups", &model.groups, |group| {
        let mut parts: Vec<String> = group.profile.iter().map(|profile| format!("profile: {profile}")).collect();
        parts.extend(given("permissions", &group.permissions));
        parts.extend(given("without", &group.without));
        format!("{}: {}", group.name, map(parts))
    });
    section(&mut out, "roles", &model.roles, role);
    section(&mut out, "users", &model.users, user);
    if model.one_role {
        out.push_str("one-role: true\n");
    }
    out
}

fn section<T>(out: &mut String, key: &str, items: &[T], print: impl Fn(&T) -> String) {
    if !items.is_empty() {
        let _ = writeln!(out, "{key}:");
        items.iter().for_each(|item| out.push_str(&format!("  {}\n", print(item))));
    }
}

fn list(out: &mut String, key: &str, items: &[Name]) {
    if !items.is_empty() {
        let _ = writeln!(out, "{}", names(key, items));
    }
}

fn names(key: &str, items: &[Name]) -> String {
    format!("{key}: [{}]", items.join(", "))
}

/// The key and its list, unless it is empty.
fn given(key: &str, items: &[Name]) -> Option<String> {
    (!items.is_empty()).then(|| names(key, items))
}

fn map(parts: Vec<String>) -> String {
    if parts.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", parts.join(", ")) }
}

fn cells(cells: &[Cell]) -> String {
    let written: Vec<String> = cells.iter().map(|(operation, resource)| format!("{operation} {resource}")).collect();
    if let [one] = &written[..] { one.clone() } else { format!("[{}]", written.join(", ")) }
}

fn bounds(bound: &Bound) -> Vec<String> {
    let one = |(name, values): &(Name, Vec<Name>)| match &values[..] {
        [value] => format!("{name}: {value}"),
        values => names(name, values),
    };
    bound.iter().map(one).collect()
}

fn route(route: &Route) -> String {
    let query: Vec<String> = route.query.iter().map(|name| format!("{name}={{{name}}}")).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let methods: String = route.methods.iter().map(|method| format!("\n    {}", self::method(method))).collect();
    format!("{}{mark}{}:{methods}", route.path, query.join("&"))
}

fn method(method: &Method) -> String {
    let need = match &method.need {
        Need::Public => "need: public".to_owned(),
        Need::Nobody => "need: nobody".to_owned(),
        Need::All(needed) => format!("need: {}", cells(needed)),
        Need::ByType(types) => {
            let types = types.iter().map(|(range, needed)| format!("{range}: {}", cells(needed)));
            format!("by-type: {}", map(types.collect()))
        }
    };
    let mut parts = vec![need];
    parts.extend(given("across", &method.across));
    parts.extend(method.when.map(|when| format!("when: \"{when}\"")));
    format!("{}: {}", method.name, map(parts))
}

fn row(row: &Row) -> String {
    let mut columns: Vec<(Name, Vec<String>)> = Vec::new();
    for (operation, resource) in &row.cells {
        let letter = match *operation {
            "create" => "C",
            "read" => "R",
            "update" => "U",
            "delete" => "D",
            "merge" => "M",
            word => word,
        };
        match columns.iter_mut().find(|(column, _)| column == resource) {
            Some((_, letters)) => letters.push(letter.to_owned()),
            None => columns.push((resource, vec![letter.to_owned()])),
        }
    }
    let columns = columns.iter().map(|(column, letters)| match &letters[..] {
        [one] => format!("{column}: {one}"),
        all if all.iter().all(|letter| letter.len() == 1) => format!("{column}: {}", all.concat()),
        all => format!("{column}: [{}]", all.join(", ")),
    });
    format!("{}: {}", row.name, map(columns.collect()))
}

fn gate(gate: &Gate) -> String {
    let mut parts = match &gate.by {
        By::Approval { keys, asked_by, granted } => {
            let mut parts = vec!["by: approval".to_owned(), names("keys", keys)];
            if !asked_by.is_empty() {
                let written: Vec<String> = asked_by.iter().map(|cell| cells(&[*cell])).collect();
                parts.push(format!("asked-by: [{}]", written.join(", ")));
            }
            if !granted.is_empty() {
                let one = |values: &Vec<Name>| {
                    map(keys.iter().zip(values).map(|(key, value)| format!("{key}: {value}")).collect())
                };
                parts.push(format!("granted: [{}]", granted.iter().map(one).collect::<Vec<_>>().join(", ")));
            }
            parts
        }
        By::Feature => vec!["by: feature".to_owned()],
        By::Condition(when) => vec!["by: condition".to_owned(), format!("when: \"{when}\"")],
    };
    parts.push(names(if gate.except { "except" } else { "permissions" }, &gate.rows));
    format!("{}: {}", gate.name, map(parts))
}

fn role(role: &Role) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(given("includes", &role.includes));
    parts.extend(given("permissions", &role.permissions));
    if !role.within.is_empty() {
        let one = |(bound, rows): &(Bound, Vec<Name>)| {
            let mut parts = bounds(bound);
            parts.push(names("permissions", rows));
            map(parts)
        };
        parts.push(format!("within: [{}]", role.within.iter().map(one).collect::<Vec<_>>().join(", ")));
    }
    if role.policy_only {
        parts.push("assign: policy-only".to_owned());
    }
    parts.extend(given("assign-within", &role.assign_within));
    format!("{}: {}", role.name, map(parts))
}

fn user(user: &User) -> String {
    let mut parts: Vec<String> = user.group.iter().map(|group| format!("group: {group}")).collect();
    if let Some(roles) = &user.roles {
        parts.push(format!("roles: [{}]", roles.iter().map(assignment).collect::<Vec<_>>().join(", ")));
    }
    parts.extend(given("permissions", &user.permissions));
    parts.extend(given("without", &user.without));
    parts.extend(user.tenants.iter().map(|tenants| names("tenants", tenants)));
    format!("{}: {}", user.id, map(parts))
}

fn assignment(assignment: &Assignment) -> String {
    let mut parts = bounds(&assignment.bound);
    parts.extend(assignment.when.map(|when| format!("when: \"{when}\"")));
    if parts.is_empty() { assignment.role.to_owned() } else { format!("{{ {}: {} }}", assignment.role, map(parts)) }
}
