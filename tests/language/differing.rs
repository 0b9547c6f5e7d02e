//! The differences that `diff` tells, held against the decisions of both policies.

use portcullis::decision::diff::{Change, Diff, Direction, diff};
use portcullis::policy::Snapshot;
use portcullis::vocabulary::Timestamp;

use crate::asking::Asking;
use crate::dice::Dice;
use crate::making::{self, PARTS};
use crate::seed::seeds;
use crate::world::{Need, ServiceApps, World};
use crate::{printing, program};

/// How many pairs of policies are compared where `PORTCULLIS_DIFFS` says nothing else.
const PAIRS: u64 = 400;

/// Answered otherwise: the first question that two policies answer differently, reasons apart.
fn differently(worlds: [&World; 2], policies: [&Snapshot; 2], seeds: std::ops::Range<u64>) -> Option<String> {
    for seed in seeds {
        for world in worlds {
            let Asking { callers, requests, now } = Asking::new(seed, world);
            let subjects: Vec<_> = callers.iter().map(program::subject).collect();
            for request in &requests {
                let [old, new] = policies.map(|policy| program::answers(policy, request, &subjects, now));
                for (caller, (old, new)) in callers.iter().zip(old.into_iter().zip(new)) {
                    let permits = |reason: &str| matches!(reason, "granted" | "public" | "service-app");
                    // The order in which a policy lists field sets and gates decides nothing.
                    let told = |answer: &crate::naive::Answer| {
                        let [mut masks, mut asks] = [answer.masks.clone(), answer.asks.clone()];
                        masks.sort();
                        asks.sort();
                        (permits(&answer.reason), masks, asks)
                    };
                    if told(&old) != told(&new) {
                        return Some(format!(
                            "{} {} {:?} as {caller:#?}\n{old:?}\n{new:?}",
                            request.method,
                            request.target(),
                            request.answered
                        ));
                    }
                }
            }
        }
    }
    None
}

/// One edit, as somebody would make it.
fn edit(dice: &mut Dice, world: &mut World, other: &World) {
    match dice.below(16) {
        0 if !world.rows.is_empty() => {
            let (at, cells) = (dice.below(world.rows.len()), dice.pick(&world.rows).cells);
            world.rows[at].cells = cells;
        }
        1 if !world.roles.is_empty() => {
            let (at, rows) = (dice.below(world.roles.len()), world.rows.iter().map(|row| row.name).collect::<Vec<_>>());
            world.roles[at].permissions = dice.some(&rows, 0, 2);
        }
        2 if !world.everyone.is_empty() => drop(world.everyone.pop()),
        3 if !world.users.is_empty() => {
            let at = dice.below(world.users.len());
            world.users.remove(at);
        }
        4 => world.service_apps = dice.pick(&[None, Some(ServiceApps::All), Some(ServiceApps::EveryPermission)]),
        5 => world.one_role = !world.one_role,
        6 if world.routes.len() > 1 => {
            let at = dice.below(world.routes.len());
            world.routes.remove(at);
        }
        7 => {
            let (at, need) = (dice.below(world.routes.len()), dice.pick(&[Need::Public, Need::Nobody]));
            if let Some(method) = world.routes[at].methods.first_mut() {
                method.need = need;
                method.when = None;
                method.across = Vec::new();
            }
        }
        8 => {
            let at = dice.below(world.routes.len());
            if let Some(method) = world.routes[at].methods.first_mut() {
                method.across = dice.some(&world.scopes.iter().map(|(name, _)| *name).collect::<Vec<_>>(), 0, 2);
            }
        }
        9 if !world.gates.is_empty() => {
            let (at, rows) = (dice.below(world.gates.len()), world.rows.iter().map(|row| row.name).collect::<Vec<_>>());
            world.gates[at].rows = dice.some(&rows, 1, 3);
        }
        10 if !world.groups.is_empty() => {
            let at = dice.below(world.groups.len());
            world.groups[at].without = Vec::new();
        }
        11 if !world.users.is_empty() => {
            let at = dice.below(world.users.len());
            world.users[at].without = Vec::new();
            world.users[at].roles = None;
        }
        12 if !world.roles.is_empty() => {
            let at = dice.below(world.roles.len());
            world.roles[at].within = Vec::new();
        }
        13 if !world.roles.is_empty() => {
            let at = dice.below(world.roles.len());
            world.roles[at].assign_within = Vec::new();
        }
        14 => world.rows.reverse(),
        _ => {
            world.fields = if other.resources == world.resources { other.fields.clone() } else { world.fields.clone() }
        }
    }
}

fn load(world: &World) -> Option<Snapshot> {
    let mut sources = portcullis::document::Sources::default();
    sources.add("p.yaml", &printing::yaml(world));
    portcullis::policy::load(&sources, None).snapshot
}

#[test]
fn a_diff_is_empty_exactly_when_no_decision_differs() {
    let pairs: u64 = std::env::var("PORTCULLIS_DIFFS").map_or(PAIRS, |text| text.parse().unwrap());
    let (mut compared, mut differed, mut silent, mut lines, mut unseen) = (0, 0, 0, 0, 0);
    let mut missed = Vec::new();
    let mut only_unseen = Vec::new();
    for seed in seeds().into_iter().flat_map(|first| first..first + pairs.div_ceil(2)) {
        let dice = &mut Dice::new(seed ^ 0x0d1f_f000);
        let before = making::world(seed, &PARTS);
        let mut after = before.clone();
        let other = making::world(seed + 1_000_000, &PARTS);
        for _ in 0..dice.below(3) + 1 {
            edit(dice, &mut after, &other);
        }
        let (Some(old), Some(new)) = (load(&before), load(&after)) else { continue };
        let Diff { changes, .. } = diff(&old, &new, Timestamp(crate::naive::TURN));
        compared += 1;
        let question = differently([&before, &after], [&old, &new], seed * 100..seed * 100 + 12);
        differed += usize::from(question.is_some());
        let seen = |change: &Change| change.example.is_some();
        if let Some(question) = &question
            && changes.is_empty()
        {
            missed.push(format!(
                "PORTCULLIS_SEED={seed}: {question}\n{}\n{}",
                printing::yaml(&before),
                printing::yaml(&after)
            ));
        }
        if question.is_some() && !changes.is_empty() && !changes.iter().any(seen) {
            silent += 1;
        }
        if question.is_none() && !changes.is_empty() && !changes.iter().any(seen) {
            only_unseen.push(format!("PORTCULLIS_SEED={seed}: {}", changes[0]));
        }
        lines += changes.len();
        unseen += changes.iter().filter(|change| !seen(change)).count();
        for change in &changes {
            assert!(change.direction != Direction::Changed || !change.what.is_empty());
        }
    }
    println!(
        "{compared} pairs, {differed} differ, {silent} of them shown by no example; {lines} lines, {unseen} without an example"
    );
    println!(
        "nothing but lines without an example, {}: {:#?}",
        only_unseen.len(),
        only_unseen.iter().take(20).collect::<Vec<_>>()
    );
    assert!(missed.is_empty(), "{} differences were not told; the first: {}", missed.len(), missed[0]);
}
