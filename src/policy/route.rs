//! Route: a template, its methods and what they need.

use crate::document::Span;
use crate::vocabulary::{AuditMode, Cells, access::MAX_SCOPES};

use super::ids::ConditionId;
use super::template::Template;

/// Route: a template and its methods.
#[derive(Debug, Clone)]
pub struct Route {
    /// The template.
    pub template: Template,
    /// The methods that are listed, in their order.
    pub methods: Box<[Method]>,
    /// For each declared scope what carries it.
    pub scopes: [Option<ScopeLocation>; MAX_SCOPES],
    /// The line of the template, and the file's number among the sources.
    pub span: Span,
}

/// ScopeLocation: the part of a request that a scope's value is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeLocation {
    /// The segment with that place in the path.
    Segment(u16),
    /// The query parameter with that place in the template's list.
    Query(u16),
}

/// Method: what one method of a route needs.
#[derive(Debug, Clone)]
pub struct Method {
    /// The method's name.
    pub name: Box<str>,
    /// What it needs.
    pub cells: Cells,
    /// Declared scopes that a grant need not name here, a bit each.
    pub across: u8,
    /// Whether a WebSocket may be opened.
    pub websocket: bool,
    /// The query parameter that may carry the token.
    pub token_from: Option<Box<str>>,
    /// The segment whose value may hold an encoded slash.
    pub encoded_slash: Option<u16>,
    /// The condition without which the method is closed.
    pub when: Option<ConditionId>,
    /// Whether its decisions may be seen before they are on disk; `None` leaves it to the API's settings.
    pub audit: Option<AuditMode>,
}
