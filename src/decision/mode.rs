//! Mode: enforce, or shadow; the only place where a refusal may still forward.

use crate::policy::Snapshot;

use super::{Decision, Reason};

/// The decision as the policy's mode lets it stand: in shadow mode a refusal forwards, and keeps its reason.
///
/// What cannot be read in one way only, or is refused to protect the gateway itself, never forwards.
pub fn apply(decision: Decision, policy: &Snapshot) -> Decision {
    let protective =
        matches!(decision.reason, Reason::BadRequest(_) | Reason::NoPolicy | Reason::NoApi | Reason::TooManyFailures);
    // Who somebody is, is about no cell: watching one column does not let strangers in.
    let personal = matches!(decision.reason, Reason::NotAMember | Reason::NoGroup | Reason::NotOneRole);
    let cell = decision.cell.filter(|_| !personal);
    if decision.is_permit() || protective || !policy.is_shadowed(cell) {
        return decision;
    }
    decision.forwarded_all_the_same()
}

#[cfg(test)]
mod tests;
