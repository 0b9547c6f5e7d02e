//! Request scope: the scope values that a request is decided in.

use crate::policy::Snapshot;
use crate::policy::entitlements::Entitlements;
use crate::vocabulary::{Access, Scope, access::MAX_SCOPES};

/// Resolves the scope of a request.
///
/// Where the route names no tenant and the caller has exactly one, that tenant is used. Returns `None` if the route
/// names a tenant that is not one of the caller's.
pub fn resolve_scope<'a>(
    access: &'a Access<'_>,
    entitlements: &Entitlements<'a>,
    policy: &Snapshot,
) -> Option<Scope<'a>> {
    let mut scope: Scope<'a> = Default::default();
    for ((slot, value), declared) in scope.iter_mut().zip(&access.scope).zip(&policy.model.scopes) {
        *slot = value.as_deref().map(Into::into);
        if !declared.caller {
            continue;
        }
        match (&slot, entitlements.tenants()) {
            (Some(value), tenants) if !tenants.iter().any(|tenant| **tenant == **value) => return None,
            (None, [only]) => *slot = Some((&**only).into()),
            _ => {}
        }
    }
    Some(scope)
}

const _: () = assert!(MAX_SCOPES <= 8, "`across` holds a bit for each scope");
