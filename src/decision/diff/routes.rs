//! Routes: methods that were added, removed or changed, and the callers that this affects.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::route::{Method, Route, ScopeLocation};
use crate::policy::template::TemplateSegment;
use crate::request::Treatment;
use crate::vocabulary::{Cell, CellId, Cells, Subject};

use super::area::ScopeArea;
use super::change::{AffectedCallers, Change, Direction, Example};
use super::examples::ExampleFinder;
use super::indexed::IndexedPolicy;
use super::probe::{ProbeRequest, SEGMENT_VALUE, probe_requests, response_types};

/// A [`SEGMENT_VALUE`] with an encoded slash.
const ENCODED_SEGMENT_VALUE: &str = "x%2F1";

/// MethodSignature: the properties of a method that a decision or the gateway uses, by names.
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

/// NeedSignature: the cells that a method needs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum NeedSignature<'p> {
    All(BTreeSet<&'p Cell>),
    ByType(Vec<(String, BTreeSet<&'p Cell>)>),
    Public,
    Nobody,
}

/// MethodsByName: the methods of a policy, by the key of their template and their name.
type MethodsByName<'p> = BTreeMap<(String, &'p str), (&'p Route, &'p Method)>;

/// Compares the methods of every route.
pub(super) fn compare_routes(finder: &ExampleFinder<'_, '_>) -> Vec<Change> {
    let folds =
        [finder.old, finder.new].iter().all(|indexed| indexed.policy.model.dialect.traits().case == Treatment::Folded);
    let (old, new) = (methods_by_name(finder.old, folds), methods_by_name(finder.new, folds));
    let mut all = Vec::new();
    let mut callers = Vec::new();
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let (before, after) = (old.get(key), new.get(key));
        let earlier = before.map(|one| method_signature(finder.old, one.0, one.1));
        let later = after.map(|one| method_signature(finder.new, one.0, one.1));
        if earlier == later {
            continue;
        }
        if callers.is_empty() {
            callers = finder.named_callers();
            callers.insert(0, ("anyone".to_owned(), Subject::anonymous()));
        }
        let Some((route, _)) = after.or(before) else { continue };
        let what =
            format!("{} {}: {}", key.1, route.template.text(), describe_change(earlier.as_ref(), later.as_ref()));
        let policies = before.map(|one| (finder.old, one)).into_iter().chain(after.map(|one| (finder.new, one)));
        let mut requests: Vec<ProbeRequest> = policies
            .flat_map(|(indexed, (route, method))| {
                probe_requests(indexed, route, method, &ScopeArea::default(), &BTreeMap::new())
            })
            .collect();
        let encoded_slash = |one: &Option<MethodSignature<'_>>| one.as_ref().and_then(|one| one.encoded_slash);
        if encoded_slash(&earlier) != encoded_slash(&later) {
            let encoded = requests.clone().into_iter().map(|request| {
                let path = request.path.replace(SEGMENT_VALUE, ENCODED_SEGMENT_VALUE);
                ProbeRequest { path, ..request }
            });
            requests.extend(encoded);
        }
        let before_search = all.len();
        for direction in [Direction::Gained, Direction::Lost] {
            all.extend(
                find_affected(finder, &callers, &requests, direction)
                    .map(|(who, example)| Change::sentence(direction, who, what.as_str(), Some(example))),
            );
        }
        let is_closed = |one: Option<&MethodSignature<'_>>| one.is_none_or(|one| one.need == NeedSignature::Nobody);
        let refuses = is_closed(earlier.as_ref()) && is_closed(later.as_ref());
        if all.len() == before_search && refuses && (earlier.is_none() || later.is_none()) {
            compare_wider_routes(finder, &callers, (route, key.1), &what, &mut all);
        }
        if all.len() == before_search && !refuses {
            let upgrades = |one: Option<&MethodSignature<'_>>| one.is_some_and(|one| one.websocket);
            let direction = match (upgrades(earlier.as_ref()), upgrades(later.as_ref())) {
                (false, true) => Direction::Gained,
                (true, false) => Direction::Lost,
                _ => Direction::Changed,
            };
            all.push(Change::sentence(direction, AffectedCallers::Callers(Vec::new()), what, None));
        }
    }
    all
}

/// Compares the requests of a template that is closed to every caller and that only one policy has.
///
/// Such a template hides wider templates; without it, these decide.
fn compare_wider_routes(
    finder: &ExampleFinder<'_, '_>,
    callers: &[(String, Subject)],
    (route, method): (&Route, &str),
    what: &str,
    all: &mut Vec<Change>,
) {
    let mut requests = Vec::new();
    for indexed in [finder.old, finder.new] {
        let scope = indexed.policy.model.scopes.iter().position(|scope| scope.caller);
        for wider in
            indexed.policy.routes.routes().iter().filter(|wider| wider.template.text() != route.template.text())
        {
            let Some(path) = overlapping_path(route.template.segments(), wider.template.segments()) else { continue };
            let tenant = match scope.and_then(|at| wider.scopes.get(at).copied().flatten()) {
                Some(ScopeLocation::Segment(at)) => path.split('/').nth(usize::from(at) + 1).map(str::to_owned),
                _ => None,
            };
            for entry in wider.methods.iter().filter(|entry| &*entry.name == method) {
                requests.extend(response_types(entry).into_iter().map(|content_type| ProbeRequest {
                    method: method.to_owned(),
                    path: path.clone(),
                    content_type,
                    tenant: tenant.clone(),
                }));
            }
        }
    }
    let before_search = all.len();
    for direction in [Direction::Gained, Direction::Lost] {
        let affected = find_affected(finder, callers, &requests, direction);
        all.extend(affected.map(|(who, example)| Change::sentence(direction, who, what, Some(example))));
    }
    if all.len() == before_search && !requests.is_empty() {
        all.push(Change::sentence(Direction::Changed, AffectedCallers::Callers(Vec::new()), what, None));
    }
}

/// A path that both templates match; `None` if there is none.
fn overlapping_path(one: &[TemplateSegment], other: &[TemplateSegment]) -> Option<String> {
    let text = |segment: &TemplateSegment| match segment {
        TemplateSegment::Literal(literal) => literal.to_string(),
        TemplateSegment::Parameter(_) | TemplateSegment::Rest(_) => SEGMENT_VALUE.to_owned(),
    };
    let (part, rest) = match (one.split_first(), other.split_first()) {
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
            _ => (SEGMENT_VALUE.to_owned(), (one, other)),
        },
        _ => return None,
    };
    let rest = overlapping_path(rest.0, rest.1)?;
    Some(format!("/{part}{rest}"))
}

/// Finds the callers that gain or lose, with one example; only the largest set if there is one.
fn find_affected(
    finder: &ExampleFinder<'_, '_>,
    callers: &[(String, Subject)],
    requests: &[ProbeRequest],
    direction: Direction,
) -> Option<(AffectedCallers, Example)> {
    let mut found: Vec<String> = Vec::new();
    let mut first = None;
    for (name, subject) in callers {
        if found.contains(name) {
            continue;
        }
        let Some(example) = finder.find_difference(std::slice::from_ref(subject), requests, direction) else {
            continue;
        };
        let largest = match &**name {
            "anyone" => Some(AffectedCallers::Anyone),
            "everyone" => Some(AffectedCallers::Everyone),
            _ => None,
        };
        if let Some(who) = largest {
            return Some((who, example));
        }
        // Rows by name are listed only if no other callers are affected.
        if found.is_empty() || !name.starts_with("callers given") {
            found.push(name.clone());
        }
        first = first.or(Some(example));
    }
    let has_roles = found.iter().any(|name| name.starts_with("role "));
    found.retain(|name| !has_roles || !name.starts_with("a token"));
    first.map(|example| {
        (
            if found == ["service apps"] { AffectedCallers::ServiceApps } else { AffectedCallers::Callers(found) },
            example,
        )
    })
}

fn methods_by_name<'p>(indexed: &IndexedPolicy<'p>, folds: bool) -> MethodsByName<'p> {
    let routes = indexed.policy.routes.routes().iter();
    let each = routes.flat_map(|route| {
        let key = template_key(route, folds);
        route.methods.iter().map(move |method| ((key.clone(), &*method.name), (route, method)))
    });
    each.collect()
}

/// The text of the template without the names of its parameters.
fn template_key(route: &Route, folds: bool) -> String {
    let segments = route.template.segments().iter().map(|segment| match segment {
        TemplateSegment::Literal(literal) if folds => literal.to_ascii_lowercase(),
        TemplateSegment::Literal(literal) => literal.to_string(),
        TemplateSegment::Parameter(_) => "{}".to_owned(),
        TemplateSegment::Rest(_) => "{*}".to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}

fn method_signature<'p>(indexed: &IndexedPolicy<'p>, route: &'p Route, method: &'p Method) -> MethodSignature<'p> {
    let policy = indexed.policy;
    let set = |cells: &'p [CellId]| cells.iter().filter_map(|cell| policy.cell(*cell)).collect::<BTreeSet<_>>();
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
    let has_no_cells = matches!(need, NeedSignature::Public | NeedSignature::Nobody);
    let mut scopes = BTreeMap::new();
    let mut across = BTreeSet::new();
    for (at, (scope, location)) in (0_u8..).zip(policy.model.scopes.iter().zip(route.scopes)) {
        let carried_by = match location {
            Some(ScopeLocation::Segment(at)) => Some(format!("segment {at}")),
            Some(ScopeLocation::Query(at)) => {
                route.template.query().get(usize::from(at)).map(|(name, _)| format!("?{name}"))
            }
            None => None,
        };
        if method.across >> at & 1 == 1 && !matches!(location, Some(ScopeLocation::Segment(_))) && !has_no_cells {
            across.insert(&*scope.name);
        }
        scopes.extend(carried_by.filter(|_| !has_no_cells).map(|location| (&*scope.name, location)));
    }
    MethodSignature {
        need,
        across,
        when: method.when.filter(|_| !has_no_cells).and_then(|when| policy.condition(when)).map(|when| when.text()),
        websocket: method.websocket,
        token_from: method.token_from.as_deref(),
        encoded_slash: method.encoded_slash,
        scopes,
    }
}

/// Describes the change of a method.
fn describe_change(earlier: Option<&MethodSignature<'_>>, later: Option<&MethodSignature<'_>>) -> String {
    match (earlier, later) {
        (None, Some(later)) => format!("new, {}", describe_method(later, false)),
        (Some(earlier), None) => format!("removed, it was {}", describe_method(earlier, false)),
        (Some(earlier), Some(later)) => {
            let with_locations =
                !earlier.scopes.is_empty() && !later.scopes.is_empty() && earlier.scopes != later.scopes;
            let (before, after) = (describe_method(earlier, with_locations), describe_method(later, with_locations));
            format!("{before} → {after}")
        }
        (None, None) => String::new(),
    }
}

/// Describes a method; the locations of its scopes are included only `with_locations`.
fn describe_method(signature: &MethodSignature<'_>, with_locations: bool) -> String {
    let cells = |cells: &BTreeSet<&Cell>| cells.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let mut text = match &signature.need {
        NeedSignature::Public => "public".to_owned(),
        NeedSignature::Nobody => "nobody".to_owned(),
        NeedSignature::All(needed) => cells(needed),
        NeedSignature::ByType(types) => {
            let each = types.iter().map(|(range, needed)| format!("{range}: {}", cells(needed)));
            format!("by type ({})", each.collect::<Vec<_>>().join("; "))
        }
    };
    if !signature.across.is_empty() {
        text.push_str(&format!(" across {}", signature.across.iter().copied().collect::<Vec<_>>().join(" and ")));
    }
    let list = [
        signature.when.map(|when| format!("when {when}")),
        signature.websocket.then(|| "WebSocket".to_owned()),
        signature.token_from.map(|name| format!("token from ?{name}")),
        signature.encoded_slash.map(|at| format!("encoded slash in segment {at}")),
        with_locations.then(|| {
            let each = signature.scopes.iter().map(|(name, location)| format!("{name} from {location}"));
            each.collect::<Vec<_>>().join(", ")
        }),
    ];
    for part in list.into_iter().flatten() {
        text.push_str(&format!(", {part}"));
    }
    text
}
