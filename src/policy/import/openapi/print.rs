//! A policy as an import writes it: every guess marked, nobody permitted anything.

use crate::policy::import::yaml::{comment, scalar};

use super::{MethodDraft, OpenapiOptions, PathDraft, RouteDraft};

/// PolicyOrigin: what the policy comes from.
pub(super) struct PolicyOrigin<'a> {
    pub(super) file: &'a str,
    pub(super) title: Option<&'a str>,
    pub(super) version: Option<&'a str>,
}

/// Comments stand behind cells that are no longer than this in one column.
const WIDEST: usize = 48;

pub(super) fn policy(
    from: &PolicyOrigin<'_>,
    wanted: &OpenapiOptions,
    entries: &[PathDraft],
    resources: &[String],
) -> String {
    let name = wanted.name.clone().unwrap_or_else(|| slug(from.title.unwrap_or(from.file)));
    let source = [from.title, from.version].into_iter().flatten().map(comment).collect::<Vec<_>>().join(", ");
    let source = if source.is_empty() { String::new() } else { format!(" ({source})") };
    let mut out = format!(
        "# Imported from {}{source}.\n\
         #\n\
         # What each request does to which resource is guessed from methods, tags and paths: read every line, and take\n\
         # its `guessed` away when it is right. `public?`: the document asks for no credential there; write `public` in\n\
         # the place of the cell if you want that too. Nobody is permitted anything until rows and roles say so.\n\n\
         version: 1\nname: {}\ndialect: strict            # how the API reads paths; see the README\n{}\nroutes:\n",
        comment(from.file),
        scalar(&name),
        scopes(&wanted.scopes),
    );
    let width = width(entries);
    for entry in entries {
        match entry {
            PathDraft::Route(route) => out.push_str(&self::route(route, width)),
            PathDraft::LeftOut { path, methods, why } => {
                let methods = comment(&methods.join(", "));
                out.push_str(&format!("  # left out: {methods} {} ({})\n", comment(path), comment(why)));
            }
        }
    }
    out.push_str(&if wanted.resources_elsewhere { elsewhere(resources) } else { here(resources) });
    out
}

fn scopes(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let mut out = String::from("scopes:\n");
    for (at, name) in names.iter().enumerate() {
        let (kind, meaning) = match at {
            0 => ("caller", "the one in the path must be one of the caller's"),
            _ => ("grant", "it bounds what is granted"),
        };
        out.push_str(&format!("  {}: {kind}   # {meaning}\n", scalar(name)));
    }
    out
}

fn route(route: &RouteDraft, width: usize) -> String {
    let was = route.was.as_ref().map(|was| format!("   # {} in the document", comment(was))).unwrap_or_default();
    let mut out = format!("  {}{}:{was}\n", if route.is_live() { "" } else { "# " }, scalar(&route.template));
    for method in &route.methods {
        out.push_str(&line(method, width));
    }
    out
}

fn line(method: &MethodDraft, width: usize) -> String {
    let head = format!("{}:", method.name);
    let remarks = comment(&method.remarks.join("; "));
    match &method.cell {
        Some(cell) => format!("    {head:<7} {:<width$} # {remarks}\n", scalar(cell)),
        None => format!("    # {head} {remarks}\n"),
    }
}

fn width(entries: &[PathDraft]) -> usize {
    let methods = entries.iter().flat_map(|entry| match entry {
        PathDraft::Route(route) => route.methods.as_slice(),
        PathDraft::LeftOut { .. } => &[],
    });
    let cells = methods.filter_map(|method| method.cell.as_ref()).map(|cell| scalar(cell).chars().count());
    cells.filter(|width| *width <= WIDEST).max().unwrap_or(0)
}

fn here(resources: &[String]) -> String {
    let list: String = resources.iter().map(|name| format!("  - {}\n", scalar(name))).collect();
    let first = resources.first().map(|name| scalar(name)).unwrap_or_default();
    format!(
        "\nresources:\n{list}\n\
         # Who may do what: the rows of the vendor's table, and the roles that hold them. For example:\n#\n\
         # permissions:\n#   Look around:\n#     {first}: R\n#\n# roles:\n#   Visitor: {{ permissions: [Look around] }}\n",
    )
}

fn elsewhere(resources: &[String]) -> String {
    let list: String = resources.iter().map(|name| format!("#   - {}\n", scalar(name))).collect();
    format!("\n# Another file of this policy lists these under `resources:`, and has its rows and roles:\n{list}")
}

/// A title as a policy's name: `Clinic API (v2)` is `clinic-api-v2`.
fn slug(title: &str) -> String {
    let title = title.rsplit('/').next().unwrap_or(title);
    let title = [".yaml", ".yml", ".json"].iter().find_map(|end| title.strip_suffix(end)).unwrap_or(title);
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    if slug.is_empty() { "imported".to_owned() } else { slug }
}
