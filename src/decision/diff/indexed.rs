//! IndexedPolicy: one of the two policies, indexed by names for the comparison with the other.

use std::collections::{BTreeSet, HashMap};

use crate::policy::model::{Gate, GateOpener, ScopeBounds};
use crate::policy::route::{Method, Route};
use crate::policy::{RowId, Snapshot};
use crate::vocabulary::{Cell, CellId, Cells};

use super::area::{ScopeArea, ScopeValues};

/// Precondition: a condition that must be met before a held row grants anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Precondition<'p> {
    /// A gate must be open.
    Gate(&'p str),
    /// The condition of the assignment must hold.
    Condition(&'p str),
    /// The token must name a value of this scope for the role.
    NamedScope(&'p str),
}

/// HeldCell: one cell of a holder, with its preconditions, its scope area and the row that gives it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct HeldCell<'p> {
    pub(super) cell: &'p Cell,
    pub(super) preconditions: BTreeSet<Precondition<'p>>,
    pub(super) area: ScopeArea<'p>,
    pub(super) row: &'p str,
}

/// AssignedRole: a role of a holder, with its scope area and preconditions.
#[derive(Debug, Clone)]
pub(super) struct AssignedRole<'p> {
    pub(super) role: u32,
    pub(super) area: ScopeArea<'p>,
    pub(super) preconditions: BTreeSet<Precondition<'p>>,
}

/// Holder: the group, roles and rows of a caller whose cells are compared.
#[derive(Debug, Clone, Default)]
pub(super) struct Holder<'p> {
    pub(super) group: Option<u32>,
    pub(super) roles: Vec<AssignedRole<'p>>,
    /// The rows that a token claims.
    pub(super) claimed_rows: Vec<RowId>,
    /// The rows that the entry under `users:` gives.
    pub(super) own_rows: Vec<RowId>,
    /// The rows that the entry under `users:` takes away.
    pub(super) excluded_rows: Vec<RowId>,
}

/// IndexedPolicy: one policy with its indexes.
pub(super) struct IndexedPolicy<'p> {
    pub(super) policy: &'p Snapshot,
    /// For each cell, the methods that need it, or whose responses it unmasks.
    pub(super) methods_by_cell: HashMap<&'p Cell, Vec<(&'p Route, &'p Method)>>,
    /// For each row, its preconditions.
    preconditions: Vec<BTreeSet<Precondition<'p>>>,
    pub(super) rows: HashMap<&'p str, RowId>,
    pub(super) roles: HashMap<&'p str, u32>,
    pub(super) groups: HashMap<&'p str, u32>,
}

impl<'p> IndexedPolicy<'p> {
    /// Indexes a policy; `aliases` maps renamed gates to their names in the other policy.
    pub(super) fn new(policy: &'p Snapshot, aliases: &HashMap<&'p str, &'p str>) -> Self {
        let model = &policy.model;
        let mut preconditions = vec![BTreeSet::new(); model.rows.len()];
        for gate in &model.gates {
            let name = &*gate.name;
            for row in &gate.closes {
                if let Some(set) = usize::try_from(row.0).ok().and_then(|at| preconditions.get_mut(at)) {
                    set.insert(Precondition::Gate(aliases.get(name).copied().unwrap_or(name)));
                }
            }
        }
        let mut methods_by_cell: HashMap<&Cell, Vec<(&Route, &Method)>> = HashMap::new();
        for route in policy.routes.routes() {
            for method in &route.methods {
                for cell in needed_cells(&method.cells).filter_map(|cell| policy.cell(cell)) {
                    let masked = model
                        .fields
                        .iter()
                        .filter(|set| set.resources.iter().any(|(resource, _)| *resource == cell.resource));
                    let reads = masked.filter_map(|set| policy.cell(set.read?));
                    for cell in reads.chain([cell]) {
                        methods_by_cell.entry(cell).or_default().push((route, method));
                    }
                }
            }
        }
        Self {
            policy,
            methods_by_cell,
            preconditions,
            rows: (0..).zip(&model.rows).map(|(at, row)| (&*row.name, RowId(at))).collect(),
            roles: (0..).zip(&model.roles).map(|(at, role)| (&*role.name, at)).collect(),
            groups: (0..).zip(&model.groups).map(|(at, group)| (&*group.name, at)).collect(),
        }
    }

    pub(super) fn scope_name(&self, at: u8) -> &'p str {
        self.policy.model.scopes.get(usize::from(at)).map_or("", |scope| &scope.name)
    }

    /// The scope whose values are the caller's tenants.
    pub(super) fn caller_scope(&self) -> Option<&'p str> {
        self.policy.model.scopes.iter().find(|scope| scope.caller).map(|scope| &*scope.name)
    }

    pub(super) fn scope_area(&self, bounds: &'p ScopeBounds) -> ScopeArea<'p> {
        let bound = bounds
            .iter()
            .map(|(at, values)| (self.scope_name(*at), ScopeValues::bound_to(values.iter().map(|value| &**value))));
        ScopeArea(bound.collect())
    }

    pub(super) fn row_name(&self, row: RowId) -> &'p str {
        self.policy.row(row).map_or("", |row| &row.name)
    }

    pub(super) fn every_row(&self) -> Vec<RowId> {
        (0..).zip(&self.policy.model.rows).map(|(at, _)| RowId(at)).collect()
    }

    /// The terms of a row apart from its name: its cells and its preconditions.
    pub(super) fn row_terms(&self, row: RowId) -> (BTreeSet<&'p Cell>, &BTreeSet<Precondition<'p>>) {
        static NONE: BTreeSet<Precondition<'static>> = BTreeSet::new();
        let cells = self.policy.row(row).into_iter().flat_map(|row| &row.cells);
        let preconditions = usize::try_from(row.0).ok().and_then(|at| self.preconditions.get(at));
        (cells.filter_map(|cell| self.policy.cell(*cell)).collect(), preconditions.unwrap_or(&NONE))
    }

    /// Every cell of the holder, by the formula of the language.
    pub(super) fn held_cells(&self, holder: &Holder<'p>) -> Vec<HeldCell<'p>> {
        let model = &self.policy.model;
        let group = holder.group.and_then(|at| model.groups.get(usize::try_from(at).ok()?));
        let excluded: BTreeSet<RowId> =
            group.iter().flat_map(|group| &group.without).chain(&holder.excluded_rows).copied().collect();
        let mut found = Vec::new();
        let (everywhere, unconditional) = (ScopeArea::default(), BTreeSet::new());
        for row in &holder.own_rows {
            self.add_row_cells(*row, &everywhere, &unconditional, &mut found);
        }
        let group_rows =
            group.iter().flat_map(|group| &group.permissions).chain(&model.everyone).chain(&holder.claimed_rows);
        for row in group_rows.filter(|row| !excluded.contains(row)) {
            self.add_row_cells(*row, &everywhere, &unconditional, &mut found);
        }
        for assigned in &holder.roles {
            let role = usize::try_from(assigned.role).ok().and_then(|at| model.roles.get(at));
            for part in role.into_iter().flat_map(|role| &role.parts) {
                let Some(area) = self.scope_area(&part.scope).intersect(&assigned.area) else { continue };
                for row in part.rows.iter().filter(|row| !excluded.contains(row)) {
                    self.add_row_cells(*row, &area, &assigned.preconditions, &mut found);
                }
            }
        }
        found
    }

    fn add_row_cells(
        &self,
        row: RowId,
        area: &ScopeArea<'p>,
        preconditions: &BTreeSet<Precondition<'p>>,
        found: &mut Vec<HeldCell<'p>>,
    ) {
        let (cells, own) = self.row_terms(row);
        for cell in cells {
            let preconditions = preconditions | own;
            found.push(HeldCell { cell, preconditions, area: area.clone(), row: self.row_name(row) });
        }
    }

    /// A role as a token claims it; `None` if the claim does not count.
    pub(super) fn claimed_role(&self, name: &str) -> Option<AssignedRole<'p>> {
        let at = *self.roles.get(name)?;
        let role = self.policy.model.roles.get(usize::try_from(at).ok()?).filter(|role| !role.policy_only)?;
        let required = (0_u8..8).filter(|scope| role.assign_within >> scope & 1 == 1);
        let preconditions = required.map(|scope| Precondition::NamedScope(self.scope_name(scope))).collect();
        Some(AssignedRole { role: at, area: ScopeArea::default(), preconditions })
    }

    pub(super) fn gate(&self, name: &str) -> Option<&'p Gate> {
        self.policy.model.gates.iter().find(|gate| &*gate.name == name)
    }

    /// The condition of a gate by condition.
    pub(super) fn gate_condition(&self, gate: &'p Gate) -> Option<&'p str> {
        match &gate.by {
            GateOpener::Condition(condition) => self.policy.condition(*condition).map(|condition| condition.text()),
            GateOpener::Approval(_) | GateOpener::Feature => None,
        }
    }
}

/// Every cell that a method needs for some response.
pub(super) fn needed_cells(cells: &Cells) -> impl Iterator<Item = CellId> {
    let (all, by_type) = match cells {
        Cells::All(cells) => (&**cells, [].as_slice()),
        Cells::ByType(candidates) => ([].as_slice(), &**candidates),
        Cells::Public | Cells::Nobody => ([].as_slice(), [].as_slice()),
    };
    all.iter().chain(by_type.iter().flat_map(|candidate| &candidate.cells)).copied()
}
