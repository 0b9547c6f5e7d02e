//! Coverage: which grants of a policy are used, which cells are refused, and which requests have no route.

mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::audit::Rfc3339Time;
use crate::decision::UsageTrace;
use crate::policy::{RowId, Snapshot};
use crate::reload::Live;
use crate::request::CanonicalPath;
use crate::vocabulary::{Cell, CellId};

use super::guess;
use super::sampler::Sampler;
use super::slots::Slots;

pub use report::{CoverageReport, RefusedCell, UnmappedTemplate, UnusedGrant};

/// The most templates without a route that are counted.
const MAX_UNMAPPED: usize = 500;

/// The most refused cells in a report.
const MAX_REFUSED_CELLS: usize = 50;

/// The most log lines per second about one cell, and about all cells.
const MAX_SAMPLES: (u64, u64) = (2, 20);

/// Coverage: the tally of one API's live policy; a reload keeps the counts of what stays the same.
pub struct Coverage(Live<UsageTally>);

impl Default for Coverage {
    /// A coverage of no policy.
    fn default() -> Self {
        Self(Live::new(UsageTally::of(None, None, UNIX_EPOCH)))
    }
}

impl std::fmt::Debug for Coverage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Coverage").finish_non_exhaustive()
    }
}

impl Coverage {
    /// Continues with `policy`, which is live since `now`.
    ///
    /// The counts of rows, cells and templates that keep their names are kept.
    pub fn publish(&self, policy: Option<&Arc<Snapshot>>, now: SystemTime) {
        self.0.publish(UsageTally::of(policy, Some(&self.0.load()), now));
    }

    /// The tally of the live policy.
    pub fn tally(&self) -> Arc<UsageTally> {
        self.0.load()
    }
}

/// UsageTally: the counts of one version of a policy; counting takes no lock.
pub struct UsageTally {
    policy: Option<Arc<Snapshot>>,
    /// The index of each cell's first grant, and of the end of the grants.
    starts: Box<[usize]>,
    grants: Box<[WatchedGrant]>,
    used: Box<[AtomicU64]>,
    refused: Box<[AtomicU64]>,
    /// One sampler per cell, and one for requests without a cell.
    samplers: Box<[Sampler]>,
    all_samples: Sampler,
    unmapped: Slots<UnmappedRequests>,
}

/// WatchedGrant: a row that grants a cell, and the time since which its use is counted.
#[derive(Clone, Copy)]
struct WatchedGrant {
    row: RowId,
    since: SystemTime,
}

struct UnmappedRequests {
    method: Box<str>,
    template: Box<str>,
    count: AtomicU64,
    last: AtomicU64,
}

impl UsageTally {
    fn of(policy: Option<&Arc<Snapshot>>, previous: Option<&Self>, now: SystemTime) -> Self {
        let cells = policy.map_or(&[][..], |policy| &policy.model.cells);
        let (mut starts, mut grants) = (vec![0], Vec::new());
        for (at, _) in (0..).zip(cells) {
            let rows = policy.map(|policy| policy.grants.rows_with(CellId(at)));
            grants.extend(
                rows.into_iter().flat_map(crate::policy::grants::rows_of).map(|row| WatchedGrant { row, since: now }),
            );
            starts.push(grants.len());
        }
        let words = grants.len().div_ceil(64);
        let counters = |count: usize| std::iter::repeat_with(AtomicU64::default).take(count).collect::<Box<[_]>>();
        let mut tally = Self {
            policy: policy.cloned(),
            starts: starts.into(),
            grants: grants.into(),
            used: counters(words),
            refused: counters(cells.len()),
            samplers: std::iter::repeat_with(Sampler::default).take(cells.len() + 1).collect(),
            all_samples: Sampler::default(),
            unmapped: Slots::new(MAX_UNMAPPED),
        };
        if let Some(previous) = previous {
            tally.inherit_counts(previous);
        }
        tally
    }

    /// Copies the counts of grants, cells and templates that have kept their names.
    fn inherit_counts(&mut self, previous: &Self) {
        let name = |tally: &Self, row: RowId| {
            tally.policy.as_ref().and_then(|policy| policy.row(row)).map(|row| row.name.clone())
        };
        let known: std::collections::HashMap<(&Cell, Box<str>), (SystemTime, bool)> = previous
            .each_grant()
            .filter_map(|(at, cell, grant)| {
                Some(((cell, name(previous, grant.row)?), (grant.since, previous.is_used(at))))
            })
            .collect();
        let same: Vec<(usize, SystemTime, bool)> = self
            .each_grant()
            .filter_map(|(at, cell, grant)| {
                let (since, used) = known.get(&(cell, name(self, grant.row)?))?;
                Some((at, *since, *used))
            })
            .collect();
        for (at, since, used) in same {
            if let Some(grant) = self.grants.get_mut(at) {
                grant.since = since;
            }
            if used {
                self.set_used(at);
            }
        }
        let refusals: std::collections::HashMap<&Cell, u64> = previous.each_refused().collect();
        for (cell, count) in self.cells().iter().zip(&self.refused) {
            count.fetch_add(refusals.get(cell).copied().unwrap_or(0), Ordering::Relaxed);
        }
        for old in previous.unmapped.iter().filter(|old| self.is_unmapped(old)) {
            let (count, last) = (old.count.load(Ordering::Relaxed), old.last.load(Ordering::Relaxed));
            self.add_unmapped(&old.method, &old.template, count, last);
        }
    }

    /// Whether the tally belongs to this version of the policy.
    pub fn is_of(&self, policy: &Arc<Snapshot>) -> bool {
        self.policy.as_ref().is_some_and(|own| Arc::ptr_eq(own, policy))
    }

    /// Marks the grants that a permit has used.
    pub fn mark_used(&self, uses: &UsageTrace) {
        for (cell, row) in uses.iter() {
            let Some((start, grants)) = self.grants_of(cell) else { continue };
            if let Ok(at) = grants.binary_search_by_key(&row, |grant| grant.row) {
                self.set_used(start + at);
            }
        }
    }

    /// Counts a refusal of a cell, even if shadow mode forwards it.
    pub fn count_refusal(&self, cell: Option<CellId>) {
        let at = cell.and_then(|cell| usize::try_from(cell.0).ok());
        if let Some(count) = at.and_then(|at| self.refused.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a request without a route under the guessed template of its path.
    ///
    /// The table of templates has a fixed maximum size.
    pub fn count_unmapped(&self, method: &str, path: &str, at: SystemTime) {
        self.add_unmapped(method, path, 1, seconds(at));
    }

    /// Whether one more line about this cell may be logged in this second; counts the line if so.
    pub fn admit_sample(&self, cell: Option<CellId>, at: SystemTime) -> bool {
        let (each, all) = MAX_SAMPLES;
        let sampler = match cell.and_then(|cell| usize::try_from(cell.0).ok()) {
            Some(at) => self.samplers.get(at),
            None => self.samplers.last(),
        };
        sampler.is_some_and(|sampler| sampler.try_admit(seconds(at), each))
            && self.all_samples.try_admit(seconds(at), all)
    }

    /// The number of grants, and the number of those that no permit has used.
    pub fn grant_counts(&self) -> (usize, usize) {
        let used: u32 = self.used.iter().map(|word| word.load(Ordering::Relaxed).count_ones()).sum();
        let used = usize::try_from(used).unwrap_or(usize::MAX);
        (self.grants.len(), self.grants.len().saturating_sub(used))
    }

    /// The number of templates without a route.
    pub fn unmapped_count(&self) -> usize {
        self.unmapped.iter().count()
    }

    /// The report of the tally for the admin listener.
    pub fn report(&self) -> CoverageReport {
        let policy = self.policy.as_ref();
        let row = |row: RowId| policy.and_then(|policy| policy.row(row)).map_or("", |row| &*row.name).into();
        let unused = self.each_grant().filter(|(at, ..)| !self.is_used(*at)).map(|(_, cell, grant)| UnusedGrant {
            permission: row(grant.row),
            operation: cell.operation.name().into(),
            resource: cell.resource.clone(),
            since: Rfc3339Time(grant.since),
        });
        let mut refused: Vec<RefusedCell> = self
            .each_refused()
            .map(|(cell, count)| RefusedCell {
                operation: cell.operation.name().into(),
                resource: cell.resource.clone(),
                count,
            })
            .collect();
        refused.sort_by_key(|cell| std::cmp::Reverse(cell.count));
        refused.truncate(MAX_REFUSED_CELLS);
        let mut unmapped: Vec<UnmappedTemplate> = self
            .unmapped
            .iter()
            .map(|entry| UnmappedTemplate {
                method: entry.method.clone(),
                template: entry.template.clone(),
                count: entry.count.load(Ordering::Relaxed),
                last_seen: Rfc3339Time(UNIX_EPOCH + Duration::from_secs(entry.last.load(Ordering::Relaxed))),
            })
            .collect();
        unmapped.sort_by(|one, two| {
            let key = |entry: &UnmappedTemplate| (std::cmp::Reverse(entry.count), entry.template.clone());
            key(one).cmp(&key(two))
        });
        CoverageReport {
            policy: policy.map(|policy| policy.version.name.clone()),
            hash: policy.map(|policy| policy.version.hash.clone()),
            unmapped,
            unmapped_left_out: self.unmapped.left_out(),
            grants: self.grants.len(),
            never_used: unused.collect(),
            refused,
        }
    }

    fn cells(&self) -> &[Cell] {
        self.policy.as_ref().map_or(&[], |policy| &policy.model.cells)
    }

    fn grants_of(&self, cell: CellId) -> Option<(usize, &[WatchedGrant])> {
        let at = usize::try_from(cell.0).ok()?;
        let (start, end) = (*self.starts.get(at)?, *self.starts.get(at + 1)?);
        Some((start, self.grants.get(start..end)?))
    }

    /// Every grant with its index and its cell.
    fn each_grant(&self) -> impl Iterator<Item = (usize, &Cell, WatchedGrant)> {
        (0..).zip(self.cells()).flat_map(|(at, cell)| {
            let (start, grants) = self.grants_of(CellId(at)).unwrap_or_default();
            grants.iter().enumerate().map(move |(at, grant)| (start + at, cell, *grant))
        })
    }

    fn each_refused(&self) -> impl Iterator<Item = (&Cell, u64)> {
        let counts = self.refused.iter().map(|count| count.load(Ordering::Relaxed));
        self.cells().iter().zip(counts).filter(|(_, count)| *count > 0)
    }

    fn is_used(&self, at: usize) -> bool {
        self.used.get(at / 64).is_some_and(|word| word.load(Ordering::Relaxed) >> (at % 64) & 1 == 1)
    }

    fn set_used(&self, at: usize) {
        // Most grants are used repeatedly. Reading first avoids contention, because only writing affects other threads.
        if !self.is_used(at)
            && let Some(word) = self.used.get(at / 64)
        {
            word.fetch_or(1 << (at % 64), Ordering::Relaxed);
        }
    }

    fn add_unmapped(&self, method: &str, path: &str, count: u64, last: u64) {
        struct Key<'a>(&'a str, &'a str);
        impl std::hash::Hash for Key<'_> {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.hash(state);
                guess::template_segments(self.1).for_each(|segment| segment.hash(state));
            }
        }
        let is = |known: &UnmappedRequests| {
            let template = known.template.strip_prefix('/').unwrap_or_default().split('/');
            *known.method == *method && template.eq(guess::template_segments(path))
        };
        let make = || UnmappedRequests {
            method: method.into(),
            template: guess::guess_template(path).into(),
            count: AtomicU64::new(0),
            last: AtomicU64::new(0),
        };
        if let Some(entry) = self.unmapped.get_or_insert(Key(method, path), is, make) {
            entry.count.fetch_add(count, Ordering::Relaxed);
            entry.last.fetch_max(last, Ordering::Relaxed);
        }
    }

    /// Whether the policy still has no route that matches a guessed template.
    fn is_unmapped(&self, entry: &UnmappedRequests) -> bool {
        let Some(policy) = self.policy.as_ref() else { return true };
        let example = entry.template.replace(guess::ID, "0");
        let path = CanonicalPath::read(example.as_bytes(), policy.model.dialect);
        !path.is_ok_and(|path| policy.routes.match_route(&entry.method, &path, None).is_ok())
    }
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
