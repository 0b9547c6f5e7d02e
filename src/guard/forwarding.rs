//! Forwarding: the request as it was decided, and the header fields with which it goes to the upstream.

mod headers;

use crate::policy::condition_context::ConditionContext;
use crate::policy::{RouteMatch, Snapshot};
use crate::request::{CanonicalRequest, OverrideMode, query};
use crate::vocabulary::{RequestFacts, Scope, Subject, Timestamp};

pub use headers::HeaderEditor;

/// ForwardingPlan: one request in the form that was decided, which is the only form that is forwarded.
pub struct ForwardingPlan {
    path: String,
    query: Option<String>,
    /// The scope of the request, by the names that the policy declares.
    scope: Vec<(Box<str>, Box<str>)>,
    /// The caller's roles that hold in this scope.
    roles: Vec<Box<str>>,
    /// The methods that were decided besides the request's own.
    overrides: Vec<String>,
    websocket: bool,
}

impl ForwardingPlan {
    /// The plan of a request on `route`: the path as the route prints it, the query without what is the gateway's.
    ///
    /// A request that only shadow mode forwards keeps its token: the server behind may be the one that reads it.
    pub(super) fn of(
        request: &CanonicalRequest<'_>,
        route: Option<&RouteMatch<'_>>,
        mode: OverrideMode,
        shadowed: bool,
    ) -> Self {
        let path = route.map(|route| route.forwarded_path(&request.path));
        let query = request.query.map(|written| {
            let token = route.and_then(|route| route.method.token_from.as_deref());
            let strip = mode == OverrideMode::Strip;
            let is_token = |name: &str| {
                query::is_alias_of(name, query::TOKEN_PARAMETER)
                    || token.is_some_and(|token| query::is_alias_of(name, token))
            };
            let unwanted = |name: &str| (!shadowed && is_token(name)) || (strip && query::is_method_override(name));
            query::remove_parameters(written, unwanted).into_owned()
        });
        Self {
            path: path.unwrap_or_else(|| request.path.as_str().to_owned()),
            query: query.filter(|query| !query.is_empty() || request.query == Some("")),
            scope: Vec::new(),
            roles: Vec::new(),
            overrides: request.overrides.clone(),
            websocket: false,
        }
    }

    pub(super) fn set_scope(&mut self, policy: &Snapshot, scope: Option<&Scope<'_>>) {
        let named = policy.model.scopes.iter().zip(scope.into_iter().flatten());
        let named = named.filter_map(|(name, value)| Some((name.name.clone(), value.as_deref()?.into())));
        self.scope = named.collect();
    }

    pub(super) fn set_websocket(&mut self, websocket: bool) {
        self.websocket = websocket;
    }

    pub(super) fn set_roles(&mut self, roles: Vec<Box<str>>) {
        self.roles = roles;
    }

    pub(super) fn add_overrides(&mut self, methods: &[String]) {
        self.overrides.extend_from_slice(methods);
    }

    /// The canonical path that was decided.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query that is forwarded.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The target that is forwarded, in origin form (RFC 9112, section 3.2.1).
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The scope of the request, by the names that the policy declares.
    pub(super) fn scope(&self) -> &[(Box<str>, Box<str>)] {
        &self.scope
    }

    pub(super) fn roles(&self) -> &[Box<str>] {
        &self.roles
    }

    pub(super) fn overrides(&self) -> &[String] {
        &self.overrides
    }

    /// Whether the request opens a WebSocket, which its route permits.
    pub fn is_websocket(&self) -> bool {
        self.websocket
    }
}

/// The names of the caller's roles that hold in the scope of the request, for the upstream.
pub(super) fn roles(
    policy: &Snapshot,
    facts: RequestFacts<'_>,
    route: &RouteMatch<'_>,
    subject: &Subject,
    scope: &Scope<'_>,
    now: Timestamp,
) -> Vec<Box<str>> {
    let entitlements = policy.entitlements.for_subject(subject);
    let context = ConditionContext { now, subject, facts, scope, entitlements: &entitlements, policy };
    let holding = entitlements
        .apply_conditions(|id| policy.condition(id).is_some_and(|condition| condition.holds(&context.variables())));
    holding.role_names_in_scope(scope, route.access.across, &policy.model).into_iter().map(Into::into).collect()
}
