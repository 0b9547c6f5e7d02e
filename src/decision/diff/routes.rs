//! Routes: methods that came, went, or need something else, and with whom that was seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::route::{Method, Route, ScopeLocation};
use crate::policy::template::TemplateSegment;
use crate::request::Treatment;
use crate::vocabulary::{Cell, Cells, Subject};

use super::area::ScopeArea;
use super::examples::{ExampleFinder, ProbeRequest, example_of};
use super::indexed::IndexedPolicy;
use super::{AffectedCallers, Change, Direction, Example};

/// MethodSignature: everything of a method that a decision or the edge looks at, by names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MethodSignature<'p> {
    need: NeedSignature<'p>,
    across: BTreeSet<&'p str>,
    when: Option<&'p str>,
    websocket: bool,
    token_from: Option<&'p str>,
    encoded_slash: Option<u16>,
    scopes: BTreeMap<&'p str, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum NeedSignature<'p> {
    All(BTreeSet<&'p Cell>),
    ByType(Vec<(String, BTreeSet<&'p Cell>)>),
    Public,
    Nobody,
}

type MethodsByName<'p> = BTreeMap<(String, &'p str), (&'p Route, &'p Method)>;

pub(super) fn changes(finder: &ExampleFinder<'_, '_>) -> Vec<Change> {
    let folds =
        [finder.old, finder.new].iter().all(|side| side.policy.model.dialect.traits().case == Treatment::Folded);
    let (old, new) = (methods(finder.old, folds), methods(finder.new, folds));
    let mut all = Vec::new();
    let mut callers = Vec::new();
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let (before, after) = (old.get(key), new.get(key));
        let (was, is) =
            (before.map(|one| face(finder.old, one.0, one.1)), after.map(|one| face(finder.new, one.0, one.1)));
        if was == is {
            continue;
        }
        if callers.is_empty() {
            callers = finder.callers();
            callers.insert(0, ("anyone".to_owned(), Subject::anonymous()));
        }
        let Some((route, _)) = after.or(before) else { continue };
        let what = format!("{} {}: {}", key.1, route.template.text(), became(was.as_ref(), is.as_ref()));
        let sides = before.map(|one| (finder.old, one)).into_iter().chain(after.map(|one| (finder.new, one)));
        let mut targets: Vec<ProbeRequest> = sides
            .flat_map(|(side, (route, method))| {
                finder.targets(side, route, method, &ScopeArea::default(), &BTreeMap::new())
            })
            .collect();
        if was.as_ref().and_then(|face| face.encoded_slash) != is.as_ref().and_then(|face| face.encoded_slash) {
            targets.extend(
                targets
                    .clone()
                    .into_iter()
                    .map(|target| ProbeRequest { path: target.path.replace("x1", "x%2F1"), ..target }),
            );
        }
        let found = all.len();
        for direction in [Direction::Gained, Direction::Lost] {
            all.extend(
                seen(finder, &callers, &targets, direction)
                    .map(|(who, example)| Change::said(direction, who, what.as_str(), Some(example))),
            );
        }
        let silent = |face: Option<&MethodSignature<'_>>| face.is_none_or(|face| face.need == NeedSignature::Nobody);
        let refuses = silent(was.as_ref()) && silent(is.as_ref());
        if all.len() == found && refuses && (was.is_none() || is.is_none()) {
            uncovered(finder, &callers, (route, key.1), &what, &mut all);
        }
        if all.len() == found && !refuses {
            let (was, is) = (was.as_ref(), is.as_ref());
            let upgrade = |face: Option<&MethodSignature<'_>>| face.is_some_and(|face| face.websocket);
            let direction = match (upgrade(was), upgrade(is)) {
                (false, true) => Direction::Gained,
                (true, false) => Direction::Lost,
                _ => Direction::Changed,
            };
            all.push(Change::said(direction, AffectedCallers::Callers(Vec::new()), what, None));
        }
    }
    all
}

/// A template that nobody may use came or went: it hides wider templates, which decide where it is missing.
fn uncovered(
    finder: &ExampleFinder<'_, '_>,
    callers: &[(String, Subject)],
    (route, method): (&Route, &str),
    what: &str,
    all: &mut Vec<Change>,
) {
    let mut targets = Vec::new();
    for side in [finder.old, finder.new] {
        let scope = side.policy.model.scopes.iter().position(|scope| scope.caller);
        for wider in side.policy.routes.routes().iter().filter(|wider| wider.template.text() != route.template.text()) {
            let Some(path) = meeting(route.template.segments(), wider.template.segments()) else { continue };
            let tenant = match scope.and_then(|at| wider.scopes.get(at).copied().flatten()) {
                Some(ScopeLocation::Segment(at)) => path.split('/').nth(usize::from(at) + 1).map(str::to_owned),
                _ => None,
            };
            for entry in wider.methods.iter().filter(|entry| &*entry.name == method) {
                let types = match &entry.cells {
                    Cells::ByType(candidates) => candidates.iter().map(|one| Some(example_of(&one.range))).collect(),
                    _ => vec![None],
                };
                targets.extend(types.into_iter().map(|content_type| ProbeRequest {
                    method: method.to_owned(),
                    path: path.clone(),
                    content_type,
                    tenant: tenant.clone(),
                }));
            }
        }
    }
    let found = all.len();
    for direction in [Direction::Gained, Direction::Lost] {
        let seen = seen(finder, callers, &targets, direction);
        all.extend(seen.map(|(who, example)| Change::said(direction, who, what, Some(example))));
    }
    if all.len() == found && !targets.is_empty() {
        all.push(Change::said(Direction::Changed, AffectedCallers::Callers(Vec::new()), what, None));
    }
}

/// A path that both templates match; `None` where there is none.
fn meeting(one: &[TemplateSegment], other: &[TemplateSegment]) -> Option<String> {
    let text = |segment: &TemplateSegment| match segment {
        TemplateSegment::Literal(literal) => literal.to_string(),
        TemplateSegment::Parameter(_) | TemplateSegment::Rest(_) => "x1".to_owned(),
    };
    let (part, behind) = match (one.split_first(), other.split_first()) {
        (None, None) => return Some(String::new()),
        (Some((TemplateSegment::Rest(_), _)), Some(_)) => {
            return Some(other.iter().map(|segment| format!("/{}", text(segment))).collect());
        }
        (Some(_), Some((TemplateSegment::Rest(_), _))) => {
            return Some(one.iter().map(|segment| format!("/{}", text(segment))).collect());
        }
        (Some((first, one)), Some((second, other))) => match (first, second) {
            (TemplateSegment::Literal(first), TemplateSegment::Literal(second))
                if !first.eq_ignore_ascii_case(second) =>
            {
                return None;
            }
            (TemplateSegment::Literal(literal), _) | (_, TemplateSegment::Literal(literal)) => {
                (literal.to_string(), (one, other))
            }
            _ => ("x1".to_owned(), (one, other)),
        },
        _ => return None,
    };
    let rest = meeting(behind.0, behind.1)?;
    Some(format!("/{part}{rest}"))
}

/// Who was seen to gain or lose, the widest only, with one example.
fn seen(
    finder: &ExampleFinder<'_, '_>,
    callers: &[(String, Subject)],
    targets: &[ProbeRequest],
    direction: Direction,
) -> Option<(AffectedCallers, Example)> {
    let mut found: Vec<String> = Vec::new();
    let mut first = None;
    for (name, subject) in callers {
        if found.contains(name) {
            continue;
        }
        let Some(example) = finder.probe(std::slice::from_ref(subject), targets, direction) else { continue };
        let widest = match &**name {
            "anyone" => Some(AffectedCallers::Anyone),
            "everyone" => Some(AffectedCallers::Everyone),
            _ => None,
        };
        if let Some(who) = widest {
            return Some((who, example));
        }
        // Rows by name are told where no role was seen.
        if found.is_empty() || !name.starts_with("whoever") {
            found.push(name.clone());
        }
        first = first.or(Some(example));
    }
    let roles = found.iter().any(|name| name.starts_with("role "));
    found.retain(|name| !roles || !name.starts_with("a token"));
    first.map(|example| {
        (
            if found == ["service apps"] { AffectedCallers::ServiceApps } else { AffectedCallers::Callers(found) },
            example,
        )
    })
}

fn methods<'p>(side: &IndexedPolicy<'p>, folds: bool) -> MethodsByName<'p> {
    let routes = side.policy.routes.routes().iter();
    let each = routes.flat_map(|route| {
        let key = key(route, folds);
        route.methods.iter().map(move |method| ((key.clone(), &*method.name), (route, method)))
    });
    each.collect()
}

/// The template without the names of its parameters.
fn key(route: &Route, folds: bool) -> String {
    let segments = route.template.segments().iter().map(|segment| match segment {
        TemplateSegment::Literal(literal) if folds => literal.to_ascii_lowercase(),
        TemplateSegment::Literal(literal) => literal.to_string(),
        TemplateSegment::Parameter(_) => "{}".to_owned(),
        TemplateSegment::Rest(_) => "{*}".to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}

fn face<'p>(side: &IndexedPolicy<'p>, route: &'p Route, method: &'p Method) -> MethodSignature<'p> {
    let policy = side.policy;
    let set = |cells: &'p [crate::vocabulary::CellId]| {
        cells.iter().filter_map(|cell| policy.cell(*cell)).collect::<BTreeSet<_>>()
    };
    let need = match &method.cells {
        Cells::All(cells) => NeedSignature::All(set(cells)),
        Cells::ByType(candidates) => {
            let mut types: Vec<_> = candidates.iter().map(|one| (one.range.to_string(), set(&one.cells))).collect();
            types.sort();
            NeedSignature::ByType(types)
        }
        Cells::Public => NeedSignature::Public,
        Cells::Nobody => NeedSignature::Nobody,
    };
    let plain = matches!(need, NeedSignature::Public | NeedSignature::Nobody);
    let mut scopes = BTreeMap::new();
    let mut across = BTreeSet::new();
    for (at, (scope, carrier)) in (0_u8..).zip(policy.model.scopes.iter().zip(route.scopes)) {
        let carried = match carrier {
            Some(ScopeLocation::Segment(at)) => Some(format!("segment {at}")),
            Some(ScopeLocation::Query(at)) => {
                route.template.query().get(usize::from(at)).map(|(name, _)| format!("?{name}"))
            }
            None => None,
        };
        if method.across >> at & 1 == 1 && !matches!(carrier, Some(ScopeLocation::Segment(_))) && !plain {
            across.insert(&*scope.name);
        }
        scopes.extend(carried.filter(|_| !plain).map(|carried| (&*scope.name, carried)));
    }
    MethodSignature {
        need,
        across,
        when: method.when.filter(|_| !plain).and_then(|when| policy.condition(when)).map(|when| when.text()),
        websocket: method.websocket,
        token_from: method.token_from.as_deref(),
        encoded_slash: method.encoded_slash,
        scopes,
    }
}

fn became(was: Option<&MethodSignature<'_>>, is: Option<&MethodSignature<'_>>) -> String {
    match (was, is) {
        (None, Some(is)) => format!("new, {}", needs(is, false)),
        (Some(was), None) => format!("gone, it was {}", needs(was, false)),
        (Some(was), Some(is)) => {
            let carried = !was.scopes.is_empty() && !is.scopes.is_empty() && was.scopes != is.scopes;
            let (before, after) = (needs(was, carried), needs(is, carried));
            format!("{before} → {after}")
        }
        (None, None) => String::new(),
    }
}

/// What it needs; what carries its scopes only where that is `carried` otherwise.
fn needs(face: &MethodSignature<'_>, carried: bool) -> String {
    let cells = |cells: &BTreeSet<&Cell>| cells.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let mut text = match &face.need {
        NeedSignature::Public => "public".to_owned(),
        NeedSignature::Nobody => "nobody".to_owned(),
        NeedSignature::All(needed) => cells(needed),
        NeedSignature::ByType(types) => {
            let each = types.iter().map(|(range, needed)| format!("{range}: {}", cells(needed)));
            format!("by type ({})", each.collect::<Vec<_>>().join("; "))
        }
    };
    if !face.across.is_empty() {
        text.push_str(&format!(" across {}", face.across.iter().copied().collect::<Vec<_>>().join(" and ")));
    }
    let list = [
        face.when.map(|when| format!("when {when}")),
        face.websocket.then(|| "WebSocket".to_owned()),
        face.token_from.map(|name| format!("token from ?{name}")),
        face.encoded_slash.map(|at| format!("encoded slash in segment {at}")),
        carried.then(|| {
            let each = face.scopes.iter().map(|(name, carrier)| format!("{name} from {carrier}"));
            each.collect::<Vec<_>>().join(", ")
        }),
    ];
    for part in list.into_iter().flatten() {
        text.push_str(&format!(", {part}"));
    }
    text
}
