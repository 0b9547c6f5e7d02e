//! The policy as meant: every name resolved, inheritance flattened.

use crate::document::Span;
use crate::request::Dialect;
use crate::vocabulary::{Cell, CellId};

use super::condition::Condition;
use super::ids::{ConditionId, RowId};
use super::route::Route;
use super::source::ServiceApps;

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
    /// Whether a caller has exactly one role.
    pub one_role: bool,
    /// The groups, of which a caller has exactly one where there are any.
    pub groups: Vec<Group>,
    /// The profiles, which say where there are which features.
    pub profiles: Vec<Profile>,
    /// The field sets, in file order.
    pub fields: Vec<FieldSet>,
    /// The gates in file order.
    pub gates: Vec<Gate>,
    /// Every condition of the policy, each text once.
    pub conditions: Vec<Condition>,
    /// Whose refusals forward.
    pub shadow: Shadow,
    /// Whether the cases beside the policy must pass before it counts.
    pub cases_must_pass: bool,
    /// What service apps may that `users` does not list.
    pub service_apps: Option<ServiceApps>,
    /// Which browsers may call.
    pub cors: Option<Cors>,
    /// The routes in their order, until they are compiled into the snapshot's table.
    pub(super) routes: Vec<Route>,
    /// What the policy says of single users, until it is compiled into the snapshot's standings.
    pub(super) users: Vec<User>,
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

/// ScopeBounds: for each bound scope, by its place among the declared ones, the values that fit; empty fits everywhere.
pub type ScopeBounds = Box<[(u8, Box<[Box<str>]>)]>;

/// ScopedRows: rows that are given in one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedRows {
    /// Where.
    pub scope: ScopeBounds,
    /// Which, in their order.
    pub rows: Vec<RowId>,
}

/// Role: the rows that a role gives, inclusion flattened.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name.
    pub name: Box<str>,
    /// Its own rows and those of the roles that it includes, one part for each scope.
    pub parts: Vec<ScopedRows>,
    /// The roles that it names under `includes`.
    pub includes: Vec<Box<str>>,
    /// Whether only the policy assigns it; a token's word does not count.
    pub policy_only: bool,
    /// The scopes that every assignment must name, a bit each.
    pub assign_within: u8,
    /// Whether a reload may not change it.
    pub locked: bool,
    /// Where its name stands.
    pub span: Span,
}

/// Profile: the features that there are for a group, or within a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: Box<str>,
    /// The feature gates that it opens, by their places in the file.
    pub features: Vec<u8>,
    /// Where it applies, whoever asks.
    pub within: Vec<ScopeBounds>,
    /// Whether a reload may not change it.
    pub locked: bool,
    /// Where its name stands.
    pub span: Span,
}

/// Group: what the policy says of everybody in a group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: Box<str>,
    /// Its profile, by its place among the profiles.
    pub profile: Option<u32>,
    /// Rows that its members hold.
    pub permissions: Vec<RowId>,
    /// Rows that are taken from its members.
    pub without: Vec<RowId>,
}

/// User: what the policy says of one id.
#[derive(Debug, Clone)]
pub struct User {
    /// The id as written.
    pub id: Box<str>,
    /// Replaces the token's group: by its place among the groups.
    pub group: Option<u32>,
    /// Replaces the token's roles and permissions.
    pub roles: Option<Box<[ScopedRole]>>,
    /// Replaces the token's tenants.
    pub tenants: Option<Box<[Box<str>]>>,
    /// Rows that the user holds whatever else is said.
    pub permissions: Box<[RowId]>,
    /// Rows that are taken from the user.
    pub without: Box<[RowId]>,
}

/// ScopedRole: a role in a scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScopedRole {
    /// The role, by its place among the roles.
    pub role: u32,
    /// Where it was given.
    pub scope: ScopeBounds,
    /// The condition without which the assignment is not there.
    pub when: Option<ConditionId>,
}

/// FieldSet: fields that only those see who may read the set; a column too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSet {
    /// Its name.
    pub name: Box<str>,
    /// The cell `read` of it, where some row or route has it.
    pub read: Option<CellId>,
    /// For each resource whose answers hold such fields, their paths.
    pub resources: Vec<(Box<str>, Vec<Box<str>>)>,
}

/// Gate: closes rows, whoever holds them.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Its name.
    pub name: Box<str>,
    /// The rows that it closes.
    pub closes: Vec<RowId>,
    /// What opens it.
    pub by: GateOpener,
}

/// GateOpener: what opens a gate.
#[derive(Debug, Clone)]
pub enum GateOpener {
    /// An approval.
    Approval(Approval),
    /// A profile that lists it and applies.
    Feature,
    /// A condition that holds.
    Condition(ConditionId),
}

impl Gate {
    /// What its approvals are about; `None` where something else opens it.
    pub fn approval(&self) -> Option<&Approval> {
        match &self.by {
            GateOpener::Approval(approval) => Some(approval),
            GateOpener::Feature | GateOpener::Condition(_) => None,
        }
    }
}

/// Approval: what opens a gate, for whom, and who may grant it.
#[derive(Debug, Clone, Default)]
pub struct Approval {
    /// What an approval is for.
    pub keys: Vec<ApprovalKey>,
    /// The cells whose use asks for the approval.
    pub asked_by: Vec<CellId>,
    /// The rows whose holders may approve.
    pub approvers: Vec<RowId>,
    /// Approvals that the policy itself grants: one value for each key, in their order.
    pub granted: Vec<Vec<Box<str>>>,
}

/// ApprovalKey: a part of what an approval is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalKey {
    /// The OAuth client.
    Client,
    /// The caller's id.
    Caller,
    /// A scope, by its place among the declared ones.
    Scope(u8),
}

/// Shadow: whose refusals forward, so that a rollout breaks nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Shadow {
    /// Nobody's: the policy is enforced.
    #[default]
    Off,
    /// Those about a cell of these resources.
    Resources(Vec<Box<str>>),
    /// All.
    All,
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

impl Role {
    /// Every row that it gives somewhere.
    pub fn rows(&self) -> impl Iterator<Item = RowId> {
        self.parts.iter().flat_map(|part| part.rows.iter().copied())
    }
}
