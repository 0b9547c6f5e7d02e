//! PathInterpretations: the other paths that a server of a dialect may read in a canonical path.

use std::borrow::Cow;

use crate::policy::route::Route;
use crate::policy::template::{Template, TemplateSegment};
use crate::request::dialect::DialectTraits;
use crate::request::path::is_script_name;
use crate::request::{CanonicalPath, Treatment};
use crate::vocabulary::RouteId;

use super::suffixes::strip_suffixes;

/// PathInterpretations: a dialect's traits, reduced to those that affect the routes of one policy.
#[derive(Debug, Clone)]
pub(super) struct PathInterpretations {
    traits: &'static DialectTraits,
    /// The suffixes that some template has: the dialect's, and with content negotiation all others.
    appended_suffixes: Box<[Box<str>]>,
    /// The most dots of a literal: cutting suffixes beyond that many dots matches the same route.
    max_dots: usize,
}

/// FindRoute: finds another route of a path; with `true`, only a route whose last segment the policy spells.
type FindRoute<'a> = &'a dyn Fn(&str, bool) -> Option<RouteId>;

/// InterpretationStep: the paths that a server reads if it ignores one more feature; none if the path lacks it.
type InterpretationStep = for<'p> fn(&'p str, &DialectTraits) -> Vec<Cow<'p, str>>;

/// The optional steps of a server, in order. A trailing slash can hide an index file, and removing an index file can
/// leave one.
const STEPS: [InterpretationStep; 5] =
    [decode_slashes, skip_scripts, skip_trailing_slash, skip_index_file, skip_trailing_slash];

impl PathInterpretations {
    pub(super) fn new(traits: &'static DialectTraits, routes: &[Route]) -> Self {
        let patterns: Vec<String> = routes.iter().map(|route| route.template.pattern(true)).collect();
        let has = |suffix: &&str| patterns.iter().any(|text| text.len() > suffix.len() && text.ends_with(*suffix));
        let mut appended_suffixes: Vec<Box<str>> =
            traits.appended_suffixes.iter().filter(|suffix| has(suffix)).map(|&text| text.into()).collect();
        if traits.content_negotiation == Treatment::Either {
            appended_suffixes.extend(routes.iter().flat_map(|route| literal_suffixes(&route.template)));
        }
        appended_suffixes.sort();
        appended_suffixes.dedup();
        let count_dots = |segment: &TemplateSegment| match segment {
            TemplateSegment::Literal(literal) => literal.matches('.').count(),
            _ => 0,
        };
        let max_dots = routes.iter().flat_map(|route| route.template.segments()).map(count_dots).max().unwrap_or(0);
        Self { traits, appended_suffixes: appended_suffixes.into(), max_dots }
    }

    /// Whether a path has no other interpretation: it is plain, and no template has an appended suffix.
    pub(super) fn is_unambiguous(&self, path: &CanonicalPath<'_>) -> bool {
        path.is_plain() && self.appended_suffixes.is_empty()
    }

    /// The first route that `find_route` finds for another interpretation of a path that matched `id` by `template`.
    pub(super) fn find_other_route(
        &self,
        text: &str,
        template: &Template,
        id: RouteId,
        find_route: FindRoute<'_>,
    ) -> Option<RouteId> {
        let cuts = ["/", "%2F"].map(|slash| strip_streams(text, template, self.traits, slash));
        let mut texts = std::iter::once(text).chain(cuts.iter().flatten().map(String::as_str));
        texts.find_map(|text| {
            if self.traits.script_path_info == Treatment::Either && runs_unlisted_script(text, template) {
                // No template describes the resource that the script would serve.
                return Some(id);
            }
            self.try_steps(&STEPS, text, template.ends_in_literal(), find_route)
        })
    }

    fn try_steps(
        &self,
        steps: &[InterpretationStep],
        text: &str,
        is_literal: bool,
        find_route: FindRoute<'_>,
    ) -> Option<RouteId> {
        let Some((step, rest)) = steps.split_first() else { return self.try_stems(text, is_literal, find_route) };
        let taken =
            || step(text, self.traits).iter().find_map(|text| self.try_steps(rest, text, is_literal, find_route));
        self.try_steps(rest, text, is_literal, find_route).or_else(taken)
    }

    /// The last steps of a server: it strips a suffix, or looks for a file with an appended suffix.
    fn try_stems(&self, text: &str, is_literal: bool, find_route: FindRoute<'_>) -> Option<RouteId> {
        let stems =
            strip_suffixes(text).take(if self.traits.extensions == Treatment::Either { self.max_dots + 1 } else { 0 });
        std::iter::once(text).chain(stems).find_map(|text| {
            find_route(text, false).or_else(|| self.try_appended_suffixes(text, is_literal, find_route))
        })
    }

    /// Tries appended suffixes; a path whose last segment the policy spells has none.
    fn try_appended_suffixes(&self, text: &str, is_literal: bool, find_route: FindRoute<'_>) -> Option<RouteId> {
        if is_literal || self.appended_suffixes.is_empty() {
            return None;
        }
        let stem = text.strip_suffix('/').unwrap_or(text);
        let whole = self.appended_suffixes.iter().find_map(|suffix| find_route(&format!("{stem}{suffix}"), true));
        whole.or_else(|| {
            // A script that content negotiation finds runs with the rest of the path.
            let ends = stem.match_indices('/').skip(1).filter(|_| self.traits.content_negotiation == Treatment::Either);
            let mut stems = ends.filter_map(|(at, _)| stem.get(..at));
            stems.find_map(|stem| {
                let mut scripts = self.appended_suffixes.iter().filter(|suffix| is_script_name(&format!("x{suffix}")));
                scripts.find_map(|suffix| find_route(&format!("{stem}{suffix}"), true))
            })
        })
    }
}

/// The suffixes of a template's last segment, each from a dot to the end, in lower case.
fn literal_suffixes(template: &Template) -> impl Iterator<Item = Box<str>> {
    let last = match template.segments().last() {
        Some(TemplateSegment::Literal(last)) => last,
        _ => "",
    };
    let dots = last.match_indices('.').filter(|(at, _)| *at > 0);
    dots.filter_map(|(at, _)| last.get(at..)).map(|text| text.to_ascii_lowercase().into())
}

fn decode_slashes<'p>(text: &'p str, traits: &DialectTraits) -> Vec<Cow<'p, str>> {
    let decodes = traits.encoded_slashes == Treatment::Either && text.contains("%2F");
    Vec::from_iter(decodes.then(|| text.replace("%2F", "/").into()))
}

/// The paths behind a script: an application behind `/index.php` reads `/index.php/secret` as `/secret`.
///
/// A path may name several scripts; any of them may run, and also one inside the rest of another.
fn skip_scripts<'p>(text: &'p str, traits: &DialectTraits) -> Vec<Cow<'p, str>> {
    let mut found = Vec::new();
    if traits.script_path_info != Treatment::Either {
        return found;
    }
    for (end, _) in text.match_indices('/').skip(1) {
        let Some((before, rest)) = text.split_at_checked(end) else { continue };
        let Some((folder, name)) = before.rsplit_once('/') else { continue };
        if is_script_name(name) {
            let rest = format!("{folder}{rest}");
            found.extend(skip_scripts(&rest, traits).into_iter().map(|text| text.into_owned().into()));
            found.push(rest.into());
        }
    }
    found
}

fn skip_index_file<'p>(text: &'p str, traits: &DialectTraits) -> Vec<Cow<'p, str>> {
    let found = text.rsplit_once('/').filter(|_| traits.index_files == Treatment::Either);
    let folder = found.and_then(|(folder, file)| {
        let stem = file.split('.').next().filter(|stem| stem.len() < file.len())?;
        let is_index = stem.eq_ignore_ascii_case("index") || stem.eq_ignore_ascii_case("default");
        let slash = folder.is_empty() || traits.trailing_slash != Treatment::Folded;
        text.get(..folder.len() + usize::from(slash)).filter(|_| is_index)
    });
    Vec::from_iter(folder.map(Cow::Borrowed))
}

/// The path without a trailing slash. Under a dialect that folds it, only a decoded slash can remain.
fn skip_trailing_slash<'p>(text: &'p str, traits: &DialectTraits) -> Vec<Cow<'p, str>> {
    let bare = text.strip_suffix('/').filter(|bare| !bare.is_empty());
    Vec::from_iter(bare.filter(|_| traits.trailing_slash != Treatment::Exact).map(Cow::Borrowed))
}

/// The path without NTFS streams, the text after `:` in segments that the template does not spell.
///
/// A stream without a name before it belongs to the folder. `slash` ends a name besides `/`: servers that decode `%2F` do
/// so first.
fn strip_streams(text: &str, template: &Template, traits: &DialectTraits, slash: &str) -> Option<String> {
    if traits.ntfs_streams != Treatment::Either || !text.contains(':') || !text.contains(slash) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    for (at, segment) in text.split('/').skip(1).enumerate() {
        if !out.ends_with('/') {
            out.push('/');
        }
        if matches!(template.segments().get(at), Some(TemplateSegment::Literal(_))) {
            out.push_str(segment);
            continue;
        }
        let start = out.len();
        for (at, part) in segment.split(slash).enumerate() {
            if at > 0 && out.len() > start && !out.ends_with(slash) {
                out.push_str(slash);
            }
            out.push_str(part.split_once(':').map_or(part, |(name, _)| trim_trailing_dots(name)));
        }
    }
    if traits.trailing_slash == Treatment::Folded && out.len() > 1 && out.ends_with('/') {
        out.pop();
    }
    Some(out)
}

/// A canonical name as Windows opens it: without trailing dots and spaces, in any order.
fn trim_trailing_dots(mut name: &str) -> &str {
    while let Some(shorter) = name.strip_suffix("%20").or_else(|| name.strip_suffix('.')) {
        name = shorter;
    }
    name
}

/// Whether a script that the template does not spell would run with the rest of the path.
fn runs_unlisted_script(text: &str, template: &Template) -> bool {
    let literal = |at: usize| matches!(template.segments().get(at), Some(TemplateSegment::Literal(_)));
    // An encoded slash counts as a slash: the script may be before it.
    let segments = text.split('/').skip(1).enumerate();
    let mut parts = segments.flat_map(|(at, segment)| segment.split("%2F").map(move |part| (at, part))).peekable();
    while let Some((at, part)) = parts.next() {
        if parts.peek().is_some() && is_script_name(part) && !literal(at) {
            return true;
        }
    }
    false
}
