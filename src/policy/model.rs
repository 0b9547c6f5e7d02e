//! The policy as meant: every name resolved, inheritance flattened.

use crate::request::Dialect;
use crate::vocabulary::{Cell, CellId};

use super::routes::Route;
use super::source::ServiceApps;
use super::standing::RowId;

/// Model: a policy without loose ends.
#[derive(Debug, Clone)]
pub struct Model {
    /// The policy's name.
    pub name: Box<str>,
    /// How the upstream reads paths.
    pub dialect: Dialect,
    /// The declared scopes in their order.
    pub scopes: Vec<ScopeName>,
    /// The columns in printing order, one list a table.
    pub tables: Vec<Table>,
    /// Every cell that a route needs or a row has.
    pub cells: Vec<Cell>,
    /// The rows in their order.
    pub rows: Vec<Row>,
    /// The rows that every authenticated caller holds.
    pub everyone: Vec<RowId>,
    /// The roles with all that they include.
    pub roles: Vec<Role>,
    /// What the policy says of single users.
    pub users: Vec<User>,
    /// The gates in file order.
    pub gates: Vec<Gate>,
    /// What service apps may that `users` does not list.
    pub service_apps: Option<ServiceApps>,
    /// Which browsers may call.
    pub cors: Option<Cors>,
    /// The routes in their order, until they are compiled into the snapshot's table.
    pub(super) routes: Vec<Route>,
}

/// ScopeName: a declared scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeName {
    /// Its name, a parameter of routes.
    pub name: Box<str>,
    /// Whether its value must be one of the caller's (`caller`), or only bounds grants (`grant`).
    pub caller: bool,
}

/// Table: columns that the vendor prints together.
#[derive(Debug, Clone)]
pub struct Table {
    /// The table's name; `None` where the policy has one table.
    pub title: Option<Box<str>>,
    /// The columns.
    pub resources: Vec<Box<str>>,
}

/// Row: a permission, a named set of cells.
#[derive(Debug, Clone)]
pub struct Row {
    /// The vendor's name.
    pub name: Box<str>,
    /// Its cells.
    pub cells: Vec<CellId>,
}

/// Role: the rows that a role gives, inclusion flattened.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name.
    pub name: Box<str>,
    /// Its own rows and those of the roles that it includes.
    pub rows: Vec<RowId>,
    /// The roles that it names under `includes`.
    pub includes: Vec<Box<str>>,
}

/// User: what the policy says of one id.
#[derive(Debug, Clone)]
pub struct User {
    /// The id as written.
    pub id: Box<str>,
    /// Replaces the token's roles and permissions.
    pub roles: Option<Vec<Bound>>,
    /// Replaces the token's tenants.
    pub tenants: Option<Vec<Box<str>>>,
    /// Rows that the user holds whatever else is said.
    pub permissions: Vec<RowId>,
    /// Rows that are taken from the user.
    pub without: Vec<RowId>,
}

/// Bound: a role in a scope.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The role, by its place among the roles.
    pub role: u32,
    /// For each bound scope, by its place among the scopes, the values that fit.
    pub scope: Vec<(u8, Vec<Box<str>>)>,
}

/// Gate: closes rows until an approval opens them.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Its name.
    pub name: Box<str>,
    /// The rows that it closes.
    pub closes: Vec<RowId>,
    /// What an approval is for.
    pub keys: Vec<Key>,
    /// The cells whose use asks for the approval.
    pub asked_by: Vec<CellId>,
    /// The rows whose holders may approve.
    pub approvers: Vec<RowId>,
    /// Approvals that the policy itself grants: one value for each key, in their order.
    pub granted: Vec<Vec<Box<str>>>,
}

/// Key: a part of what an approval is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The OAuth client.
    Client,
    /// The caller's id.
    Caller,
    /// A scope, by its place among the declared ones.
    Scope(u8),
}

/// Cors: which browsers' scripts may call, and read what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Exact origins (RFC 6454, section 6.1).
    pub origins: Vec<Box<str>>,
    /// Request headers that scripts may set.
    pub headers: Vec<Box<str>>,
    /// Response headers that scripts may read.
    pub exposed: Vec<Box<str>>,
    /// Whether browsers may send credentials of their own.
    pub credentials: bool,
    /// Seconds for which a browser may keep the answer.
    pub max_age: u64,
}
