//! Access: an operation on a resource, in a scope, through a route.

use std::fmt;

use super::Operation;

/// Cell: one field of the vendor's table, an operation on a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    /// What is done.
    pub operation: Operation,
    /// To what: a column's name.
    pub resource: Box<str>,
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.operation, self.resource)
    }
}

/// CellId: a cell by its place in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellId(pub u32);

/// RouteId: a route template by its place in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub u32);

/// Cells: what a method of a route needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cells {
    /// Every cell of the list, in the order in which the policy names them.
    All(Box<[CellId]>),
    /// The cells of one candidate, chosen by the media type of the response, in the order of the policy.
    ByType(Box<[MediaTypeCells]>),
    /// Nothing: anybody may, without a credential.
    Public,
    /// Nobody may, service apps included: the emergency brake.
    Nobody,
}

impl Cells {
    /// Every cell that some request of the method may need, in the order in which the policy names them.
    pub fn ids(&self) -> impl Iterator<Item = CellId> {
        let (all, by_type): (&[CellId], &[MediaTypeCells]) = match self {
            Self::All(needed) => (needed, &[]),
            Self::ByType(candidates) => (&[], candidates),
            Self::Public | Self::Nobody => (&[], &[]),
        };
        all.iter().copied().chain(by_type.iter().flat_map(|candidate| candidate.cells.iter().copied()))
    }
}

/// MediaTypeCells: what an answer of some media types needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaTypeCells {
    /// The media types.
    pub range: super::MediaRange,
    /// Every cell that they need.
    pub cells: Box<[CellId]>,
}

/// The most scope names that one policy may declare.
pub const MAX_SCOPES: usize = 8;

/// Scope: for each scope name that the policy declares, in its order, the value that the request carries.
pub type Scope<'r> = [Option<std::borrow::Cow<'r, str>>; MAX_SCOPES];

/// Access: what one request would do, found by matching it against the routes.
#[derive(Debug, Clone)]
pub struct Access<'r> {
    /// The template that matched.
    pub route: RouteId,
    /// The place of the method's entry in that route.
    pub method: u16,
    /// What the method of that route needs.
    pub cells: &'r Cells,
    /// The values of the declared scopes in path and query, decoded once.
    pub scope: Scope<'r>,
    /// Which declared scopes a grant need not name on this route (`across`): one bit a scope.
    pub across: u8,
}
