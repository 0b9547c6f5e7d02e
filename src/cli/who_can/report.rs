//! WhoCanReport: the callers that may make a request; the field names are the keys of the JSON output.

use serde::Serialize;

/// WhoCanReport: the callers that may make a request, and those that are kept out.
#[derive(Debug, Serialize)]
pub(super) struct WhoCanReport {
    pub(super) policy: String,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) route: Option<String>,
    /// The reason why no caller could be permitted.
    pub(super) refused: Option<String>,
    pub(super) public: bool,
    /// The route's condition, which every caller has to fulfil.
    pub(super) condition: Option<String>,
    pub(super) scope: Vec<ScopeEntry>,
    /// Lists of cells; on a route by media type, the list of the response's type applies.
    pub(super) needs: Vec<NeedEntry>,
    /// Whether callers must have exactly one role.
    pub(super) one_role: bool,
    pub(super) may: Vec<CallersEntry>,
    /// The callers that hold the permissions and are refused for another reason.
    pub(super) kept_out: Vec<CallersEntry>,
}

/// ScopeEntry: a declared scope and the request's value.
#[derive(Debug, Serialize)]
pub(super) struct ScopeEntry {
    pub(super) name: String,
    pub(super) value: Option<String>,
}

/// NeedEntry: the needed cells, all or for one media type.
#[derive(Debug, Serialize)]
pub(super) struct NeedEntry {
    pub(super) answered_as: Option<String>,
    pub(super) cells: Vec<String>,
}

/// CallersEntry: a set of callers and the grants that they have.
#[derive(Debug, Serialize)]
pub(super) struct CallersEntry {
    /// `everyone`, `service-apps`, `group`, `role` or `users`.
    pub(super) who: &'static str,
    /// The role, or the users' ids.
    pub(super) names: Vec<String>,
    /// The group that they are in, or must also be in.
    pub(super) group: Option<String>,
    /// The scopes that the role's assignment must name; empty where none is required.
    pub(super) within: Vec<String>,
    pub(super) through: Vec<GrantedThrough>,
    pub(super) reason: Option<String>,
}

/// GrantedThrough: one combination of permissions that grants the needed cells.
#[derive(Debug, Serialize)]
pub(super) struct GrantedThrough {
    pub(super) answered_as: Option<String>,
    /// The permissions in the order of the cells; empty for a service app with full grants.
    pub(super) permissions: Vec<String>,
    /// The gates that an approval or a condition must open.
    pub(super) gates: Vec<String>,
    /// Whether the assignment has a condition.
    pub(super) conditional: bool,
}
