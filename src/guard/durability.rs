//! Durability: audit records of decisions that are on disk before anyone can observe the decision.

use crate::audit::{PendingDecision, RecordKind};
use crate::policy::Snapshot;
use crate::request::CanonicalPath;
use crate::settings::OnFailure;
use crate::vocabulary::AuditMode;

use super::Guard;
use super::exchange::Exchange;

/// AuditDurability: which record of an exchange's decision is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuditDurability {
    /// None yet.
    Nothing,
    /// The decision.
    Decision,
    /// A decision that the upstream's response has replaced.
    Superseded,
    /// None that is known of: the disk did not confirm it.
    Failed,
}

impl AuditDurability {
    /// The kind of record that is left to write when the exchange ends.
    pub(super) fn remaining_record(self) -> RecordKind {
        match self {
            Self::Decision | Self::Superseded => RecordKind::Outcome,
            Self::Nothing | Self::Failed => RecordKind::Exchange,
        }
    }

    fn is_settled(self) -> bool {
        matches!(self, Self::Decision | Self::Failed)
    }
}

/// AuditState: how the decision on an exchange must be recorded, and how far it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct AuditState {
    mode: AuditMode,
    durability: AuditDurability,
}

impl AuditState {
    pub(super) fn new(mode: AuditMode) -> Self {
        Self { mode, durability: AuditDurability::Nothing }
    }

    pub(super) fn mode(self) -> AuditMode {
        self.mode
    }

    pub(super) fn set_mode(&mut self, mode: AuditMode) {
        self.mode = mode;
    }

    pub(super) fn durability(self) -> AuditDurability {
        self.durability
    }

    pub(super) fn settle(&mut self, durability: AuditDurability) {
        self.durability = durability;
    }

    /// Marks a decision on disk as superseded by another one.
    pub(super) fn supersede(&mut self) {
        if self.durability == AuditDurability::Decision {
            self.durability = AuditDurability::Superseded;
        }
    }
}

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

/// The strictest audit mode of a request: `own`, and that of each method in `overrides`.
///
/// A method whose route states no mode has `default`.
pub(super) fn strictest_audit_mode<'m>(
    policy: &Snapshot,
    path: &CanonicalPath<'_>,
    query: Option<&str>,
    overrides: impl Iterator<Item = &'m str>,
    own: AuditMode,
    default: AuditMode,
) -> AuditMode {
    let modes = overrides.map(|method| {
        let route = policy.routes.match_route(method, path, query).ok();
        route.and_then(|route| route.method.audit).unwrap_or(default)
    });
    modes.fold(own, AuditMode::max)
}
