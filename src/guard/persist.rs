//! Persisting: a decision is on disk before anyone can observe it, where its audit mode requires that.

use crate::audit::PendingDecision;
use crate::settings::OnFailure;
use crate::vocabulary::AuditMode;

use super::Guard;
use super::audit_state::AuditDurability;
use super::exchange::Exchange;

impl Guard {
    /// Writes the decision to disk where the audit mode requires it before anyone observes the decision.
    ///
    /// A decision that cannot be written becomes a refusal, unless the settings let the request continue.
    pub async fn persist_decision(&self, exchange: &mut Exchange) {
        if exchange.audit().mode() == AuditMode::Fast || exchange.audit().durability().is_settled() {
            return;
        }
        let pending: PendingDecision = exchange.record_decision();
        if pending.persisted().await {
            exchange.settle_audit(AuditDurability::Decision);
            return;
        }
        exchange.settle_audit(AuditDurability::Failed);
        if self.on_audit_failure == OnFailure::Refuse {
            exchange.refuse_unaudited();
        }
    }
}
