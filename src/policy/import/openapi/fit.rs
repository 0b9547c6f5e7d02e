//! Fits a document's path to a template of the policy language, or reports why it cannot be one.

use crate::document::{Finding, FindingCode, Span};
use crate::policy::import::yaml::MAX_NAME_LENGTH;
use crate::policy::source::Spanned;
use crate::policy::template::Template;
use crate::request::Dialect;

/// FittedPath: a document's path as a policy template.
#[derive(Debug)]
pub(super) struct FittedPath {
    pub(super) template: String,
    /// The pattern of the template, regardless of parameter names and case.
    pub(super) pattern: String,
}

/// Fits `path` to a template; parameters get names that the policy language allows.
pub(super) fn fit_path(path: &str, span: Span) -> Result<FittedPath, Box<Finding>> {
    let bad = |message: String| Box::new(Finding::error(FindingCode::BadRoute, Some(span), message));
    if path.len() > MAX_NAME_LENGTH {
        return Err(bad("the path is longer than a route can be".to_owned()));
    }
    if path.contains(['?', '#']) {
        let finding = bad(format!("the path `{path}` holds a query or a fragment"));
        return Err(Box::new(finding.help("one route covers a path whatever its query is: merge what they need")));
    }
    if let Some(part) = path.split('/').find(|part| part.matches('{').count() > 1) {
        let finding = bad(format!("the path `{path}`: `{part}` mixes parameters"));
        return Err(Box::new(finding.help("a parameter is a whole segment: `/{patient}/`")));
    }
    let mut names: Vec<String> = Vec::new();
    let parts: Vec<String> = path
        .split('/')
        .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(inner) if !inner.contains(['{', '}']) => format_parameter(inner, &mut names),
            _ => part.to_owned(),
        })
        .collect();
    let text = parts.join("/");
    let written = Spanned { text: text.as_str().into(), span };
    let template = Template::read(&written, Dialect::Strict).map_err(Box::new)?;
    Ok(FittedPath { pattern: template.pattern(true), template: text })
}

/// Formats a parameter for a template, without characters that names do not allow.
///
/// Framework notation around a name (`{*path}`, `{path+}`, `{id:int}`) is removed or translated.
fn format_parameter(inner: &str, names: &mut Vec<String>) -> String {
    let name = inner.split([':', '=']).next().unwrap_or_default();
    let rest = name.starts_with('*') || name.ends_with('+');
    let cleaned: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let cleaned = cleaned.trim_matches('-').trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let stem = if cleaned.is_empty() { "p" } else { cleaned };
    let mut unique = stem.to_owned();
    let mut number = 2;
    while names.contains(&unique) {
        unique = format!("{stem}-{number}");
        number += 1;
    }
    names.push(unique.clone());
    if rest { format!("{{*{unique}}}") } else { format!("{{{unique}}}") }
}

#[cfg(test)]
mod tests;
