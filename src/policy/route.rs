//! Route: a template, its methods and the cells that they require.

use crate::document::Span;
use crate::vocabulary::{AuditMode, Cells, access::MAX_SCOPES};

use super::ids::ConditionId;
use super::template::Template;

/// Route: a template and its methods.
#[derive(Debug, Clone)]
pub struct Route {
    /// The template.
    pub template: Template,
    /// The listed methods, in order.
    pub methods: Box<[Method]>,
    /// The location of each declared scope.
    pub scopes: [Option<ScopeLocation>; MAX_SCOPES],
    /// The span of the template.
    pub span: Span,
}

/// ScopeLocation: the part of a request that carries a scope's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeLocation {
    /// The path segment with that index.
    Segment(u16),
    /// The query parameter with that index in the template's list.
    Query(u16),
}

/// Method: the requirements of one method of a route.
#[derive(Debug, Clone)]
pub struct Method {
    /// The method's name.
    pub name: Box<str>,
    /// The required cells.
    pub cells: Cells,
    /// The declared scopes that a grant may omit here, one bit each.
    pub across: u8,
    /// Whether the method may open a WebSocket.
    pub websocket: bool,
    /// The query parameter that may carry the token.
    pub token_from: Option<Box<str>>,
    /// The segment whose value may contain an encoded slash.
    pub encoded_slash: Option<u16>,
    /// The condition under which the method is open.
    pub when: Option<ConditionId>,
    /// The audit mode of its decisions; `None` uses the API's setting.
    pub audit: Option<AuditMode>,
}
