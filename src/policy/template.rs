//! Template: the path pattern of a route.

use crate::document::{Finding, FindingCode};
use crate::request::{Dialect, RejectedRequest, Treatment, path};

use super::source::Spanned;

/// Template: literal segments and parameters, and the query parameters that carry scopes.
#[derive(Debug, Clone)]
pub struct Template {
    text: Box<str>,
    segments: Box<[TemplateSegment]>,
    query: Box<[QueryScope]>,
}

/// QueryScope: a query parameter and the scope that it carries.
pub type QueryScope = (Box<str>, Box<str>);

/// TemplateSegment: one part of a template between two slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateSegment {
    /// A literal segment in canonical spelling.
    Literal(Box<str>),
    /// `{name}`: one non-empty segment.
    Parameter(Box<str>),
    /// `{*name}`: the non-empty rest of the path.
    Rest(Box<str>),
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// The text is invalid, or would not match the paths that it appears to match.
    pub(super) fn read(input: &Spanned, dialect: Dialect) -> Result<Self, Finding> {
        let bad = |message: String| Finding::error(FindingCode::BadRoute, Some(input.span), message);
        let whole = &*input.text;
        let (text, remainder) = whole.split_once('?').map_or((whole, None), |(path, query)| (path, Some(query)));
        let Some(inner) = text.strip_prefix('/') else {
            return Err(bad(format!("the route `{text}` does not begin with `/`")));
        };
        let query = remainder.map_or(Ok(Vec::new()), parse_query_scopes).map_err(|message| {
            let finding = bad(format!("the route `{whole}`: {message}"));
            finding.help("after `?` name the scope that a parameter carries: `/collections?workspace={workspace}`")
        })?;
        if dialect.traits().trailing_slash == Treatment::Folded && text.len() > 1 && text.ends_with('/') {
            let finding = bad(format!("the route `{text}` ends in a slash, which an upstream of this dialect ignores"));
            return Err(finding.help("take the slash out: the path matches with and without it"));
        }
        let count = inner.split('/').count();
        let mut segments = Vec::with_capacity(count);
        for (at, part) in inner.split('/').enumerate() {
            let segment = parse_segment(part, at + 1 == count).map_err(|(message, help)| {
                let finding = bad(format!("the route `{text}`: {message}"));
                if help.is_empty() { finding } else { finding.help(help) }
            })?;
            if let TemplateSegment::Parameter(name) | TemplateSegment::Rest(name) = &segment
                && segments.iter().any(|known| matches!(known, TemplateSegment::Parameter(known) if known == name))
            {
                return Err(bad(format!("the route `{text}` has two parameters `{name}`")));
            }
            segments.push(segment);
        }
        Ok(Self { text: whole.into(), segments: segments.into(), query: query.into() })
    }

    /// The query parameters that carry scopes, with the scopes' names.
    pub fn query(&self) -> &[QueryScope] {
        &self.query
    }

    /// The template as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The segments in order.
    pub fn segments(&self) -> &[TemplateSegment] {
        &self.segments
    }

    /// Whether the last segment is a literal.
    pub(super) fn ends_in_literal(&self) -> bool {
        matches!(self.segments.last(), Some(TemplateSegment::Literal(_)))
    }

    /// The index of the parameter `name` among the segments.
    pub fn parameter(&self, name: &str) -> Option<usize> {
        self.segments
            .iter()
            .position(|segment| matches!(segment, TemplateSegment::Parameter(known) if &**known == name))
    }

    /// The template as a matchit pattern; parameters are numbered, so that templates with other names compare equal.
    pub(super) fn pattern(&self, fold: bool) -> String {
        let mut out = String::with_capacity(self.text.len());
        for (at, segment) in self.segments.iter().enumerate() {
            out.push('/');
            match segment {
                TemplateSegment::Literal(literal) if fold => out.push_str(&literal.to_ascii_lowercase()),
                TemplateSegment::Literal(literal) => out.push_str(literal),
                TemplateSegment::Parameter(_) => out.push_str(&format!("{{p{at}}}")),
                TemplateSegment::Rest(_) => out.push_str(&format!("{{*p{at}}}")),
            }
        }
        out
    }

    /// Writes the path to forward: literals as the policy spells them, values as the request does.
    pub fn write_path(&self, path: &str, out: &mut String) {
        let mut rest = path.strip_prefix('/').unwrap_or(path);
        for segment in &self.segments {
            let (value, remainder) = rest.split_once('/').unwrap_or((rest, ""));
            out.push('/');
            match segment {
                TemplateSegment::Literal(literal) => out.push_str(literal),
                TemplateSegment::Parameter(_) => out.push_str(value),
                TemplateSegment::Rest(_) => {
                    out.push_str(rest);
                    return;
                }
            }
            rest = remainder;
        }
    }
}

/// Parses `workspace={workspace}&site={tenant}`: parameters and the scopes that they carry.
fn parse_query_scopes(query: &str) -> Result<Vec<QueryScope>, String> {
    let mut found: Vec<QueryScope> = Vec::new();
    for part in query.split('&') {
        let (parameter, value) = part.split_once('=').unwrap_or((part, ""));
        let scope = value.strip_prefix('{').and_then(|value| value.strip_suffix('}'));
        let scope = scope.filter(|scope| is_name(scope)).ok_or_else(|| format!("`{part}` names no scope"))?;
        if !is_name(parameter) {
            return Err(format!("`{parameter}` is not a parameter of letters, digits, `-` and `_`"));
        }
        if found.iter().any(|(known, named)| crate::request::query::is_same_name(known, parameter) || **named == *scope)
        {
            return Err(format!("`{part}` occurs twice"));
        }
        found.push((parameter.into(), scope.into()));
    }
    Ok(found)
}

/// Whether a text is a valid name of a parameter.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn parse_segment(part: &str, last: bool) -> Result<TemplateSegment, (String, &'static str)> {
    if part.is_empty() {
        // The root, or a trailing slash.
        return if last {
            Ok(TemplateSegment::Literal("".into()))
        } else {
            Err(("it has an empty segment".into(), "take one slash out"))
        };
    }
    if part.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err((
            format!("`{part}` contains a space"),
            "clients write a space in a path as `%20`; name a parameter instead",
        ));
    }
    if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        let (name, rest) = name.strip_prefix('*').map_or((name, false), |name| (name, true));
        return match (is_name(name), rest) {
            (false, _) => Err((
                format!("`{part}` is not a parameter"),
                "a parameter is letters, digits, `-` and `_` in braces: `{patient}`",
            )),
            (true, true) if !last => {
                Err((format!("`{part}` is not at the end"), "only the last segment may take the rest of the path"))
            }
            (true, true) => Ok(TemplateSegment::Rest(name.into())),
            (true, false) => Ok(TemplateSegment::Parameter(name.into())),
        };
    }
    if part.contains(['{', '}']) {
        return Err((format!("`{part}` mixes text and a parameter"), "a parameter is a whole segment: `/{patient}/`"));
    }
    if part.starts_with(':') {
        return Err((format!("`{part}` would match the text `{part}` only"), "a parameter is written `{name}`"));
    }
    if part.contains('*') {
        return Err((
            format!("`{part}` would match a literal `*`"),
            "write `{name}` for one segment, `{*name}` for the rest of the path",
        ));
    }
    if part.contains('%') {
        return Err((format!("`{part}` is percent-encoded"), "write the character itself"));
    }
    if !part.is_ascii() {
        // Case-insensitive servers fold non-ASCII letters too, each by its own tables.
        return Err((format!("`{part}` contains a non-ASCII letter"), "name a parameter instead"));
    }
    let encoded = path::encode_segment(part);
    let probe = format!("/{encoded}");
    match path::CanonicalPath::read(probe.as_bytes(), Dialect::Strict) {
        Ok(_) => Ok(TemplateSegment::Literal(encoded.into())),
        Err(rejected) => Err((format!("no request reaches `{part}`: {}", rejection_message(rejected)), "")),
    }
}

fn rejection_message(rejected: RejectedRequest) -> String {
    format!("such a path is refused ({})", rejected.code())
}

#[cfg(test)]
mod tests;
