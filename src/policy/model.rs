//! Model: a validated policy, with names resolved and inheritance flattened.

use crate::document::Span;
use crate::request::Dialect;
use crate::vocabulary::{Cell, CellId};

use super::condition::Condition;
use super::ids::{ConditionId, RowId};
use super::route::Route;
use super::source::ServiceApps;

/// Model: a validated policy.
#[derive(Debug, Clone)]
pub struct Model {
    /// The policy's name.
    pub name: Box<str>,
    /// How the upstream interprets paths.
    pub dialect: Dialect,
    /// The declared scopes in order.
    pub scopes: Vec<ScopeName>,
    /// The tables with their columns, in printing order.
    pub tables: Vec<Table>,
    /// Every cell that a route requires or a row has.
    pub cells: Vec<Cell>,
    /// The rows in order.
    pub rows: Vec<Row>,
    /// The rows that every authenticated caller holds.
    pub everyone: Vec<RowId>,
    /// The roles, with the rows of included roles.
    pub roles: Vec<Role>,
    /// Whether a caller must have exactly one role.
    pub one_role: bool,
    /// The groups; if there are any, a caller must have exactly one.
    pub groups: Vec<Group>,
    /// The profiles, which enable features.
    pub profiles: Vec<Profile>,
    /// The field sets, in file order.
    pub fields: Vec<FieldSet>,
    /// The gates in file order.
    pub gates: Vec<Gate>,
    /// The conditions of the policy, each text once.
    pub conditions: Vec<Condition>,
    /// The refusals that are forwarded in shadow mode.
    pub shadow: Shadow,
    /// Whether the policy's cases must pass before it is loaded.
    pub cases_must_pass: bool,
    /// The permissions of service apps that `users` does not list.
    pub service_apps: Option<ServiceApps>,
    /// The browser origins that may call.
    pub cors: Option<Cors>,
    /// The routes in order, until they are compiled into the snapshot's table.
    pub(super) routes: Vec<Route>,
    /// The entries of single users, until they are compiled into the snapshot's entitlement table.
    pub(super) users: Vec<User>,
}

/// ScopeName: a declared scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeName {
    /// Its name, a parameter of routes.
    pub name: Box<str>,
    /// Whether its value must be one of the caller's tenants (`caller`), or only limits grants (`grant`).
    pub caller: bool,
}

/// Table: the columns of one printed table.
#[derive(Debug, Clone)]
pub struct Table {
    /// The table's name; `None` if the policy has one table.
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

/// ScopeBounds: the accepted values of each bound scope, by the scope's index; empty: every scope.
pub type ScopeBounds = Box<[(u8, Box<[Box<str>]>)]>;

/// ScopedRows: rows granted in one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedRows {
    /// The scope.
    pub scope: ScopeBounds,
    /// The rows, sorted.
    pub rows: Vec<RowId>,
}

/// Role: the rows that a role grants, including those of included roles.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name.
    pub name: Box<str>,
    /// Its own and included rows, one part per scope.
    pub parts: Vec<ScopedRows>,
    /// The roles that it names under `includes`.
    pub includes: Vec<Box<str>>,
    /// Whether only the policy may assign it; claims of tokens are ignored.
    pub policy_only: bool,
    /// The scopes that every assignment must name, one bit each.
    pub assign_within: u8,
    /// Whether a reload may not change it.
    pub locked: bool,
    /// The span of its name.
    pub span: Span,
}

/// Profile: the features that are enabled for a group, or within a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: Box<str>,
    /// The feature gates that it opens, by their indices.
    pub features: Vec<u8>,
    /// The scopes in which it applies to every caller.
    pub within: Vec<ScopeBounds>,
    /// Whether a reload may not change it.
    pub locked: bool,
    /// The span of its name.
    pub span: Span,
}

/// Group: the profile and rows of a group's members.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: Box<str>,
    /// Its profile, by index.
    pub profile: Option<u32>,
    /// The rows granted to its members.
    pub permissions: Vec<RowId>,
    /// The rows withdrawn from its members.
    pub without: Vec<RowId>,
}

/// User: the policy's entry of one id.
#[derive(Debug, Clone)]
pub struct User {
    /// The id as written.
    pub id: Box<str>,
    /// The group that replaces the token's, by index.
    pub group: Option<u32>,
    /// The roles that replace the token's roles and permissions.
    pub roles: Option<Box<[ScopedRole]>>,
    /// The tenants that replace the token's.
    pub tenants: Option<Box<[Box<str>]>>,
    /// The rows that the user holds regardless of other entries.
    pub permissions: Box<[RowId]>,
    /// The rows withdrawn from the user.
    pub without: Box<[RowId]>,
}

/// ScopedRole: a role in a scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScopedRole {
    /// The role, by index.
    pub role: u32,
    /// The scope of the assignment.
    pub scope: ScopeBounds,
    /// The condition under which the assignment is active.
    pub when: Option<ConditionId>,
}

/// FieldSet: fields that only callers with permission to read the set see; it is a column too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSet {
    /// Its name.
    pub name: Box<str>,
    /// Its cell for `read`, if a row or route has it.
    pub read: Option<CellId>,
    /// The paths of its fields, by the resource whose responses contain them.
    pub resources: Vec<(Box<str>, Vec<Box<str>>)>,
}

/// Gate: makes rows ineffective for every holder until it is opened.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Its name.
    pub name: Box<str>,
    /// The rows that it closes.
    pub closes: Vec<RowId>,
    /// The way to open it.
    pub by: GateOpener,
}

/// GateOpener: the way to open a gate.
#[derive(Debug, Clone)]
pub enum GateOpener {
    /// An approval.
    Approval(Approval),
    /// An applicable profile that lists it.
    Feature,
    /// A condition that holds.
    Condition(ConditionId),
}

impl Gate {
    /// Its approval rule; `None` if a feature or a condition opens it.
    pub fn approval(&self) -> Option<&Approval> {
        match &self.by {
            GateOpener::Approval(approval) => Some(approval),
            GateOpener::Feature | GateOpener::Condition(_) => None,
        }
    }
}

/// Approval: what an approval applies to, who may grant it, and which are granted.
#[derive(Debug, Clone, Default)]
pub struct Approval {
    /// The attributes to which an approval applies.
    pub keys: Vec<ApprovalKey>,
    /// The cells whose use requests the approval.
    pub asked_by: Vec<CellId>,
    /// The rows whose holders may approve.
    pub approvers: Vec<RowId>,
    /// The approvals that the policy grants: one value for each key, in order.
    pub granted: Vec<Vec<Box<str>>>,
}

/// ApprovalKey: one attribute to which an approval applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalKey {
    /// The OAuth client.
    Client,
    /// The caller's id.
    Caller,
    /// A scope, by index.
    Scope(u8),
}

/// Shadow: the refusals that are forwarded, so that a rollout breaks no client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Shadow {
    /// No refusals: the policy is enforced.
    #[default]
    Off,
    /// The refusals about cells of these resources.
    Resources(Vec<Box<str>>),
    /// All refusals.
    All,
}

/// Cors: the origins whose scripts may call, and the headers that they may use.
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
    /// The seconds for which a browser may cache the preflight response.
    pub max_age: u64,
}

impl Role {
    /// Every row that it grants in any scope.
    pub fn rows(&self) -> impl Iterator<Item = RowId> {
        self.parts.iter().flat_map(|part| part.rows.iter().copied())
    }
}
