//! IndexedPolicy: one of the two policies, by the names of its things, so that it can be held against the other.

use std::collections::{BTreeSet, HashMap};

use crate::policy::model::{Gate, GateOpener, ScopeBounds};
use crate::policy::route::{Method, Route};
use crate::policy::{RowId, Snapshot};
use crate::vocabulary::{Cell, CellId, Cells};

use super::area::{ScopeArea, ScopeValues};

/// Precondition: something without which a row that is held is of no use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Precondition<'p> {
    /// A gate must be open.
    Gate(&'p str),
    /// A condition of the assignment must hold.
    When(&'p str),
    /// The token must name a scope for the role.
    Named(&'p str),
}

/// HeldCell: one cell that somebody holds: where, behind which locks, and through which row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct HeldCell<'p> {
    pub(super) cell: &'p Cell,
    pub(super) locks: BTreeSet<Precondition<'p>>,
    pub(super) area: ScopeArea<'p>,
    pub(super) row: &'p str,
}

/// AssignedRole: a role as somebody has it.
#[derive(Debug, Clone)]
pub(super) struct AssignedRole<'p> {
    pub(super) role: u32,
    pub(super) area: ScopeArea<'p>,
    pub(super) lock: BTreeSet<Precondition<'p>>,
}

/// Holder: whose holdings are asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Holder<'p> {
    pub(super) group: Option<u32>,
    pub(super) roles: Vec<AssignedRole<'p>>,
    pub(super) claimed: Vec<RowId>,
    pub(super) own: Vec<RowId>,
    pub(super) without: Vec<RowId>,
}

/// IndexedPolicy: one policy, indexed.
pub(super) struct IndexedPolicy<'p> {
    pub(super) policy: &'p Snapshot,
    /// For each cell the methods that need it, or whose answers are masked by it.
    pub(super) uses: HashMap<&'p Cell, Vec<(&'p Route, &'p Method)>>,
    locks: Vec<BTreeSet<Precondition<'p>>>,
    pub(super) rows: HashMap<&'p str, RowId>,
    pub(super) roles: HashMap<&'p str, u32>,
    pub(super) groups: HashMap<&'p str, u32>,
}

impl<'p> IndexedPolicy<'p> {
    /// The side of `policy`; `alias` gives gates that only changed their names the one of the other side.
    pub(super) fn new(policy: &'p Snapshot, alias: &HashMap<&'p str, &'p str>) -> Self {
        let model = &policy.model;
        let mut locks = vec![BTreeSet::new(); model.rows.len()];
        for gate in &model.gates {
            let name = &*gate.name;
            for row in &gate.closes {
                if let Some(set) = usize::try_from(row.0).ok().and_then(|at| locks.get_mut(at)) {
                    set.insert(Precondition::Gate(alias.get(name).copied().unwrap_or(name)));
                }
            }
        }
        let mut uses: HashMap<&Cell, Vec<(&Route, &Method)>> = HashMap::new();
        for route in policy.routes.routes() {
            for method in &route.methods {
                for cell in needed(&method.cells).filter_map(|cell| policy.cell(cell)) {
                    let masked = model
                        .fields
                        .iter()
                        .filter(|set| set.resources.iter().any(|(resource, _)| *resource == cell.resource));
                    let reads = masked.filter_map(|set| policy.cell(set.read?));
                    for cell in reads.chain([cell]) {
                        uses.entry(cell).or_default().push((route, method));
                    }
                }
            }
        }
        Self {
            policy,
            uses,
            locks,
            rows: (0..).zip(&model.rows).map(|(at, row)| (&*row.name, RowId(at))).collect(),
            roles: (0..).zip(&model.roles).map(|(at, role)| (&*role.name, at)).collect(),
            groups: (0..).zip(&model.groups).map(|(at, group)| (&*group.name, at)).collect(),
        }
    }

    pub(super) fn scope_name(&self, at: u8) -> &'p str {
        self.policy.model.scopes.get(usize::from(at)).map_or("", |scope| &scope.name)
    }

    /// The scope whose values are the caller's.
    pub(super) fn caller_scope(&self) -> Option<&'p str> {
        self.policy.model.scopes.iter().find(|scope| scope.caller).map(|scope| &*scope.name)
    }

    pub(super) fn area(&self, bounds: &'p ScopeBounds) -> ScopeArea<'p> {
        let bound = bounds
            .iter()
            .map(|(at, values)| (self.scope_name(*at), ScopeValues::bound(values.iter().map(|value| &**value))));
        ScopeArea(bound.collect())
    }

    pub(super) fn row_name(&self, row: RowId) -> &'p str {
        self.policy.row(row).map_or("", |row| &row.name)
    }

    pub(super) fn every_row(&self) -> Vec<RowId> {
        (0..).zip(&self.policy.model.rows).map(|(at, _)| RowId(at)).collect()
    }

    /// What decides about a row beside its name: its cells and its locks.
    pub(super) fn row_says(&self, row: RowId) -> (BTreeSet<&'p Cell>, &BTreeSet<Precondition<'p>>) {
        static NONE: BTreeSet<Precondition<'static>> = BTreeSet::new();
        let cells = self.policy.row(row).into_iter().flat_map(|row| &row.cells);
        let locks = usize::try_from(row.0).ok().and_then(|at| self.locks.get(at));
        (cells.filter_map(|cell| self.policy.cell(*cell)).collect(), locks.unwrap_or(&NONE))
    }

    /// Everything that somebody holds, cell by cell, by the formula of the language.
    pub(super) fn atoms(&self, person: &Holder<'p>) -> Vec<HeldCell<'p>> {
        let model = &self.policy.model;
        let group = person.group.and_then(|at| model.groups.get(usize::try_from(at).ok()?));
        let taken: BTreeSet<RowId> =
            group.iter().flat_map(|group| &group.without).chain(&person.without).copied().collect();
        let mut found = Vec::new();
        let (everywhere, unlocked) = (ScopeArea::default(), BTreeSet::new());
        for row in &person.own {
            self.add(*row, &everywhere, &unlocked, &mut found);
        }
        let given = group.iter().flat_map(|group| &group.permissions).chain(&model.everyone).chain(&person.claimed);
        for row in given.filter(|row| !taken.contains(row)) {
            self.add(*row, &everywhere, &unlocked, &mut found);
        }
        for given in &person.roles {
            let role = usize::try_from(given.role).ok().and_then(|at| model.roles.get(at));
            for part in role.into_iter().flat_map(|role| &role.parts) {
                let Some(area) = self.area(&part.scope).and(&given.area) else { continue };
                for row in part.rows.iter().filter(|row| !taken.contains(row)) {
                    self.add(*row, &area, &given.lock, &mut found);
                }
            }
        }
        found
    }

    fn add(&self, row: RowId, area: &ScopeArea<'p>, locks: &BTreeSet<Precondition<'p>>, found: &mut Vec<HeldCell<'p>>) {
        let (cells, own) = self.row_says(row);
        for cell in cells {
            let locks = locks | own;
            found.push(HeldCell { cell, locks, area: area.clone(), row: self.row_name(row) });
        }
    }

    /// A role as a token claims it; `None` where that does not count.
    pub(super) fn claimed(&self, name: &str) -> Option<AssignedRole<'p>> {
        let at = *self.roles.get(name)?;
        let role = self.policy.model.roles.get(usize::try_from(at).ok()?).filter(|role| !role.policy_only)?;
        let wanted = (0_u8..8).filter(|scope| role.assign_within >> scope & 1 == 1);
        let lock = wanted.map(|scope| Precondition::Named(self.scope_name(scope))).collect();
        Some(AssignedRole { role: at, area: ScopeArea::default(), lock })
    }

    pub(super) fn gate(&self, name: &str) -> Option<&'p Gate> {
        self.policy.model.gates.iter().find(|gate| &*gate.name == name)
    }

    /// The text of a condition gate.
    pub(super) fn gate_text(&self, gate: &'p Gate) -> Option<&'p str> {
        match &gate.by {
            GateOpener::Condition(condition) => self.policy.condition(*condition).map(|condition| condition.text()),
            GateOpener::Approval(_) | GateOpener::Feature => None,
        }
    }
}

/// Every cell that a method needs for some answer.
pub(super) fn needed(cells: &Cells) -> impl Iterator<Item = CellId> {
    let (all, by_type) = match cells {
        Cells::All(cells) => (&**cells, [].as_slice()),
        Cells::ByType(candidates) => ([].as_slice(), &**candidates),
        Cells::Public | Cells::Nobody => ([].as_slice(), [].as_slice()),
    };
    all.iter().chain(by_type.iter().flat_map(|candidate| &candidate.cells)).copied()
}
