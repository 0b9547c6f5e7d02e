//! Prints the imported policy: every guess is marked, and no caller is permitted anything.

use crate::policy::import::yaml::{format_comment, format_scalar};

use super::draft::{MethodDraft, PathDraft, RouteDraft};
use super::options::OpenapiOptions;

/// PolicyOrigin: the source document of the policy.
pub(super) struct PolicyOrigin<'a> {
    pub(super) file: &'a str,
    pub(super) title: Option<&'a str>,
    pub(super) version: Option<&'a str>,
}

/// The widest cell that still aligns the column of comments.
const MAX_ALIGNED_WIDTH: usize = 48;

pub(super) fn print_policy(
    from: &PolicyOrigin<'_>,
    options: &OpenapiOptions,
    entries: &[PathDraft],
    resources: &[String],
) -> String {
    let name = options.name.clone().unwrap_or_else(|| make_slug(from.title.unwrap_or(from.file)));
    let source = [from.title, from.version].into_iter().flatten().map(format_comment).collect::<Vec<_>>().join(", ");
    let source = if source.is_empty() { String::new() } else { format!(" ({source})") };
    let mut out = format!(
        "# Imported from {}{source}.\n\
         #\n\
         # The operation and resource of each request are guessed from methods, tags and paths. Check every line, and\n\
         # remove its `guessed` when it is right. `public?`: the document requires no credential there; replace the cell\n\
         # by `public` to do the same. No caller is permitted anything until rows and roles grant it.\n\n\
         version: 1\nname: {}\ndialect: strict            # how the API reads paths; see the README\n{}\nroutes:\n",
        format_comment(from.file),
        format_scalar(&name),
        print_scopes(&options.scopes),
    );
    let width = measure_cells(entries);
    for entry in entries {
        match entry {
            PathDraft::Route(route) => out.push_str(&self::print_route(route, width)),
            PathDraft::LeftOut { path, methods, reason } => {
                let methods = format_comment(&methods.join(", "));
                out.push_str(&format!(
                    "  # left out: {methods} {} ({})\n",
                    format_comment(path),
                    format_comment(reason)
                ));
            }
        }
    }
    out.push_str(&if options.resources_elsewhere {
        print_resources_elsewhere(resources)
    } else {
        print_resources(resources)
    });
    out
}

fn print_scopes(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let mut out = String::from("scopes:\n");
    for (at, name) in names.iter().enumerate() {
        let (kind, meaning) = match at {
            0 => ("caller", "the value in the path must be one of the caller's"),
            _ => ("grant", "it limits what is granted"),
        };
        out.push_str(&format!("  {}: {kind}   # {meaning}\n", format_scalar(name)));
    }
    out
}

fn print_route(route: &RouteDraft, width: usize) -> String {
    let original = route
        .original
        .as_ref()
        .map(|original| format!("   # {} in the document", format_comment(original)))
        .unwrap_or_default();
    let mut out =
        format!("  {}{}:{original}\n", if route.is_live() { "" } else { "# " }, format_scalar(&route.template));
    for method in &route.methods {
        out.push_str(&print_method(method, width));
    }
    out
}

fn print_method(method: &MethodDraft, width: usize) -> String {
    let head = format!("{}:", method.name);
    let remarks = format_comment(&method.remarks.join("; "));
    match &method.cell {
        Some(cell) => format!("    {head:<7} {:<width$} # {remarks}\n", format_scalar(cell)),
        None => format!("    # {head} {remarks}\n"),
    }
}

fn measure_cells(entries: &[PathDraft]) -> usize {
    let methods = entries.iter().flat_map(|entry| match entry {
        PathDraft::Route(route) => route.methods.as_slice(),
        PathDraft::LeftOut { .. } => &[],
    });
    let cells = methods.filter_map(|method| method.cell.as_ref()).map(|cell| format_scalar(cell).chars().count());
    cells.filter(|width| *width <= MAX_ALIGNED_WIDTH).max().unwrap_or(0)
}

fn print_resources(resources: &[String]) -> String {
    let list: String = resources.iter().map(|name| format!("  - {}\n", format_scalar(name))).collect();
    let first = resources.first().map(|name| format_scalar(name)).unwrap_or_default();
    format!(
        "\nresources:\n{list}\n\
         # Who may do what: the rows of the vendor's table, and the roles that hold them. For example:\n#\n\
         # permissions:\n#   Look around:\n#     {first}: R\n#\n# roles:\n#   Visitor: {{ permissions: [Look around] }}\n",
    )
}

fn print_resources_elsewhere(resources: &[String]) -> String {
    let list: String = resources.iter().map(|name| format!("#   - {}\n", format_scalar(name))).collect();
    format!("\n# Another file of this policy lists these under `resources:`, and has its rows and roles:\n{list}")
}

/// Makes a policy's name from a title: `Clinic API (v2)` becomes `clinic-api-v2`.
fn make_slug(title: &str) -> String {
    let title = title.rsplit('/').next().unwrap_or(title);
    let title = [".yaml", ".yml", ".json"].iter().find_map(|end| title.strip_suffix(end)).unwrap_or(title);
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    if slug.is_empty() { "imported".to_owned() } else { slug }
}
