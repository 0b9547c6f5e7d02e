//! Generates small random policies from seeds, whose parts often refer to each other.

use std::sync::LazyLock;

use crate::model::{
    Assignment, Bound, By, Cell, Gate, Group, Method, Name, Need, Profile, Role, Route, Row, ServiceApps,
};
use crate::model::{PolicyModel, User};
use crate::seeded_random::SeededRandom;

/// Templates with dead-end choices, case differences, or a scope in path or query.
pub(crate) const TEMPLATES: [(Name, &[Name]); 14] = [
    ("/{tenant}/alpha", &[]),
    ("/{tenant}/alpha/{ward}", &[]),
    ("/{tenant}/{ward}/beta", &[]),
    ("/{tenant}/sites/{site}/wards/{ward}", &[]),
    ("/wards/{ward}", &[]),
    ("/wards/{ward}/{id}", &[]),
    ("/flat", &[]),
    ("/flat/{id}", &[]),
    ("/flat/Merge", &[]),
    ("/files/{*rest}", &[]),
    ("/list", &["ward"]),
    ("/list/{id}", &["ward", "site"]),
    ("/{tenant}/list", &["site"]),
    ("/mine", &["tenant"]),
];

const CONDITIONS: [Name; 6] = [
    "true",
    "false",
    "caller.client == 'app-1'",
    "caller.claims.acr == 'mfa'",
    "now < timestamp('2030-01-01T00:00:00Z')",
    "now >= timestamp('2030-01-01T00:00:00Z')",
];
const DIALECTS: [Name; 12] = ["", "", "", "", "strict", "iis", "tomcat", "spring", "php", "wsgi", "express", "nginx"];
const RESOURCES: [Name; 3] = ["Alpha", "Beta", "Gamma"];
const FIELDS: [Name; 2] = ["PHI", "Notes"];
const OPERATIONS: [Name; 4] = ["read", "update", "delete", "check-in"];
const ROWS: [Name; 7] = ["Row 1", "Row 2", "Row 3", "Row 4", "Row 5", "Row 6", "Row 7"];
static FILLERS: LazyLock<Vec<Name>> = LazyLock::new(|| (0..64).map(|at| &*format!("Filler {at}").leak()).collect());
const RANGES: [Name; 4] = ["image/png", "image/*", "text/plain", "otherwise"];

/// The values of a scope that policies name.
pub(crate) fn values(scope: &str) -> [Name; 2] {
    match scope {
        "tenant" => ["t1", "t2"],
        "ward" => ["w1", "w2"],
        _ => ["s1", "s2"],
    }
}

/// Part: an optional part of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Groups,
    Gates,
    Fields,
    OneRole,
    ByType,
    Within,
    Assign,
    When,
    Query,
}

/// The parts that the program enforces.
pub(crate) const PARTS: [Part; 9] = [
    Part::Groups,
    Part::Gates,
    Part::Fields,
    Part::OneRole,
    Part::ByType,
    Part::Within,
    Part::Assign,
    Part::When,
    Part::Query,
];

/// The policy of a seed, with no other optional parts than these.
pub(crate) fn generate_policy(seed: u64, parts: &[Part]) -> PolicyModel {
    let random = &mut SeededRandom::new(seed);
    // Each policy leaves some parts out: with all of them, few requests get far.
    let parts: Vec<Part> = parts.iter().copied().filter(|_| random.chance(60)).collect();
    let dialect = if random.chance(30) { "aspnet" } else { random.pick(&DIALECTS) };
    let mut made = PolicyModel { dialect, ..PolicyModel::default() };
    for (scope, caller, percent) in [("ward", false, 75), ("tenant", true, 80), ("site", false, 35)] {
        if random.chance(percent) {
            made.scopes.push((scope, caller && !random.chance(15)));
        }
    }
    let mut generator = PolicyGenerator { random, parts, model: made };
    generator.cells();
    generator.gates_and_profiles();
    generator.people();
    generator.model
}

struct PolicyGenerator<'d> {
    random: &'d mut SeededRandom,
    parts: Vec<Part>,
    model: PolicyModel,
}

impl PolicyGenerator<'_> {
    fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    fn when(&mut self, percent: usize) -> Option<Name> {
        let fine = self.has(Part::When) && self.random.chance(percent);
        fine.then(|| self.random.pick(&CONDITIONS))
    }

    /// Resources, field sets, routes and the rows over their cells.
    fn cells(&mut self) {
        let count = 2 + self.random.below(2);
        self.model.resources = RESOURCES[..count].to_vec();
        if self.has(Part::Fields) {
            for field in self.random.some(&FIELDS, 1, 2) {
                let listed = self.random.some(&self.model.resources, 1, 2);
                self.model.fields.push((field, listed));
            }
        }
        let mut pool: Vec<Cell> = Vec::new();
        for resource in self.model.resources.clone() {
            pool.extend(self.random.some(&OPERATIONS, 2, 3).into_iter().map(|operation| (operation, resource)));
        }
        let open = pool.clone();
        pool.extend(self.model.fields.iter().map(|(field, _)| ("read", *field)));
        for (path, query) in TEMPLATES {
            let declared = query.iter().all(|name| self.scope_names().contains(name));
            if self.random.chance(70) && declared && (query.is_empty() || self.has(Part::Query)) {
                let methods = self.random.some(&["GET", "GET", "POST", "DELETE", "OPTIONS"], 1, 3);
                let mut route = Route { path, query: query.to_vec(), methods: Vec::new() };
                for name in methods {
                    if route.methods.iter().all(|method| method.name != name) {
                        let method = self.method(name, &pool);
                        route.methods.push(method);
                    }
                }
                self.model.routes.push(route);
            }
        }
        if self.model.routes.is_empty() {
            let method = self.method("GET", &pool);
            self.model.routes.push(Route { path: "/flat", query: Vec::new(), methods: vec![method] });
        }
        let used = used_cells(&self.model.routes);
        // A named operation that no route uses is an error in a row, a letter is a note.
        let fine: Vec<Cell> =
            open.iter().chain(&pool).copied().filter(|cell| cell.0 != "check-in" || used.contains(cell)).collect();
        let count = 3 + self.random.below(5);
        for name in &ROWS[..count] {
            let mut cells: Vec<Cell> = Vec::new();
            for cell in self.random.some(&fine, 0, 4) {
                if !cells.contains(&cell) {
                    cells.push(cell);
                }
            }
            self.model.rows.push(Row { name, cells });
        }
        if self.random.chance(20) {
            // Enough rows for a second word of every bit set, in between the others.
            let at = 1 + self.random.below(self.model.rows.len() - 1);
            let fillers = FILLERS.iter().map(|name| Row { name, cells: Vec::new() });
            self.model.rows.splice(at..at, fillers);
        }
        self.model.everyone = if self.random.chance(60) { self.rows(0, 2) } else { Vec::new() };
        let words = [None, Some(ServiceApps::All), Some(ServiceApps::EveryPermission)];
        self.model.service_apps = self.random.pick(&words);
    }

    fn method(&mut self, name: Name, pool: &[Cell]) -> Method {
        let need = match self.random.below(100) {
            0..6 => Need::Public,
            6..12 => Need::Nobody,
            12..35 if name == "GET" && self.has(Part::ByType) => {
                let ranges = self.random.some(&RANGES, 1, 3);
                Need::ByType(ranges.into_iter().map(|range| (range, self.random.some(pool, 1, 2))).collect())
            }
            _ => Need::All(self.random.some(pool, 1, 2)),
        };
        if matches!(need, Need::Public | Need::Nobody) {
            return Method { name, need, across: Vec::new(), when: None };
        }
        let across = if self.random.chance(30) { self.random.some(&self.scope_names(), 0, 2) } else { Vec::new() };
        Method { name, need, across, when: self.when(12) }
    }

    fn scope_names(&self) -> Vec<Name> {
        self.model.scopes.iter().map(|(name, _)| *name).collect()
    }

    fn rows(&mut self, least: usize, most: usize) -> Vec<Name> {
        let all: Vec<Name> = self.model.rows.iter().map(|row| row.name).filter(|name| ROWS.contains(name)).collect();
        self.random.some(&all, least, most)
    }

    /// Some values for some scopes.
    fn bound(&mut self, least: usize) -> Bound {
        let names = self.scope_names();
        let chosen = self.random.some(&names, least, 2.max(least));
        chosen.into_iter().map(|scope| (scope, self.random.some(&values(scope), 1, 2))).collect()
    }

    fn gates_and_profiles(&mut self) {
        for name in ["first-gate", "second-gate", "third-gate"] {
            if !self.random.chance(35) {
                continue;
            }
            let by = match self.random.below(3) {
                1 if self.has(Part::Gates) => By::Feature,
                2 if self.has(Part::Gates) => By::Condition(self.random.pick(&CONDITIONS)),
                _ => self.approval(),
            };
            let rows = self.rows(1, 3);
            self.model.gates.push(Gate { name, by, rows, except: self.random.chance(35) });
        }
        let gates = self.model.gates.iter().filter(|gate| matches!(gate.by, By::Feature));
        let features: Vec<Name> = gates.map(|gate| gate.name).collect();
        for name in ["Profile 1", "Profile 2"] {
            if !features.is_empty() {
                let features = self.random.some(&features, 1, 2);
                let within =
                    if self.scope_names().is_empty() || !self.random.chance(50) { 0 } else { 1 + self.random.below(2) };
                let within = (0..within).map(|_| self.bound(1)).collect();
                self.model.profiles.push(Profile { name, features, within });
            }
        }
    }

    fn approval(&mut self) -> By {
        let keys = [vec!["client", "caller"], self.scope_names()].concat();
        let keys = self.random.some(&keys, 1, 2);
        let used = used_cells(&self.model.routes);
        let asked_by = if self.random.chance(60) { self.random.some(&used, 0, 2) } else { Vec::new() };
        let mut granted = Vec::new();
        for _ in 0..self.random.below(3) {
            let value = |key: &Name, random: &mut SeededRandom| match *key {
                "client" => random.pick(&["app-1", "app-2"]),
                "caller" => random.pick(&["u1", "u3"]),
                scope => random.pick(&values(scope)),
            };
            granted.push(keys.iter().map(|key| value(key, self.random)).collect());
        }
        By::Approval { keys, asked_by, granted }
    }

    fn people(&mut self) {
        if self.has(Part::Groups) {
            let profiles: Vec<Name> = self.model.profiles.iter().map(|profile| profile.name).collect();
            for name in ["Group 1", "Group 2"] {
                let profile = self.random.some(&profiles, 0, 1).pop();
                let (permissions, without) = self.given_and_taken();
                self.model.groups.push(Group { name, profile, permissions, without });
            }
        }
        self.model.one_role = self.has(Part::OneRole) && self.random.chance(50);
        let count = 2 + self.random.below(3);
        for name in ["Role 1", "Role 2", "Role 3", "Role 4"].into_iter().take(count) {
            let role = self.role(name);
            self.model.roles.push(role);
        }
        for id in ["u1", "u2", "svc-1"] {
            if self.random.chance(65) {
                let user = self.user(id);
                self.model.users.push(user);
            }
        }
    }

    /// Rows to grant, and other rows to take away.
    fn given_and_taken(&mut self) -> (Vec<Name>, Vec<Name>) {
        let given = self.rows(0, 2);
        let mut taken = self.rows(0, 2);
        taken.retain(|row| !given.contains(row));
        (given, taken)
    }

    fn role(&mut self, name: Name) -> Role {
        let before: Vec<Name> = self.model.roles.iter().map(|role| role.name).collect();
        let includes = if self.random.chance(40) { self.random.some(&before, 0, 2) } else { Vec::new() };
        let travels = includes.iter().any(|name| self.model.role(name).is_some_and(|role| role.policy_only));
        let policy_only = travels || (self.has(Part::Assign) && self.random.chance(15));
        let mut role = Role { name, includes, permissions: self.rows(0, 3), policy_only, ..Role::default() };
        if self.has(Part::Within) && !self.model.scopes.is_empty() && self.random.chance(50) {
            for _ in 0..1 + self.random.below(2) {
                let bound = self.bound(1);
                role.within.push((bound, self.rows(1, 2)));
            }
        }
        if self.has(Part::Assign) && self.random.chance(25) {
            role.assign_within = self.random.some(&self.scope_names(), 1, 2);
        }
        role
    }

    fn user(&mut self, id: Name) -> User {
        let groups: Vec<Name> = self.model.groups.iter().map(|group| group.name).collect();
        let group = if self.random.chance(50) { self.random.some(&groups, 0, 1).pop() } else { None };
        let (permissions, without) = self.given_and_taken();
        let tenants = self.random.chance(30).then(|| self.random.some(&values("tenant"), 0, 2));
        let mut user = User { id, group, roles: None, permissions, without, tenants };
        if self.random.chance(55) {
            let names: Vec<Name> = self.model.roles.iter().map(|role| role.name).collect();
            let most = if self.model.one_role { 1 } else { 2 };
            let mut roles = Vec::new();
            for role in self.random.some(&names, 0, most) {
                for _ in 0..1 + usize::from(self.random.chance(20)) {
                    roles.push(self.assignment(role));
                }
            }
            user.roles = Some(roles);
        }
        user
    }

    /// An assignment with the scopes that the role requires.
    fn assignment(&mut self, role: Name) -> Assignment {
        let mut bound = if self.random.chance(60) { self.bound(0) } else { Vec::new() };
        let wanted = self.model.role(role).map(|role| role.assign_within.clone()).unwrap_or_default();
        for scope in wanted {
            if bound.iter().all(|(name, _)| *name != scope) {
                bound.push((scope, self.random.some(&values(scope), 1, 2)));
            }
        }
        Assignment { role, bound, when: self.when(30) }
    }
}

/// The cells that some route needs, each once.
fn used_cells(routes: &[Route]) -> Vec<Cell> {
    let mut used: Vec<Cell> = Vec::new();
    for cell in routes.iter().flat_map(|route| &route.methods).flat_map(|method| method.need.cells()) {
        if !used.contains(&cell) {
            used.push(cell);
        }
    }
    used
}
