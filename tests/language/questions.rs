//! Random questions to a policy: callers and requests about the names that it uses.

use crate::generator::{TEMPLATES, values};
use crate::model::{Assignment, Bound, Caller, Kind, Name, PolicyModel, Request, ResponseType};
use crate::reference::TURN;
use crate::seeded_random::SeededRandom;

/// The number of callers and requests per policy.
const CALLERS: usize = 16;
const REQUESTS: usize = 24;

/// Media types of responses; the last three are not a single valid type.
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

/// QuestionSet: all callers make all requests at one point in time.
#[derive(Debug)]
pub(crate) struct QuestionSet {
    pub(crate) callers: Vec<Caller>,
    pub(crate) requests: Vec<Request>,
    pub(crate) now: u64,
}

impl QuestionSet {
    /// The questions of a seed to its policy.
    pub(crate) fn new(seed: u64, model: &PolicyModel) -> Self {
        let random = &mut SeededRandom::new(seed ^ 0xa5c5_0000_0000_0000);
        let mut callers: Vec<Caller> = (0..CALLERS).map(|_| caller(random, model)).collect();
        callers.push(Caller::default());
        callers.push(Caller { invalid: true, ..caller(random, model) });
        let mut requests: Vec<Request> = (0..REQUESTS).map(|_| request(random, model)).collect();
        requests.push(Request {
            method: "GET",
            path: "/flat/../alpha".into(),
            query: Vec::new(),
            readable: false,
            response: ResponseType::Unknown,
        });
        let now = if random.chance(50) { TURN - 1 } else { TURN };
        Self { callers, requests, now }
    }
}

fn caller(random: &mut SeededRandom, model: &PolicyModel) -> Caller {
    let names = |own: &mut dyn Iterator<Item = Name>, stranger: Name| own.chain([stranger]).collect::<Vec<_>>();
    let roles = names(&mut model.roles.iter().map(|role| role.name), "Stranger");
    let rows = names(&mut model.rows.iter().map(|row| row.name), "Unheard");
    let groups = names(&mut model.groups.iter().map(|group| group.name), "Strangers");
    let gates: Vec<Name> = model.gates.iter().map(|gate| gate.name).collect();
    let kind = if random.chance(22) { Kind::Service } else { Kind::User };
    let (ids, id_percent): (&[Name], _) =
        if kind == Kind::Service { (&["svc-1", "svc-2"], 60) } else { (&["u1", "u2", "u3"], 92) };
    let roles = random.some(&roles, 0, 2).into_iter().map(|role| Assignment { role, bound: bound(random), when: None });
    let roles = roles.collect();
    let (least, most) = (usize::from(random.chance(85)), if random.chance(75) { 1 } else { 2 });
    Caller {
        kind,
        invalid: false,
        id: random.chance(id_percent).then(|| random.pick(ids)),
        client: random.chance(85).then(|| random.pick(&["app-1", "app-1", "app-2"])),
        tenants: if random.chance(70) { vec!["t1"] } else { random.some(&["t1", "t2"], 0, 2) },
        roles,
        groups: random.some(&groups, least, most),
        permissions: if random.chance(40) { random.some(&rows, 0, 3) } else { Vec::new() },
        approved: random.some(&gates, 0, 2),
        mfa: random.chance(50),
    }
}

/// A role's scope as a token claims it; the policy need not know the name.
fn bound(random: &mut SeededRandom) -> Bound {
    if random.chance(45) {
        return Vec::new();
    }
    let scopes = random.some(&["tenant", "ward", "ward", "site", "planet"], 1, 2);
    let mut bound: Bound = Vec::new();
    for scope in scopes {
        if bound.iter().all(|(name, _)| *name != scope) {
            bound.push((scope, random.some(&values(scope), 1, 2)));
        }
    }
    bound
}

fn request(random: &mut SeededRandom, model: &PolicyModel) -> Request {
    // Usually a route of the policy, otherwise one that it may not have.
    let route = random.pick(&model.routes);
    let (path, query) = if random.chance(90) {
        (route.path, route.query.clone())
    } else {
        random.pick(&TEMPLATES.map(|(path, query)| (path, query.to_vec())))
    };
    let mut segments: Vec<String> = Vec::new();
    for part in path.split('/') {
        segments.push(match part {
            "{tenant}" => random.pick(&["t1", "t1", "t1", "t2", "T1", "wards", "files"]).to_owned(),
            "{ward}" => random.pick(&["w1", "w1", "w2", "w3", "beta", "list"]).to_owned(),
            "{site}" => random.pick(&["s1", "s1", "s2", "S1"]).to_owned(),
            "{id}" => random.pick(&["i1", "w1", "Merge", "merge"]).to_owned(),
            "{*rest}" => random.pick(&["one", "one/two", "Merge"]).to_owned(),
            literal if random.chance(4) => literal.to_ascii_uppercase(),
            literal => literal.to_owned(),
        });
    }
    let mut sent = Vec::new();
    for name in query {
        match random.below(100) {
            0..20 => {}
            20..27 => sent.extend([(name, values(name)[0]), (name, values(name)[1])]),
            27..32 => {
                let other = match name {
                    "ward" => "Ward",
                    "site" => "SITE",
                    _ => "Tenant",
                };
                let both = [(name, values(name)[0]), (other, values(name)[0])];
                sent.extend(&both[random.below(2)..]);
            }
            32..40 => sent.push((name, "elsewhere")),
            _ => sent.push((name, random.pick(&values(name)))),
        }
    }
    if random.chance(10) {
        // A scope in the query of a route that does not read it there.
        sent.push((random.pick(&["planet", "other"]), "t2"));
    }
    let response = match random.below(100) {
        0..60 => ResponseType::Unknown,
        60..68 => ResponseType::ContentType(None),
        _ => ResponseType::ContentType(Some(random.pick(&TYPES))),
    };
    let methods: Vec<Name> = route.methods.iter().map(|method| method.name).collect();
    let method = if random.chance(85) {
        random.pick(&methods)
    } else {
        random.pick(&["HEAD", "HEAD", "PUT", "OPTIONS", "DELETE"])
    };
    Request { method, path: segments.join("/"), query: sent, readable: true, response }
}
