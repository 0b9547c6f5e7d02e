//! AuditDurability: decisions that are on disk before anybody sees them.

use crate::audit::{PendingDecision, RecordKind};
use crate::decision::{Decision, Reason};
use crate::policy::Snapshot;
use crate::request::CanonicalPath;
use crate::settings::OnFailure;
use crate::vocabulary::AuditMode;

use super::Edge;
use super::exchange::Exchange;

/// AuditDurability: what is on disk of an exchange's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuditDurability {
    /// Nothing yet.
    Nothing,
    /// The decision.
    Decision,
    /// A decision that no longer stands, because the upstream's answer changed it.
    Former,
    /// Nothing, or nothing that is known of: the disk did not confirm it.
    Failed,
}

impl AuditDurability {
    /// What is left to write when the exchange ends.
    pub(super) fn rest(self) -> RecordKind {
        match self {
            Self::Decision | Self::Former => RecordKind::Outcome,
            Self::Nothing | Self::Failed => RecordKind::Exchange,
        }
    }
}

impl Edge {
    /// Returns when the decision is on disk, where it has to be before anybody sees it. Where it cannot be kept it
    /// becomes a refusal, unless the settings let it go on.
    pub(super) async fn keep(&self, exchange: &mut Exchange) {
        if exchange.audit == AuditMode::Fast
            || matches!(exchange.kept, AuditDurability::Decision | AuditDurability::Failed)
        {
            return;
        }
        let pending: PendingDecision = exchange.decide();
        if pending.kept().await {
            exchange.kept = AuditDurability::Decision;
            return;
        }
        exchange.kept = AuditDurability::Failed;
        if self.on_audit_failure == OnFailure::Refuse {
            exchange.candidate = None;
            exchange.preflight = false;
            exchange.unmapped = false;
            exchange.decision = Some(Decision::refuse(Reason::AuditUnavailable));
        }
    }
}

/// How the decision on a request is kept that asks for these methods besides its own, which is kept as `own` says: as the
/// strictest of all, `default` where a method says nothing.
pub(super) fn strictest_audit_mode<'m>(
    policy: &Snapshot,
    path: &CanonicalPath<'_>,
    query: Option<&str>,
    besides: impl Iterator<Item = &'m str>,
    own: AuditMode,
    default: AuditMode,
) -> AuditMode {
    let modes = besides.map(|method| {
        let placed = policy.routes.place(method, path, query).ok();
        placed.and_then(|placed| placed.method.audit).unwrap_or(default)
    });
    modes.fold(own, AuditMode::max)
}
