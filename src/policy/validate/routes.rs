//! Routes with their cells and scopes resolved.

use crate::document::{Code, Finding, Findings};
use crate::policy::model::ScopeName;
use crate::policy::routes::{Method, Route};
use crate::policy::source::{MethodSource, NeedSource, RouteSource, Source, Written};
use crate::policy::template::{Segment, Template};
use crate::vocabulary::{Cells, access::MAX_SCOPES};

use super::CellIndex;

/// Methods that mean something else to HTTP than to a policy.
const NEVER_LISTED: [(&str, &str); 3] = [
    ("HEAD", "HEAD is decided as GET"),
    ("CONNECT", "CONNECT is never forwarded"),
    ("TRACE", "TRACE is never forwarded"),
];

pub(super) fn routes(
    written: &Source,
    scopes: &[ScopeName],
    cells: &mut CellIndex<'_>,
    findings: &mut Findings,
) -> Vec<Route> {
    written.routes.iter().filter_map(|source| route(source, written, scopes, cells, findings)).collect()
}

fn route(
    source: &RouteSource,
    written: &Source,
    scopes: &[ScopeName],
    cells: &mut CellIndex<'_>,
    findings: &mut Findings,
) -> Option<Route> {
    let template = match Template::read(&source.template, written.dialect) {
        Ok(template) => template,
        Err(finding) => {
            findings.push(finding);
            return None;
        }
    };
    if source.methods.is_empty() {
        let message = format!("the route `{}` lists no method", template.text());
        findings.push(Finding::error(Code::EmptyValue, Some(source.template.place), message));
    }
    let mut places = [None; MAX_SCOPES];
    for (place, scope) in places.iter_mut().zip(scopes) {
        *place = template.parameter(&scope.name).and_then(|at| u16::try_from(at).ok());
        let rest =
            template.segments().iter().any(|segment| matches!(segment, Segment::Rest(name) if *name == scope.name));
        if rest {
            let message = format!("the scope `{}` cannot be the rest of a path", scope.name);
            findings.push(Finding::error(Code::BadRoute, Some(source.template.place), message));
        }
    }
    let methods = source.methods.iter().filter_map(|method| self::method(method, &template, scopes, cells, findings));
    Some(Route { methods: methods.collect(), scopes: places, place: source.template.place, template })
}

fn method(
    source: &MethodSource,
    template: &Template,
    scopes: &[ScopeName],
    cells: &mut CellIndex<'_>,
    findings: &mut Findings,
) -> Option<Method> {
    let name = &*source.method.text;
    let bad = |message: String| Finding::error(Code::BadRoute, Some(source.method.place), message);
    if let Some((_, why)) = NEVER_LISTED.iter().find(|(known, _)| *known == name) {
        findings.push(bad(format!("`{name}` is never listed: {why}")));
    } else if !name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        findings.push(bad(format!("`{name}` is not a method in capitals")).suggest(name, known));
    }
    if source.websocket && name != "GET" {
        findings.push(bad("a WebSocket is opened by GET".to_owned()));
    }
    let needed = match &source.need {
        NeedSource::Public => Cells::Public,
        NeedSource::Nobody => Cells::Nobody,
        NeedSource::Cells(needed) => {
            let found = needed.iter().map(|(operation, resource)| cells.cell(operation, resource, findings));
            Cells::All(found.collect::<Option<Vec<_>>>()?.into())
        }
    };
    Some(Method {
        name: name.into(),
        cells: needed,
        across: across(&source.across, scopes, findings),
        websocket: source.websocket,
        token_from: source.token_from.as_ref().map(|name| name.text.clone()),
        encoded_slash: source.encoded_slash.as_ref().and_then(|name| slash_segment(name, template, scopes, findings)),
    })
}

fn across(names: &[Written], scopes: &[ScopeName], findings: &mut Findings) -> u8 {
    let mut bits = 0;
    for name in names {
        match scopes.iter().position(|scope| *scope.name == *name.text) {
            Some(at) => bits |= 1 << at,
            None => {
                let finding =
                    Finding::error(Code::UnknownName, Some(name.place), format!("no scope is called `{}`", name.text));
                findings.push(finding.suggest(&name.text, scopes.iter().map(|scope| &*scope.name)));
            }
        }
    }
    bits
}

fn slash_segment(name: &Written, template: &Template, scopes: &[ScopeName], findings: &mut Findings) -> Option<u16> {
    let found = template.parameter(&name.text).and_then(|at| u16::try_from(at).ok());
    if found.is_none() || scopes.iter().any(|scope| scope.name == name.text) {
        let message = format!("`{}` is not a parameter of this route that may hold an encoded slash", name.text);
        findings.push(
            Finding::error(Code::UnknownName, Some(name.place), message).help("name a parameter that is no scope"),
        );
    }
    found
}
