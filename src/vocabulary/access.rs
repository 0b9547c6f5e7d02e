//! Access: an operation on a resource, in a scope, through a route.

use std::fmt;

use super::Operation;

/// Cell: one field of the vendor's table: an operation on a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    /// The operation.
    pub operation: Operation,
    /// The resource: a column's name.
    pub resource: Box<str>,
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.operation, self.resource)
    }
}

/// CellId: a cell by its index in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellId(pub u32);

/// RouteId: a route template by its index in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub u32);

/// Cells: the cells that a method of a route requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cells {
    /// All cells of the list, in policy order.
    All(Box<[CellId]>),
    /// The cells of one candidate, selected by the media type of the response; candidates in policy order.
    ByType(Box<[MediaTypeCells]>),
    /// No cell: every caller is permitted, with or without a credential.
    Public,
    /// Every caller is refused, service apps included: for closing a route in an emergency.
    Nobody,
}

impl Cells {
    /// All cells that a request of the method may require, in policy order.
    pub fn ids(&self) -> impl Iterator<Item = CellId> {
        let (all, by_type): (&[CellId], &[MediaTypeCells]) = match self {
            Self::All(needed) => (needed, &[]),
            Self::ByType(candidates) => (&[], candidates),
            Self::Public | Self::Nobody => (&[], &[]),
        };
        all.iter().copied().chain(by_type.iter().flat_map(|candidate| candidate.cells.iter().copied()))
    }
}

/// MediaTypeCells: the cells that a response of some media types requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaTypeCells {
    /// The media types.
    pub range: super::MediaRange,
    /// The required cells.
    pub cells: Box<[CellId]>,
}

/// The most scope names that one policy may declare.
pub const MAX_SCOPES: usize = 8;

/// Scope: the request's value of each declared scope, in declaration order.
pub type Scope<'r> = [Option<std::borrow::Cow<'r, str>>; MAX_SCOPES];

/// Access: the operation that one request would perform, as route matching finds it.
#[derive(Debug, Clone)]
pub struct Access<'r> {
    /// The template that matched.
    pub route: RouteId,
    /// The index of the method's entry in that route.
    pub method: u16,
    /// The cells that the method of that route requires.
    pub cells: &'r Cells,
    /// The values of the declared scopes from path and query, decoded once.
    pub scope: Scope<'r>,
    /// Declared scopes that a grant may omit on this route (`across`), one bit per scope.
    pub across: u8,
}
