//! Resolution of field sets and shadow mode.

use crate::document::{Finding, FindingCode, Findings};
use crate::policy::model::{FieldSet, Shadow};
use crate::policy::source::{PolicySource, ShadowSource};
use crate::vocabulary::{Cell, Operation};

use super::cells::CellIndex;
use super::names::DefinedNames;

/// The greatest number of field sets: a permit stores the sets to mask as bits of one word.
const MAX_FIELD_SETS: usize = 64;

pub(super) fn resolve_field_sets(
    source: &PolicySource,
    resources: &DefinedNames<'_>,
    cells: &CellIndex<'_>,
    findings: &mut Findings,
) -> Vec<FieldSet> {
    if let Some(excess) = source.fields.get(MAX_FIELD_SETS) {
        let message = format!("a policy has at most {MAX_FIELD_SETS} field sets");
        findings.push(Finding::error(FindingCode::BadValue, Some(excess.name.span), message));
    }
    let mut sets = Vec::with_capacity(source.fields.len());
    for set in &source.fields {
        let mut paths_by_resource: Vec<(Box<str>, Vec<Box<str>>)> = Vec::new();
        for paths in &set.resources {
            resources.resolve(&paths.resource, findings);
            if paths.paths.is_empty() {
                let message = format!("no field of `{}` is named", paths.resource.text);
                findings.push(Finding::error(FindingCode::EmptyValue, Some(paths.resource.span), message));
            }
            for path in &paths.paths {
                if let Err(message) = check_path(&path.text) {
                    let message = format!("`{}` is not a field's path: {message}", path.text);
                    let finding = Finding::error(FindingCode::BadValue, Some(path.span), message);
                    findings.push(finding.help("`$.patient.name` is one place, `$..name` every field of that name"));
                }
            }
            paths_by_resource
                .push((paths.resource.text.clone(), paths.paths.iter().map(|path| path.text.clone()).collect()));
        }
        let read = Cell { operation: Operation::Read, resource: set.name.text.clone() };
        sets.push(FieldSet {
            name: set.name.text.clone(),
            read: cells.known.get(&read).copied(),
            resources: paths_by_resource,
        });
    }
    sets
}

/// Checks a path: `$`, then any number of `.name`, `..name`, `[*]` or `.*` (RFC 9535, the part that streaming supports).
fn check_path(path: &str) -> Result<(), String> {
    let mut rest = path.strip_prefix('$').ok_or("it does not begin with `$`")?;
    if rest.is_empty() {
        return Err("it names the whole answer".to_owned());
    }
    while !rest.is_empty() {
        if let Some(remainder) = rest.strip_prefix("[*]").or_else(|| rest.strip_prefix(".*")) {
            rest = remainder;
            continue;
        }
        let name = rest.strip_prefix("..").or_else(|| rest.strip_prefix('.'));
        let name = name.ok_or_else(|| format!("`{rest}` is no step"))?;
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (step, remainder) = name.split_at(end);
        if step.is_empty() || step.chars().any(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-'))) {
            return Err(format!("`{rest}` names no field"));
        }
        rest = remainder;
    }
    Ok(())
}

pub(super) fn resolve_shadow(source: &PolicySource, resources: &DefinedNames<'_>, findings: &mut Findings) -> Shadow {
    let (shadow, what) = match &source.shadow {
        None => return Shadow::Off,
        Some(ShadowSource::All) => (Shadow::All, "refusals".to_owned()),
        Some(ShadowSource::Resources(names)) => {
            resources.resolve_all(names, findings);
            let listed: Vec<&str> = names.iter().map(|name| &*name.text).collect();
            let what = format!("refusals about {}", listed.join(", "));
            let names = names.iter().map(|name| name.text.clone()).collect();
            (Shadow::Resources(names), what)
        }
    };
    let span = source.shadow_span();
    let finding =
        Finding::note(FindingCode::ShadowMode, span, format!("shadow mode: {what} are counted, and forwarded"));
    findings.push(finding.help("take `shadow:` out to enforce"));
    shadow
}
