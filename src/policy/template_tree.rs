//! TemplateTree: finds routes that no request reaches, and routes that overlap with wider templates.

use std::collections::HashMap;

use crate::document::{Finding, FindingCode, Findings};
use crate::request::CanonicalPath;
use crate::vocabulary::RouteId;

use super::route::Route;
use super::routes::RouteTable;
use super::template::TemplateSegment;

/// Reports every unreachable route, and notes overlaps of templates with different cells.
pub(super) fn check_templates(table: &RouteTable, findings: &mut Findings) {
    let depth = table.routes().iter().map(|route| route.template.segments().len()).max().unwrap_or(0);
    for (at, route) in (0..).zip(table.routes()) {
        check_reachable(table, RouteId(at), route, depth, findings);
    }
    let mut tree = TemplateTree::default();
    for (at, route) in (0..).zip(table.routes()) {
        tree.insert(route, RouteId(at));
    }
    for (at, route) in (0..).zip(table.routes()) {
        if let Some(other) = tree.find_wider(route, RouteId(at), table) {
            note_overlap(route, other, findings);
        }
    }
}

/// Reports the route if it does not match a sample path of its own, with values that no policy spells.
fn check_reachable(table: &RouteTable, id: RouteId, route: &Route, depth: usize, findings: &mut Findings) {
    let mut path = String::new();
    for segment in route.template.segments() {
        path.push('/');
        match segment {
            TemplateSegment::Literal(literal) => path.push_str(literal),
            TemplateSegment::Parameter(_) => path.push_str("any-value-0"),
            // Deeper than every other template.
            TemplateSegment::Rest(_) => path.push_str(&vec!["any-value-0"; depth + 1].join("/")),
        }
    }
    let Ok(canonical) = CanonicalPath::read(path.as_bytes(), table.dialect()) else { return };
    let other = match table.find_route(&canonical) {
        Ok(Some(found)) if found == id => return,
        Ok(Some(other)) | Err(other) => table.route(other),
        Ok(None) => None,
    };
    let message = format!("no request reaches `{}`", route.template.text());
    let finding = Finding::error(FindingCode::Unreachable, Some(route.span), message);
    findings.push(match other {
        Some(other) => finding.also(other.span, "some servers take its paths for this route").help(format!(
            "a path of the one could be read as `{}`, and is refused; keep one of the two",
            other.template.text()
        )),
        None => finding,
    });
}

fn note_overlap(route: &Route, other: &Route, findings: &mut Findings) {
    let message = format!(
        "`{}` takes paths that `{}` would match too, with other cells",
        route.template.text(),
        other.template.text()
    );
    let finding = Finding::note(FindingCode::Overlap, Some(route.span), message);
    findings.push(finding.also(other.span, "the wider template"));
}

/// Whether the two routes require different cells for a method that both list.
fn has_other_cells(one: &Route, other: &Route) -> bool {
    let same = |name: &str| other.methods.iter().find(|method| *method.name == *name);
    one.methods.iter().any(|method| same(&method.name).is_some_and(|other| other.cells != method.cells))
}

/// TemplateTree: templates by their segments.
#[derive(Default)]
struct TemplateTree<'t> {
    literals: HashMap<&'t str, TemplateTree<'t>>,
    parameter: Option<Box<TemplateTree<'t>>>,
    rest: Option<RouteId>,
    end: Option<RouteId>,
}

impl<'t> TemplateTree<'t> {
    fn insert(&mut self, route: &'t Route, id: RouteId) {
        let mut node = self;
        for segment in route.template.segments() {
            node = match segment {
                TemplateSegment::Literal(literal) => node.literals.entry(literal).or_default(),
                TemplateSegment::Parameter(_) => node.parameter.get_or_insert_default(),
                TemplateSegment::Rest(_) => {
                    node.rest = Some(id);
                    return;
                }
            };
        }
        node.end = Some(id);
    }

    /// A template that has a parameter in place of a literal of `route`, matches its paths, and requires other cells.
    fn find_wider<'r>(&self, route: &Route, id: RouteId, table: &'r RouteTable) -> Option<&'r Route> {
        self.find(route.template.segments(), &mut |found| {
            let other = table.route(found).filter(|_| found != id)?;
            has_other_cells(route, other).then_some(other)
        })
    }

    fn find<'r>(
        &self,
        segments: &[TemplateSegment],
        fits: &mut impl FnMut(RouteId) -> Option<&'r Route>,
    ) -> Option<&'r Route> {
        let Some((first, rest)) = segments.split_first() else { return self.end.and_then(&mut *fits) };
        if let TemplateSegment::Literal(literal) = first
            && let Some(found) = self.literals.get(&**literal).and_then(|node| node.find(rest, fits))
        {
            return Some(found);
        }
        let parameter = self.parameter.as_ref().filter(|_| !matches!(first, TemplateSegment::Rest(_)));
        parameter.and_then(|node| node.find(rest, fits)).or_else(|| self.rest.and_then(&mut *fits))
    }
}
