//! Sends spellings and method overrides to a server, directly and through the gateway, and compares the effects.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::overrides::OverrideRequest;
use super::server::{DELETED, OPEN, SECRET, Server};
use super::server_gateway::ServerGateway;
use super::spellings::SpellingGenerator;
use crate::seed::seeds;
use crate::wire::client::find;
use crate::wire::testbed::until;

/// The number of spellings per server; `PORTCULLIS_SPELLINGS=50` tries fifty times as many.
const SPELLINGS: usize = 6_000;
/// The number of method overrides per server.
const OVERRIDES: usize = 1000;

/// `count` spellings of an application's paths, half of them from each seed.
pub(in crate::real) fn make_spellings(secret: &[&'static str], open: &[&'static str], count: usize) -> Vec<Vec<u8>> {
    seeds().into_iter().flat_map(|seed| SpellingGenerator::of(seed, secret, open).targets(count / 2)).collect()
}

/// `count` requests that ask for another method, half of them from each seed.
pub(in crate::real) fn make_overrides(method: &'static str, target: &str, count: usize) -> Vec<OverrideRequest> {
    let mut chances = seeds().map(|seed| SpellingGenerator::of(seed, &[], &[]));
    let requests = |chance: &mut SpellingGenerator| {
        Vec::from_iter((0..count / 2).map(|_| OverrideRequest::next(method, target, chance)))
    };
    chances.iter_mut().flat_map(requests).collect()
}

/// BypassTest: a server, and the paths of its application.
pub(super) struct BypassTest {
    pub(super) server: Server,
    secret: Vec<&'static str>,
    open: Vec<&'static str>,
    tries: usize,
}

impl BypassTest {
    /// A test of a server.
    pub(super) fn of(server: Server) -> Self {
        Self { server, secret: Vec::new(), open: Vec::new(), tries: SPELLINGS }
    }

    /// Adds the refused paths.
    pub(super) fn secret<const N: usize>(mut self, paths: [&'static str; N]) -> Self {
        self.secret = paths.to_vec();
        self
    }

    /// Adds the open paths.
    pub(super) fn open<const N: usize>(mut self, paths: [&'static str; N]) -> Self {
        self.open = paths.to_vec();
        self
    }

    /// Fewer attempts, for a slow server.
    pub(super) fn tries(mut self, tries: usize) -> Self {
        self.tries = tries;
        self
    }

    /// Tries spellings: directly, under `strict`, and under the server's own dialect. At least `least` of them must
    /// open a refused resource without a gateway.
    pub(super) fn spellings(self, dialect: &str, least: usize) {
        let targets = make_spellings(&self.secret, &self.open, self.tries * times());
        let served = count(&each(&targets, |target| self.server.ask(&get(target, ""))));
        println!("{}: {} spellings, served straight: {served:?}", self.server.name, targets.len());
        assert!(served[1] >= least, "only {} spellings open what is refused: the trial shows nothing", served[1]);
        for dialect in ["strict", dialect] {
            self.through(dialect, &targets);
        }
    }

    /// Tries method overrides: directly, and through the gateway under `strict` and the server's own dialect, as a
    /// caller who may do everything but delete. At least `least` of them must delete without a gateway.
    pub(super) fn overrides(self, dialect: &str, least: usize) {
        let requests = make_overrides("POST", "/open/o2", OVERRIDES.min(self.tries) * times());
        let deletes = |answer: &Vec<u8>| find(answer, DELETED).is_some();
        let straight = each(&requests, |request| self.server.ask(&request.bytes("")));
        let deleted = straight.iter().filter(|answer| deletes(answer)).count();
        println!("{}: {} overrides, {deleted} of them delete", self.server.name, requests.len());
        assert!(deleted >= least, "only {deleted} overrides delete: the trial shows nothing");
        for dialect in ["strict", dialect] {
            for overrides in ["reject", "strip", "evaluate"] {
                self.override_through(dialect, overrides, &requests);
            }
        }
    }

    fn override_through(&self, dialect: &str, overrides: &str, requests: &[OverrideRequest]) {
        let gateway = ServerGateway::start(&self.server, dialect, overrides);
        let name = format!("{} under {dialect} and {overrides}", self.server.name);
        let before = self.server.journal().len();
        let (caller, remover) = (gateway.credential(&["Look"]), gateway.credential(&["Look", "Remove"]));
        let answers = each(requests, |request| gateway.ask(&request.bytes(&caller)));
        let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
        for (request, answer) in requests.iter().zip(&answers) {
            *statuses.entry(shown(answer.get(9..12).unwrap_or_default())).or_default() += 1;
            assert!(find(answer, DELETED).is_none(), "{name}: it deletes: {}", shown(&request.bytes("")));
        }
        println!("{name}: statuses {statuses:?}");
        let done = self.server.journal().split_off(before);
        let deletions: Vec<_> = done.iter().filter(|line| line.method == "DELETE").collect();
        assert!(deletions.is_empty(), "{name}: {deletions:#?}");
        assert!(!done.is_empty(), "{name}: nothing arrived, the trial shows nothing");
        // A caller who may do both gets the override's effect only under `evaluate`.
        let both = find(&gateway.ask(&OverrideRequest::plain().bytes(&remover)), DELETED).is_some();
        assert_eq!(both, overrides == "evaluate", "{name}");
    }

    fn through(&self, dialect: &str, targets: &[Vec<u8>]) {
        let gateway = ServerGateway::start(&self.server, dialect, "reject");
        let name = format!("{} under {dialect}", self.server.name);
        let (caller, holder) = (gateway.credential(&["Look"]), gateway.credential(&["Pry"]));
        for path in &self.secret {
            let refused = gateway.ask(&get(path.as_bytes(), &caller));
            assert!(refused.starts_with(b"HTTP/1.1 403 "), "{name}: {path}: {}", shown(&refused));
        }
        let answers = each(targets, |target| gateway.ask(&get(target, &caller)));
        let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
        let mut bypasses = Vec::new();
        for (target, answer) in targets.iter().zip(&answers) {
            *statuses.entry(shown(answer.get(9..12).unwrap_or_default())).or_default() += 1;
            if find(answer, SECRET).is_some() {
                bypasses.push(shown(target));
            }
        }
        println!("{name}: served {:?}, statuses {statuses:?}", count(&answers));
        assert!(bypasses.is_empty(), "{name}: {} spellings open what is refused: {bypasses:#?}", bypasses.len());

        // An open resource is served in its plain spelling, and a refused one to a caller who may read it.
        let mut last = String::new();
        for (paths, credential, marker) in [(&self.open, &caller, OPEN), (&self.secret, &holder, SECRET)] {
            for path in paths {
                let before = self.server.journal().len();
                let answer = gateway.ask(&get(path.as_bytes(), credential));
                assert!(find(&answer, marker).is_some(), "{name}: {path}: {}", shown(&answer));
                until("the server notes what it served", || self.server.journal().len() > before);
                last = self.server.journal().pop().unwrap().decision;
            }
        }
        self.judge(&name, &gateway.audit(&last));
    }

    /// Compares the server's journal with the gateway's audit.
    fn judge(&self, name: &str, audit: &HashMap<String, Value>) {
        let mut wrong = Vec::new();
        let mut received = 0;
        for line in self.server.journal() {
            // Entries of another dialect are in another gateway's audit.
            let Some(record) = audit.get(&line.decision) else { continue };
            received += 1;
            let text = |field: &str| record[field].as_str().unwrap_or_default();
            let right = match line.resource.as_str() {
                "secret" => text("resource") == "Secret",
                "open" => text("resource") == "Open",
                _ => true,
            };
            let same = line.resource == "none" || line.reading == decoded(text("path"));
            if text("verdict") != "permit" || !right || !same {
                wrong.push(format!("{line:?} is {} {} as {}", text("verdict"), text("path"), text("resource")));
            }
        }
        println!("{name}: {received} requests arrived");
        assert!(wrong.is_empty(), "{name}: {} readings differ: {wrong:#?}", wrong.len());
        let forwarded = audit.values().filter(|record| !record["upstream_status"].is_null()).count();
        assert!(received > 20 && forwarded >= received, "{name}: {received} noted, {forwarded} forwarded");
    }
}

/// The factor by which the number of attempts is multiplied.
pub(in crate::real) fn times() -> usize {
    std::env::var("PORTCULLIS_SPELLINGS").map_or(1, |times| times.parse().expect("PORTCULLIS_SPELLINGS is a number"))
}

/// The responses to all of `inputs`, from four concurrent clients.
pub(in crate::real) fn each<T: Sync>(inputs: &[T], ask: impl Fn(&T) -> Vec<u8> + Sync) -> Vec<Vec<u8>> {
    std::thread::scope(|scope| {
        let ask = &ask;
        let size = inputs.len().div_ceil(4).max(1);
        let clients: Vec<_> =
            inputs.chunks(size).map(|part| scope.spawn(move || part.iter().map(ask).collect::<Vec<_>>())).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// The number of responses with an open resource, and with a refused one.
fn count(answers: &[Vec<u8>]) -> [usize; 2] {
    [OPEN, SECRET].map(|marker| answers.iter().filter(|answer| find(answer, marker).is_some()).count())
}

/// The bytes of a GET, with a credential if there is one.
pub(in crate::real) fn get(target: &[u8], credential: &str) -> Vec<u8> {
    let fields = match credential {
        "" => String::new(),
        credential => format!("Authorization: {credential}\r\n"),
    };
    let rest = format!(" HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n{fields}\r\n");
    [b"GET ", target, rest.as_bytes()].concat()
}

/// Bytes in printable form.
pub(in crate::real) fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn decoded(path: &str) -> String {
    portcullis::request::path::decode_segment(path).into_owned()
}
