//! The answer: one pure function, used by the proxy, by `explain`, by `decide` and by every test.

pub mod approval;
pub mod reason;
pub mod verdict;
pub mod witness;

pub use approval::ApprovalSet;
pub use reason::Reason;
pub use verdict::{Decision, Permit, Refusal};
pub use witness::{Silent, Step, Witness};

use crate::identity::IdentityError;
use crate::policy::standing::Standing;
use crate::policy::{RowId, ServiceApps, Snapshot, Unplaced};
use crate::vocabulary::{Access, CellId, Cells, Kind, Scope, Subject, Timestamp, access::MAX_SCOPES};

use approval::Keys;

/// Question: who asks for what; failures to find out are part of it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What the request would do, or why that is not known.
    pub access: Result<&'a Access<'a>, Unplaced>,
    /// Who asks, or why that is not known.
    pub subject: Result<&'a Subject, IdentityError>,
}

/// Decides. The same arguments give the same answer; doubt is a refusal.
///
/// `now` is the moment of the request: conditions and approvals that expire are judged by it.
pub fn decide(question: Question<'_>, policy: &Snapshot, approvals: &ApprovalSet, now: Timestamp) -> Decision {
    decide_watched(question, policy, approvals, now, &mut Silent)
}

/// [`decide`], watched: `witness` is shown each step, and cannot change any.
pub fn decide_watched<W: Witness>(
    question: Question<'_>,
    policy: &Snapshot,
    approvals: &ApprovalSet,
    now: Timestamp,
    witness: &mut W,
) -> Decision {
    let Question { access, subject } = question;
    if let Err(Unplaced::Rejected(rejected)) = access
        && rejected != crate::request::RejectedRequest::AmbiguousPath
    {
        return Decision::refuse(Reason::BadRequest(rejected));
    }
    let subject = match subject {
        Ok(subject) => subject,
        Err(IdentityError::KeysUnavailable) => return Decision::refuse(Reason::KeysUnavailable),
        Err(error) => return Decision::refuse(Reason::Unauthenticated(Some(error))),
    };
    if let Ok(Access { route, cells: Cells::Public, .. }) = access {
        return Decision::permit(Reason::Public, *route, None, None, Vec::new());
    }
    if subject.kind == Kind::Anonymous {
        return Decision::refuse(Reason::Unauthenticated(None));
    }
    let access = match access {
        Ok(access) => access,
        Err(Unplaced::Rejected(rejected)) => return Decision::refuse(Reason::BadRequest(rejected)),
        Err(Unplaced::NoRoute) => return Decision::refuse(Reason::NoRoute),
        Err(Unplaced::NoMethod(_)) => return Decision::refuse(Reason::NoMethod),
    };
    let needed = match access.cells {
        Cells::Nobody => return Decision::refuse(Reason::Nobody),
        Cells::Public => return Decision::permit(Reason::Public, access.route, None, None, Vec::new()),
        Cells::All(needed) => needed,
    };
    let standing = policy.standings.of(subject);
    let Some(scope) = scope_of(access, &standing, policy) else {
        return Decision::refuse_at(Reason::NotAMember, needed.first().copied());
    };
    witness.see(Step::Scope(&scope));
    let mut every_row = false;
    if standing.is_unlisted_service() {
        match policy.model.service_apps {
            Some(ServiceApps::All) => {
                return Decision::permit(Reason::ServiceApp, access.route, needed.first().copied(), None, Vec::new());
            }
            Some(ServiceApps::EveryPermission) => every_row = true,
            None => {}
        }
    }
    let judge = Judge { policy, approvals, now, subject, standing, scope: &scope, across: access.across, every_row };
    judge.cells(needed, access, witness)
}

/// The scope that a request is decided in: the caller's only tenant where the route has none; `None` where the
/// route names a tenant that is not one of the caller's.
pub fn scope_of<'a>(access: &'a Access<'_>, standing: &Standing<'a>, policy: &Snapshot) -> Option<Scope<'a>> {
    let mut scope: Scope<'a> = Default::default();
    for ((slot, value), declared) in scope.iter_mut().zip(&access.scope).zip(&policy.model.scopes) {
        *slot = value.as_deref().map(Into::into);
        if !declared.caller {
            continue;
        }
        match (&slot, standing.tenants()) {
            (Some(value), tenants) if !tenants.iter().any(|tenant| **tenant == **value) => return None,
            (None, [only]) => *slot = Some((&**only).into()),
            _ => {}
        }
    }
    Some(scope)
}

/// Judge: everything that one decision about cells looks at.
struct Judge<'a> {
    policy: &'a Snapshot,
    approvals: &'a ApprovalSet,
    now: Timestamp,
    subject: &'a Subject,
    standing: Standing<'a>,
    scope: &'a Scope<'a>,
    across: u8,
    every_row: bool,
}

impl Judge<'_> {
    fn cells<W: Witness>(&self, needed: &[CellId], access: &Access<'_>, witness: &mut W) -> Decision {
        let open = self.open_gates();
        let mut granted_by = None;
        for &cell in needed {
            match self.usable_row(cell, open) {
                Some(row) => {
                    witness.see(Step::Granted { cell, row });
                    granted_by = granted_by.or(Some(row));
                }
                None => {
                    let reason = self.why(cell, open);
                    witness.see(Step::Lacking { cell, reason });
                    return Decision::refuse_at(reason, Some(cell));
                }
            }
        }
        let gates = (0..).zip(&self.policy.model.gates);
        let asks = gates.filter(|(_, gate)| gate.asked_by.iter().any(|cell| needed.contains(cell))).map(|(at, _)| at);
        Decision::permit(Reason::Granted, access.route, needed.first().copied(), granted_by, asks.collect())
    }

    /// The first row, in the policy's order, that is held, has the cell and has all its gates open.
    fn usable_row(&self, cell: CellId, open: u64) -> Option<RowId> {
        self.policy.grants.rows_with(cell).iter().enumerate().find_map(|(word, has)| {
            let usable = self.held(word).0 & has & !self.closed(word, open);
            first_row(word, usable)
        })
    }

    /// Held, given before anything is taken away, and given in some scope or other.
    fn held(&self, word: usize) -> (u64, u64, u64) {
        if self.every_row {
            let all = self.policy.standings.every_row().get(word).copied().unwrap_or(0);
            return (all, all, all);
        }
        let held = self.standing.word(word, self.scope, self.across);
        (held.held, held.given, held.anywhere)
    }

    /// Rows of this word that some closed gate closes.
    fn closed(&self, word: usize, open: u64) -> u64 {
        let gates = self.policy.gates.iter().enumerate().filter(|(at, _)| open >> at & 1 == 0);
        gates.fold(0, |closed, (_, rows)| closed | rows.get(word).copied().unwrap_or(0))
    }

    /// Which gates are open, a bit each; a policy has at most 64.
    fn open_gates(&self) -> u64 {
        let keys = Keys { subject: self.subject, scope: self.scope };
        let gates = self.policy.model.gates.iter().enumerate();
        gates.fold(0, |open, (at, gate)| open | u64::from(self.approvals.opens(gate, &keys, self.now)) << at)
    }

    /// How far the best row that has the cell came.
    fn why(&self, cell: CellId, open: u64) -> Reason {
        let mut best = Reason::NotGranted;
        for (word, &has) in self.policy.grants.rows_with(cell).iter().enumerate() {
            let (held, given, anywhere) = self.held(word);
            if has & held != 0 {
                // Held but not usable: the first gate in the file that closes one of these rows.
                let closes = |rows: &[u64]| rows.get(word).copied().unwrap_or(0) & has & held != 0;
                let mut gates = self.policy.gates.iter().enumerate();
                let first = gates.find(|(at, rows)| open >> at & 1 == 0 && closes(rows));
                if let Some((at, _)) = first {
                    best = best.further(Reason::Gate(u8::try_from(at).unwrap_or(u8::MAX)));
                }
            } else if has & given != 0 {
                best = best.further(Reason::TakenAway);
            } else if has & anywhere != 0 {
                best = best.further(Reason::OutOfScope);
            }
        }
        best
    }
}

fn first_row(word: usize, set: u64) -> Option<RowId> {
    let at =
        (set != 0).then(|| u64::try_from(word).ok())??.checked_mul(64)?.checked_add(u64::from(set.trailing_zeros()))?;
    u32::try_from(at).ok().map(RowId)
}

const _: () = assert!(MAX_SCOPES <= 8, "`across` holds a bit for each scope");

#[cfg(test)]
mod tests;
