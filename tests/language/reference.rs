//! The reference evaluator: the twelve steps of the policy page as nested loops over the plain policy, without shared
//! code.

use crate::model::{Assignment, Bound, By, Caller, Cell, Gate, Kind, Method, Name, Need, Request, ResponseType, Role};
use crate::model::{PolicyModel, ServiceApps, User};
use crate::route_match::{RouteMatch, match_route, values};

/// Answer: a reason code, the masked field sets, and the gates whose approval is requested.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Answer {
    pub(crate) reason: String,
    pub(crate) masks: Vec<String>,
    pub(crate) asks: Vec<String>,
}

impl Answer {
    /// Whether the request is forwarded.
    pub(crate) fn is_permit(&self) -> bool {
        matches!(&*self.reason, "granted" | "public" | "service-app")
    }

    fn of(reason: &str) -> Self {
        Self { reason: reason.to_owned(), ..Self::default() }
    }
}

/// The time that the conditions of generated policies compare with, in seconds since 1970.
pub(crate) const TURN: u64 = 1_893_456_000;

/// Decides step by step, as the page lists them.
pub(crate) fn decide(model: &PolicyModel, caller: &Caller, request: &Request, now: u64) -> Answer {
    // Steps 1 and 2.
    if !request.readable {
        return Answer::of("bad-request");
    }
    if caller.invalid {
        return Answer::of("unauthenticated");
    }
    // Step 3.
    let matched_route = match_route(model, request);
    let wanted = if request.method == "HEAD" { "GET" } else { request.method };
    let method = match &matched_route {
        RouteMatch::Route(route) => route.methods.iter().find(|method| method.name == wanted),
        _ => None,
    };
    // Step 4.
    if let (RouteMatch::Route(_), Some(Method { need: Need::Public, .. })) = (&matched_route, method) {
        return Answer::of("public");
    }
    // Step 5.
    if caller.kind == Kind::Anonymous {
        return Answer::of("unauthenticated");
    }
    // Step 6.
    let route = match matched_route {
        RouteMatch::Ambiguous => return Answer::of("bad-request"),
        RouteMatch::None => return Answer::of("no-route"),
        RouteMatch::Route(route) => route,
    };
    let Some(method) = method else { return Answer::of("no-method") };
    if matches!(method.need, Need::Nobody) {
        return Answer::of("nobody");
    }
    if method.when.is_some_and(|when| !holds(when, caller, now)) {
        return Answer::of("condition");
    }
    // Step 7.
    let user = model.user(caller.id);
    let tenants = user.and_then(|user| user.tenants.as_ref()).unwrap_or(&caller.tenants);
    let mut scope = values(model, route, request);
    for (name, is_callers) in &model.scopes {
        if !is_callers {
            continue;
        }
        match scope.iter().find(|(known, _)| known == name) {
            Some((_, value)) if !tenants.iter().any(|tenant| tenant == value) => return Answer::of("not-a-member"),
            None if tenants.len() == 1 => scope.push((name, tenants[0].to_owned())),
            _ => {}
        }
    }
    let across = &method.across[..];
    let mut scoped = ScopedCaller { model, caller, now, user, group: None, every_row: false, scope, across };
    // Step 8.
    let unlisted = caller.kind == Kind::Service && user.is_none();
    match model.service_apps.filter(|_| unlisted) {
        Some(ServiceApps::All) => return Answer::of("service-app"),
        Some(ServiceApps::EveryPermission) => scoped.every_row = true,
        None => {
            // Step 9.
            if !model.groups.is_empty() {
                match &scoped.known_groups()[..] {
                    [only] => scoped.group = Some(only),
                    _ => return Answer::of("no-group"),
                }
            }
            if model.one_role && scoped.known_roles() != 1 {
                return Answer::of("not-one-role");
            }
        }
    }
    // Steps 10, 11 and 12.
    match &method.need {
        Need::All(needed) => scoped.evaluate(needed),
        Need::ByType(types) => scoped.evaluate_by_type(types, request.response),
        Need::Public | Need::Nobody => unreachable!(),
    }
}

/// What a request needs.
pub(crate) fn need<'w>(model: &'w PolicyModel, request: &Request) -> Option<&'w Need> {
    let RouteMatch::Route(route) = match_route(model, request) else { return None };
    let wanted = if request.method == "HEAD" { "GET" } else { request.method };
    route.methods.iter().find(|method| method.name == wanted).map(|method| &method.need)
}

/// Whether a condition holds; an error counts as false.
fn holds(when: &str, caller: &Caller, now: u64) -> bool {
    match when {
        "true" => true,
        "false" => false,
        "caller.client == 'app-1'" => caller.client == Some("app-1"),
        "caller.claims.acr == 'mfa'" => caller.mfa,
        "now < timestamp('2030-01-01T00:00:00Z')" => now < TURN,
        "now >= timestamp('2030-01-01T00:00:00Z')" => now >= TURN,
        other => panic!("nobody wrote `{other}`"),
    }
}

/// RowStatus: whether a caller holds a row, or the reason why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum RowStatus {
    NotGranted,
    OutOfScope,
    Condition,
    TakenAway,
    Held,
}

/// ScopedCaller: the caller in one scope.
struct ScopedCaller<'w> {
    model: &'w PolicyModel,
    caller: &'w Caller,
    now: u64,
    user: Option<&'w User>,
    group: Option<Name>,
    every_row: bool,
    scope: Vec<(Name, String)>,
    across: &'w [Name],
}

impl ScopedCaller<'_> {
    fn known_groups(&self) -> Vec<Name> {
        let claimed: Vec<Name> = match self.user.and_then(|user| user.group) {
            Some(group) => vec![group],
            None => self.caller.groups.clone(),
        };
        let mut known: Vec<Name> = Vec::new();
        for group in claimed {
            if self.model.groups.iter().any(|declared| declared.name == group) && !known.contains(&group) {
                known.push(group);
            }
        }
        known
    }

    /// The assignments that count: the policy's, otherwise those of the token that are not ignored.
    fn assignments(&self) -> Vec<&Assignment> {
        if let Some(roles) = self.user.and_then(|user| user.roles.as_ref()) {
            return roles.iter().collect();
        }
        let counts = |claimed: &&Assignment| {
            self.model.role(claimed.role).is_some_and(|role| {
                let names = |scope: &Name| claimed.bound.iter().any(|(name, _)| name == scope);
                !role.policy_only && role.assign_within.iter().all(names)
            })
        };
        self.caller.roles.iter().filter(counts).collect()
    }

    /// The rows that the token claims directly and the policy defines.
    fn claimed_rows(&self) -> Vec<Name> {
        if self.user.is_some_and(|user| user.roles.is_some()) {
            return Vec::new();
        }
        self.caller.permissions.iter().copied().filter(|row| self.model.row(row).is_some()).collect()
    }

    fn known_roles(&self) -> usize {
        let mut distinct: Vec<Name> = Vec::new();
        for assignment in self.assignments() {
            // An assignment whose condition is false does not exist.
            let there = assignment.when.is_none_or(|when| holds(when, self.caller, self.now));
            if there && !distinct.contains(&assignment.role) {
                distinct.push(assignment.role);
            }
        }
        distinct.len() + usize::from(!self.claimed_rows().is_empty())
    }

    /// Whether every name in the bound equals the request's; `across` must list a name that the request lacks.
    fn fits(&self, bound: &Bound, across: &[Name]) -> bool {
        bound.iter().all(|(name, any)| match self.scope.iter().find(|(known, _)| known == name) {
            Some((_, value)) => any.contains(&value.as_str()),
            None => across.contains(name),
        })
    }

    fn row_status(&self, row: Name) -> RowStatus {
        if self.every_row {
            return RowStatus::Held;
        }
        let mut best = RowStatus::NotGranted;
        let mut given = self.model.everyone.contains(&row) || self.claimed_rows().contains(&row);
        let group = self.model.groups.iter().find(|group| Some(group.name) == self.group);
        given |= group.is_some_and(|group| group.permissions.contains(&row));
        for assignment in self.assignments() {
            let Some(role) = self.model.role(assignment.role) else { continue };
            for within in grants_of_row(self.model, role, row) {
                let fits = |bound: &Bound| self.fits(bound, self.across);
                if !fits(&assignment.bound) || !within.is_none_or(fits) {
                    best = best.max(RowStatus::OutOfScope);
                } else if assignment.when.is_some_and(|when| !holds(when, self.caller, self.now)) {
                    best = best.max(RowStatus::Condition);
                } else {
                    given = true;
                }
            }
        }
        let taken = group.is_some_and(|group| group.without.contains(&row))
            || self.user.is_some_and(|user| user.without.contains(&row));
        match (given, taken) {
            _ if self.user.is_some_and(|user| user.permissions.contains(&row)) => RowStatus::Held,
            (true, false) => RowStatus::Held,
            (true, true) => RowStatus::TakenAway,
            (false, _) => best,
        }
    }

    fn is_open(&self, gate: &Gate) -> bool {
        match &gate.by {
            By::Approval { keys, granted, .. } => {
                self.caller.approved.contains(&gate.name)
                    || granted.iter().any(|values| keys.iter().zip(values).all(|(key, value)| self.is(key, value)))
            }
            By::Feature => self.model.profiles.iter().any(|profile| {
                let of_group = |group: &&crate::model::Group| {
                    Some(group.name) == self.group && group.profile == Some(profile.name)
                };
                let applies = self.model.groups.iter().any(|group| of_group(&group))
                    || profile.within.iter().any(|bound| self.fits(bound, self.across));
                applies && profile.features.contains(&gate.name)
            }),
            By::Condition(when) => holds(when, self.caller, self.now),
        }
    }

    fn is(&self, key: Name, value: &str) -> bool {
        match key {
            "client" => self.caller.client == Some(value),
            "caller" => self.caller.id == Some(value),
            _ => self.scope.iter().any(|(name, scoped)| *name == key && scoped == value),
        }
    }

    /// The index of the first gate that closes the row.
    fn first_closed(&self, row: Name) -> Option<usize> {
        let closes = |gate: &&Gate| gate.rows.contains(&row) != gate.except && !self.is_open(gate);
        self.model.gates.iter().position(|gate| closes(&gate))
    }

    fn is_usable(&self, cell: Cell) -> bool {
        let mut having = self.model.rows.iter().filter(|row| row.cells.contains(&cell));
        having.any(|row| self.row_status(row.name) == RowStatus::Held && self.first_closed(row.name).is_none())
    }

    fn refusal_reason(&self, cell: Cell) -> Answer {
        let mut best = RowStatus::NotGranted;
        let mut gate = usize::MAX;
        for row in self.model.rows.iter().filter(|row| row.cells.contains(&cell)) {
            let status = self.row_status(row.name);
            if let (RowStatus::Held, Some(closed)) = (status, self.first_closed(row.name)) {
                gate = gate.min(closed);
            }
            best = best.max(status);
        }
        match best {
            RowStatus::NotGranted => Answer::of("not-granted"),
            RowStatus::OutOfScope => Answer::of("out-of-scope"),
            RowStatus::Condition => Answer::of("condition"),
            RowStatus::TakenAway => Answer::of("taken-away"),
            RowStatus::Held => Answer::of(&format!("gate:{}", self.model.gates[gate].name)),
        }
    }

    fn evaluate(&self, needed: &[Cell]) -> Answer {
        match needed.iter().find(|cell| !self.is_usable(**cell)) {
            Some(lacking) => self.refusal_reason(*lacking),
            None => self.permit(needed),
        }
    }

    fn evaluate_by_type(&self, types: &[(Name, Vec<Cell>)], response: ResponseType) -> Answer {
        let is_usable = |needed: &[Cell]| needed.iter().all(|cell| self.is_usable(*cell));
        if !types.iter().any(|(_, needed)| is_usable(needed)) {
            return self.evaluate(&types[0].1);
        }
        let cells =
            |types: &[&(Name, Vec<Cell>)]| types.iter().flat_map(|(_, needed)| needed.clone()).collect::<Vec<_>>();
        // The candidate types: before the response every usable one, afterwards the one that its type selects.
        let meant: Vec<&(Name, Vec<Cell>)> = match response {
            ResponseType::Unknown => types.iter().filter(|(_, needed)| is_usable(needed)).collect(),
            ResponseType::ContentType(written) => match written.and_then(media_type) {
                None => types.iter().collect(),
                Some((media, family)) => {
                    let ranges = [&*media, &*family, "otherwise"];
                    let mut closest = ranges.iter().filter_map(|range| types.iter().find(|(known, _)| known == range));
                    closest.next().into_iter().collect()
                }
            },
        };
        let proved = !meant.is_empty() && meant.iter().all(|(_, needed)| is_usable(needed));
        if proved { self.permit(&cells(&meant)) } else { Answer::of("wrong-type") }
    }

    fn permit(&self, needed: &[Cell]) -> Answer {
        // A field set's readability is decided in the request's scope: data that a grant elsewhere shows cannot be
        // distinguished.
        let scoped = ScopedCaller { across: &[], scope: self.scope.clone(), ..*self };
        let lists = |resources: &[Name]| needed.iter().any(|(_, resource)| resources.contains(resource));
        let masked = self
            .model
            .fields
            .iter()
            .filter(|(field, resources)| lists(resources) && !scoped.is_usable(("read", field)));
        let asks = |gate: &&Gate| match &gate.by {
            By::Approval { asked_by, .. } => asked_by.iter().any(|cell| needed.contains(cell)),
            _ => false,
        };
        Answer {
            reason: "granted".to_owned(),
            masks: masked.map(|(field, _)| (*field).to_owned()).collect(),
            asks: self.model.gates.iter().filter(asks).map(|gate| gate.name.to_owned()).collect(),
        }
    }
}

/// The ways in which a role grants a row: everywhere or within a bound, its own and those of included roles.
fn grants_of_row<'w>(model: &'w PolicyModel, role: &'w Role, row: Name) -> Vec<Option<&'w Bound>> {
    let mut ways = Vec::new();
    if role.permissions.contains(&row) {
        ways.push(None);
    }
    ways.extend(role.within.iter().filter(|(_, rows)| rows.contains(&row)).map(|(bound, _)| Some(bound)));
    for included in &role.includes {
        ways.extend(model.role(included).into_iter().flat_map(|included| self::grants_of_row(model, included, row)));
    }
    ways
}

/// Type and range of a single valid `Content-Type`: `image/png` and `image/*`.
fn media_type(written: &str) -> Option<(String, String)> {
    let plain = written.split(';').next()?.trim().to_lowercase();
    let (family, _) = plain.split_once('/').filter(|(family, sort)| !family.is_empty() && !sort.is_empty())?;
    let range = format!("{family}/*");
    (!written.contains(',')).then_some((plain, range))
}
