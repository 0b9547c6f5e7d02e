//! PathInterpretations: what else the server of a dialect may take a canonical path for.

use std::borrow::Cow;

use crate::policy::template::{Template, TemplateSegment};
use crate::request::dialect::DialectTraits;
use crate::request::path::is_script;
use crate::request::{CanonicalPath, Treatment};
use crate::vocabulary::RouteId;

use super::Route;

/// PathInterpretations: a dialect's traits, and what of them can matter to the routes of one policy.
#[derive(Debug, Clone)]
pub(super) struct PathInterpretations {
    traits: &'static DialectTraits,
    /// The endings that some template has: the dialect's, and where it negotiates all others.
    endings: Box<[Box<str>]>,
    /// No literal holds more dots: behind so many, every cut of a suffix reaches the same route.
    dots: usize,
}

/// Another route that a path reaches; for files that are looked for only one that the policy names.
type FindRoute<'a> = &'a dyn Fn(&str, bool) -> Option<RouteId>;

/// The paths that a server may read which overlooks or finds one thing more; none where there is no such thing.
type InterpretationStep = for<'p> fn(&'p str, &DialectTraits) -> Vec<Cow<'p, str>>;

/// The steps, each of which a server may take or not, in this order. A slash at the end can hide an index file and can
/// be left by one.
const STEPS: [InterpretationStep; 5] =
    [slashes_decoded, scripts_overlooked, end_slash_overlooked, index_overlooked, end_slash_overlooked];

impl PathInterpretations {
    pub(super) fn of(traits: &'static DialectTraits, routes: &[Route]) -> Self {
        let patterns: Vec<String> = routes.iter().map(|route| route.template.pattern(true)).collect();
        let has = |ending: &&str| patterns.iter().any(|text| text.len() > ending.len() && text.ends_with(*ending));
        let mut endings: Vec<Box<str>> =
            traits.endings.iter().filter(|ending| has(ending)).map(|&text| text.into()).collect();
        if traits.negotiation == Treatment::Either {
            endings.extend(routes.iter().flat_map(|route| suffixes(&route.template)));
        }
        endings.sort();
        endings.dedup();
        let dots = |segment: &TemplateSegment| match segment {
            TemplateSegment::Literal(literal) => literal.matches('.').count(),
            _ => 0,
        };
        let dots = routes.iter().flat_map(|route| route.template.segments()).map(dots).max().unwrap_or(0);
        Self { traits, endings: endings.into(), dots }
    }

    /// Whether there is nothing in a path, and no template, that any of them could begin with.
    pub(super) fn has_none_of(&self, path: &CanonicalPath<'_>) -> bool {
        path.is_plain() && self.endings.is_empty()
    }

    /// The first route that `reach` finds for another reading of a path that reached `id` by `template`.
    pub(super) fn other(&self, text: &str, template: &Template, id: RouteId, reach: FindRoute<'_>) -> Option<RouteId> {
        let cuts = ["/", "%2F"].map(|slash| streams_cut(text, template, self.traits, slash));
        let mut texts = std::iter::once(text).chain(cuts.iter().flatten().map(String::as_str));
        texts.find_map(|text| {
            if self.traits.scripts == Treatment::Either && runs_unlisted_script(text, template) {
                // Which resource that is stands in no template.
                return Some(id);
            }
            self.walk(&STEPS, text, template.ends_in_literal(), reach)
        })
    }

    fn walk(&self, steps: &[InterpretationStep], text: &str, named: bool, reach: FindRoute<'_>) -> Option<RouteId> {
        let Some((step, behind)) = steps.split_first() else { return self.end(text, named, reach) };
        let taken = || step(text, self.traits).iter().find_map(|text| self.walk(behind, text, named, reach));
        self.walk(behind, text, named, reach).or_else(taken)
    }

    /// The last things that a server does to a path: it cuts a suffix off, or looks for a file with another ending.
    fn end(&self, text: &str, named: bool, reach: FindRoute<'_>) -> Option<RouteId> {
        let stems = suffixes_cut(text).take(if self.traits.suffixes == Treatment::Either { self.dots + 1 } else { 0 });
        std::iter::once(text)
            .chain(stems)
            .find_map(|text| reach(text, false).or_else(|| self.ended(text, named, reach)))
    }

    /// Of a path that the policy names no file with another ending is meant.
    fn ended(&self, text: &str, named: bool, reach: FindRoute<'_>) -> Option<RouteId> {
        if named || self.endings.is_empty() {
            return None;
        }
        let stem = text.strip_suffix('/').unwrap_or(text);
        let whole = self.endings.iter().find_map(|ending| reach(&format!("{stem}{ending}"), true));
        whole.or_else(|| {
            // A script that is found so runs with the rest of the path.
            let ends = stem.match_indices('/').skip(1).filter(|_| self.traits.negotiation == Treatment::Either);
            let mut stems = ends.filter_map(|(at, _)| stem.get(..at));
            stems.find_map(|stem| {
                let mut scripts = self.endings.iter().filter(|ending| is_script(&format!("x{ending}")));
                scripts.find_map(|ending| reach(&format!("{stem}{ending}"), true))
            })
        })
    }
}

/// What stands behind each dot of a template's last segment, the dot included, in small letters.
fn suffixes(template: &Template) -> impl Iterator<Item = Box<str>> {
    let last = match template.segments().last() {
        Some(TemplateSegment::Literal(last)) => last,
        _ => "",
    };
    let dots = last.match_indices('.').filter(|(at, _)| *at > 0);
    dots.filter_map(|(at, _)| last.get(at..)).map(|text| text.to_ascii_lowercase().into())
}

/// The path as the loosest server reads it whose suffixes begin at the first dot: for comparing templates.
pub(in crate::policy) fn loosest(text: &str) -> &str {
    let text = text.strip_suffix('/').filter(|text| !text.is_empty()).unwrap_or(text);
    suffixes_cut(text).next().unwrap_or(text)
}

/// The path up to each dot of its last segment.
fn suffixes_cut(text: &str) -> impl Iterator<Item = &str> {
    let last = text.rfind('/').map_or(0, |at| at + 1);
    let dots = text.match_indices('.').map(|(at, _)| at);
    dots.filter(move |at| *at > last).filter_map(|at| text.get(..at))
}

fn slashes_decoded<'p>(text: &'p str, traits: &DialectTraits) -> Vec<Cow<'p, str>> {
    let decodes = traits.encoded_slashes == Treatment::Either && text.contains("%2F");
    Vec::from_iter(decodes.then(|| text.replace("%2F", "/").into()))
}

/// `/index.php/secret` is `/secret` to what runs behind the script. A path may name several scripts: any of them may run,
/// and so may one behind another.
fn scripts_overlooked<'p>(text: &'p str, traits: &DialectTraits) -> Vec<Cow<'p, str>> {
    let mut found = Vec::new();
    if traits.scripts != Treatment::Either {
        return found;
    }
    for (end, _) in text.match_indices('/').skip(1) {
        let Some((before, behind)) = text.split_at_checked(end) else { continue };
        let Some((folder, name)) = before.rsplit_once('/') else { continue };
        if is_script(name) {
            let rest = format!("{folder}{behind}");
            found.extend(scripts_overlooked(&rest, traits).into_iter().map(|text| text.into_owned().into()));
            found.push(rest.into());
        }
    }
    found
}

fn index_overlooked<'p>(text: &'p str, traits: &DialectTraits) -> Vec<Cow<'p, str>> {
    let found = text.rsplit_once('/').filter(|_| traits.index_files == Treatment::Either);
    let folder = found.and_then(|(folder, file)| {
        let stem = file.split('.').next().filter(|stem| stem.len() < file.len())?;
        let is_index = stem.eq_ignore_ascii_case("index") || stem.eq_ignore_ascii_case("default");
        let slash = folder.is_empty() || traits.end_slash != Treatment::Folded;
        text.get(..folder.len() + usize::from(slash)).filter(|_| is_index)
    });
    Vec::from_iter(folder.map(Cow::Borrowed))
}

/// A dialect that folds the slash at the end has none left, but a decoded one.
fn end_slash_overlooked<'p>(text: &'p str, traits: &DialectTraits) -> Vec<Cow<'p, str>> {
    let bare = text.strip_suffix('/').filter(|bare| !bare.is_empty());
    Vec::from_iter(bare.filter(|_| traits.end_slash != Treatment::Exact).map(Cow::Borrowed))
}

/// The path with no name's text behind `:`, where the template does not spell that segment. A stream without a name
/// before it is the folder's. Beside `/`, `slash` ends a name: servers that decode `%2F` do so first.
fn streams_cut(text: &str, template: &Template, traits: &DialectTraits, slash: &str) -> Option<String> {
    if traits.streams != Treatment::Either || !text.contains(':') || !text.contains(slash) {
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
            out.push_str(part.split_once(':').map_or(part, |(name, _)| without_end_dots(name)));
        }
    }
    if traits.end_slash == Treatment::Folded && out.len() > 1 && out.ends_with('/') {
        out.pop();
    }
    Some(out)
}

/// A canonical name as Windows opens it: dots and blanks at its end do not count, in whatever order they stand.
fn without_end_dots(mut name: &str) -> &str {
    while let Some(shorter) = name.strip_suffix("%20").or_else(|| name.strip_suffix('.')) {
        name = shorter;
    }
    name
}

/// Whether a script that the template does not name would run with the rest of the path.
fn runs_unlisted_script(text: &str, template: &Template) -> bool {
    let literal = |at: usize| matches!(template.segments().get(at), Some(TemplateSegment::Literal(_)));
    // An encoded slash is one here: the script may stand before it.
    let segments = text.split('/').skip(1).enumerate();
    let mut parts = segments.flat_map(|(at, segment)| segment.split("%2F").map(move |part| (at, part))).peekable();
    while let Some((at, part)) = parts.next() {
        if parts.peek().is_some() && is_script(part) && !literal(at) {
            return true;
        }
    }
    false
}
