//! The questions put to a world: callers and requests around everything that it names.

use crate::dice::Dice;
use crate::making::{TEMPLATES, values};
use crate::naive::TURN;
use crate::world::{Answered, Assignment, Bound, Caller, Kind, Name, Request, World};

/// How many callers and requests meet each world.
const CALLERS: usize = 16;
const REQUESTS: usize = 24;

/// What answers call themselves; the last three are no single valid type.
const TYPES: [Name; 9] = [
    "image/png",
    "Image/PNG; q=1",
    "image/gif",
    "text/plain; charset=utf-8",
    "text/html",
    "application/json",
    "image/png, text/plain",
    "image",
    "",
];

/// Asking: all callers put all requests at one moment.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) callers: Vec<Caller>,
    pub(crate) requests: Vec<Request>,
    pub(crate) now: u64,
}

impl Asking {
    /// The questions of a seed to its world.
    pub(crate) fn new(seed: u64, world: &World) -> Self {
        let dice = &mut Dice::new(seed ^ 0xa5c5_0000_0000_0000);
        let mut callers: Vec<Caller> = (0..CALLERS).map(|_| caller(dice, world)).collect();
        callers.push(Caller::default());
        callers.push(Caller { invalid: true, ..caller(dice, world) });
        let mut requests: Vec<Request> = (0..REQUESTS).map(|_| request(dice, world)).collect();
        requests.push(Request {
            method: "GET",
            path: "/flat/../alpha".into(),
            query: Vec::new(),
            readable: false,
            answered: Answered::NotYet,
        });
        let now = if dice.chance(50) { TURN - 1 } else { TURN };
        Self { callers, requests, now }
    }
}

fn caller(dice: &mut Dice, world: &World) -> Caller {
    let names = |own: &mut dyn Iterator<Item = Name>, stranger: Name| own.chain([stranger]).collect::<Vec<_>>();
    let roles = names(&mut world.roles.iter().map(|role| role.name), "Stranger");
    let rows = names(&mut world.rows.iter().map(|row| row.name), "Unheard");
    let groups = names(&mut world.groups.iter().map(|group| group.name), "Strangers");
    let gates: Vec<Name> = world.gates.iter().map(|gate| gate.name).collect();
    let kind = if dice.chance(22) { Kind::Service } else { Kind::User };
    let (ids, id_percent): (&[Name], _) =
        if kind == Kind::Service { (&["svc-1", "svc-2"], 60) } else { (&["u1", "u2", "u3"], 92) };
    let roles = dice.some(&roles, 0, 2).into_iter().map(|role| Assignment { role, bound: bound(dice), when: None });
    let roles = roles.collect();
    let (least, most) = (usize::from(dice.chance(85)), if dice.chance(75) { 1 } else { 2 });
    Caller {
        kind,
        invalid: false,
        id: dice.chance(id_percent).then(|| dice.pick(ids)),
        client: dice.chance(85).then(|| dice.pick(&["app-1", "app-1", "app-2"])),
        tenants: if dice.chance(70) { vec!["t1"] } else { dice.some(&["t1", "t2"], 0, 2) },
        roles,
        groups: dice.some(&groups, least, most),
        permissions: if dice.chance(40) { dice.some(&rows, 0, 3) } else { Vec::new() },
        approved: dice.some(&gates, 0, 2),
        mfa: dice.chance(50),
    }
}

/// What a token says of a role's scope; the policy need not know the name.
fn bound(dice: &mut Dice) -> Bound {
    if dice.chance(45) {
        return Vec::new();
    }
    let scopes = dice.some(&["tenant", "ward", "ward", "site", "planet"], 1, 2);
    let mut bound: Bound = Vec::new();
    for scope in scopes {
        if bound.iter().all(|(name, _)| *name != scope) {
            bound.push((scope, dice.some(&values(scope), 1, 2)));
        }
    }
    bound
}

fn request(dice: &mut Dice, world: &World) -> Request {
    // Mostly a route of the world, else one that it may not have.
    let route = dice.pick(&world.routes);
    let (path, query) = if dice.chance(90) {
        (route.path, route.query.clone())
    } else {
        dice.pick(&TEMPLATES.map(|(path, query)| (path, query.to_vec())))
    };
    let mut segments: Vec<String> = Vec::new();
    for part in path.split('/') {
        segments.push(match part {
            "{tenant}" => dice.pick(&["t1", "t1", "t1", "t2", "T1", "wards", "files"]).to_owned(),
            "{ward}" => dice.pick(&["w1", "w1", "w2", "w3", "beta", "list"]).to_owned(),
            "{site}" => dice.pick(&["s1", "s1", "s2", "S1"]).to_owned(),
            "{id}" => dice.pick(&["i1", "w1", "Merge", "merge"]).to_owned(),
            "{*rest}" => dice.pick(&["one", "one/two", "Merge"]).to_owned(),
            literal if dice.chance(4) => literal.to_ascii_uppercase(),
            literal => literal.to_owned(),
        });
    }
    let mut sent = Vec::new();
    for name in query {
        match dice.below(100) {
            0..20 => {}
            20..27 => sent.extend([(name, values(name)[0]), (name, values(name)[1])]),
            27..32 => {
                let other = match name {
                    "ward" => "Ward",
                    "site" => "SITE",
                    _ => "Tenant",
                };
                let both = [(name, values(name)[0]), (other, values(name)[0])];
                sent.extend(&both[dice.below(2)..]);
            }
            32..40 => sent.push((name, "elsewhere")),
            _ => sent.push((name, dice.pick(&values(name)))),
        }
    }
    if dice.chance(10) {
        // A scope in the query of a route that does not read it there.
        sent.push((dice.pick(&["planet", "other"]), "t2"));
    }
    let answered = match dice.below(100) {
        0..60 => Answered::NotYet,
        60..68 => Answered::As(None),
        _ => Answered::As(Some(dice.pick(&TYPES))),
    };
    let methods: Vec<Name> = route.methods.iter().map(|method| method.name).collect();
    let method =
        if dice.chance(85) { dice.pick(&methods) } else { dice.pick(&["HEAD", "HEAD", "PUT", "OPTIONS", "DELETE"]) };
    Request { method, path: segments.join("/"), query: sent, readable: true, answered }
}
