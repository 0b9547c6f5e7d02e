//! Mode: enforcement or shadow mode; the only module that lets a refusal forward.

use crate::policy::Snapshot;

use super::{Decision, Reason};

/// Applies the mode of the policy to a decision: in shadow mode a refusal forwards and keeps its reason.
///
/// A refusal never forwards if the request is ambiguous or if it protects the gateway itself.
pub fn apply(decision: Decision, policy: &Snapshot) -> Decision {
    let protective =
        matches!(decision.reason, Reason::BadRequest(_) | Reason::NoPolicy | Reason::NoApi | Reason::TooManyFailures);
    // These reasons are about the caller and not about a cell: shadowing one resource does not admit strangers.
    let about_caller = matches!(decision.reason, Reason::NotAMember | Reason::NoGroup | Reason::NotOneRole);
    let cell = decision.cell.filter(|_| !about_caller);
    if decision.is_permit() || protective || !policy.is_shadowed(cell) {
        return decision;
    }
    decision.forward_in_shadow()
}

#[cfg(test)]
mod tests;
