//! Laws of the program's own answers: what a change of a policy, a caller or a request may change, and what not.

use portcullis::policy::Snapshot;

use crate::asking::Asking;
use crate::dice::Dice;
use crate::making::{self, PARTS};
use crate::naive::{self, Answer};
use crate::seed::seeds;
use crate::world::{Answered, Assignment, Caller, Cell, Kind, Name, Need, Request, ServiceApps, World};
use crate::{printing, program};

/// How many worlds each law is held against.
const WORLDS: u64 = 300;

/// The seeds of these worlds: half of them follow the fixed seed, half the fresh one.
fn worlds() -> impl Iterator<Item = u64> {
    seeds().into_iter().flat_map(|first| first..first + WORLDS / 2)
}

/// Pair: one question, answered before and after a change.
struct Pair<'a> {
    world: &'a World,
    caller: &'a Caller,
    request: &'a Request,
    before: Answer,
    after: Answer,
}

fn loses_nothing(pair: &Pair<'_>) -> bool {
    !pair.before.is_permit() || (pair.after.is_permit() && shows(&pair.after, &pair.before, pair))
}

fn gains_nothing(pair: &Pair<'_>) -> bool {
    !pair.after.is_permit() || (pair.before.is_permit() && shows(&pair.before, &pair.after, pair))
}

/// Whether `more` shows every field that `less` shows. What may be answered by type is masked once the type is known:
/// before, more candidates only mean more masks.
fn shows(more: &Answer, less: &Answer, pair: &Pair<'_>) -> bool {
    let by_type = matches!(naive::need(pair.world, pair.request), Some(Need::ByType(_)));
    (by_type && pair.request.answered == Answered::NotYet) || more.masks.iter().all(|field| less.masks.contains(field))
}

fn is_same(pair: &Pair<'_>) -> bool {
    pair.before == pair.after
}

/// Asks every world, changes it or the questions, asks again, and holds the law against each pair; says how many
/// pairs changed.
fn hold(change: impl Fn(&mut Dice, &mut World, &mut Asking), law: impl Fn(&Pair<'_>) -> bool) -> usize {
    hold_in(|_| {}, change, law)
}

fn hold_in(
    prepare: impl Fn(&mut World),
    change: impl Fn(&mut Dice, &mut World, &mut Asking),
    law: impl Fn(&Pair<'_>) -> bool,
) -> usize {
    let mut changed = 0;
    for seed in worlds() {
        let mut world = making::world(seed, &PARTS);
        prepare(&mut world);
        let mut asking = Asking::new(seed, &world);
        let before = answers(&world, &asking);
        let old = printing::yaml(&world);
        change(&mut Dice::new(seed), &mut world, &mut asking);
        let after = answers(&world, &asking);
        let questions = asking.requests.iter().flat_map(|request| asking.callers.iter().map(move |one| (request, one)));
        for ((request, caller), (before, after)) in questions.zip(before.into_iter().zip(after)) {
            let pair = Pair { world: &world, caller, request, before, after };
            changed += usize::from(!is_same(&pair));
            assert!(
                law(&pair),
                "PORTCULLIS_SEED={seed}\n{old}\nbecame\n{}\n{caller:#?}\n{} {}\nbefore {:?}\nafter {:?}",
                printing::yaml(&world),
                request.method,
                request.target(),
                pair.before,
                pair.after,
            );
        }
    }
    changed
}

/// The answers to all requests by all callers.
fn answers(world: &World, asking: &Asking) -> Vec<Answer> {
    answers_of(&program::load(&printing::yaml(world)), asking)
}

fn answers_of(policy: &Snapshot, asking: &Asking) -> Vec<Answer> {
    let subjects: Vec<_> = asking.callers.iter().map(program::subject).collect();
    asking.requests.iter().flat_map(|request| program::answers(policy, request, &subjects, asking.now)).collect()
}

fn names_of_roles(world: &World) -> Vec<Name> {
    world.roles.iter().map(|role| role.name).collect()
}

fn names_of_rows(world: &World) -> Vec<Name> {
    world.rows.iter().map(|row| row.name).collect()
}

#[test]
fn gaining_a_role_in_the_token_never_loses_access() {
    let gain = |dice: &mut Dice, world: &mut World, asking: &mut Asking| {
        for caller in asking.callers.iter_mut().filter(|caller| caller.kind != Kind::Anonymous) {
            let role = dice.pick(&names_of_roles(world));
            let bound = if dice.chance(50) { Vec::new() } else { vec![("ward", vec!["w1"])] };
            caller.roles.push(Assignment { role, bound, when: None });
        }
    };
    assert!(hold_in(|world| world.one_role = false, gain, loses_nothing) > 1000);
}

#[test]
fn gaining_a_role_in_the_policy_never_loses_access() {
    let gain = |dice: &mut Dice, world: &mut World, _: &mut Asking| {
        let roles: Vec<Name> =
            world.roles.iter().filter(|role| role.assign_within.is_empty()).map(|role| role.name).collect();
        for list in world.users.iter_mut().filter_map(|user| user.roles.as_mut()).filter(|_| !roles.is_empty()) {
            list.push(Assignment { role: dice.pick(&roles), ..Assignment::default() });
        }
    };
    assert!(hold_in(|world| world.one_role = false, gain, loses_nothing) > 100);
}

#[test]
fn a_row_given_to_everyone_to_a_user_or_to_a_role_never_loses_access() {
    let gain = |dice: &mut Dice, world: &mut World, _: &mut Asking| {
        let row = dice.pick(&names_of_rows(world));
        let lists: [&mut Vec<Name>; 2] = [&mut world.everyone, &mut world.roles[0].permissions];
        lists.into_iter().filter(|list| !list.contains(&row)).for_each(|list| list.push(row));
        for user in world.users.iter_mut().filter(|user| !user.permissions.contains(&row)) {
            user.without.retain(|taken| *taken != row);
            user.permissions.push(row);
        }
    };
    assert!(hold(gain, loses_nothing) > 1000);
}

#[test]
fn a_gate_less_never_loses_access() {
    let open = |_: &mut Dice, world: &mut World, _: &mut Asking| {
        world.gates.clear();
        world.profiles.clear();
        world.groups.iter_mut().for_each(|group| group.profile = None);
    };
    assert!(hold(open, loses_nothing) > 1000);
}

#[test]
fn a_row_taken_from_one_user_changes_that_user_and_that_row_alone() {
    // The row that is taken: the last of those that the first user's entry does not speak of.
    let taken = |world: &World| {
        let user = world.users.first()?;
        names_of_rows(world).into_iter().rfind(|row| !user.permissions.contains(row) && !user.without.contains(row))
    };
    let take = |_: &mut Dice, world: &mut World, _: &mut Asking| {
        if let Some(row) = taken(world) {
            world.users[0].without.push(row);
        }
    };
    let law = |pair: &Pair<'_>| {
        let Some(user) = pair.world.users.first().filter(|user| pair.caller.id == Some(user.id)) else {
            return is_same(pair);
        };
        let row = user.without.last().and_then(|row| pair.world.row(row));
        let about = |cell: &Cell| row.is_some_and(|row| row.cells.contains(cell));
        let needed = naive::need(pair.world, pair.request).map(Need::cells).unwrap_or_default();
        // What a mask asks for is a cell too.
        let masks = pair.world.fields.iter().filter(|(_, listed)| needed.iter().any(|cell| listed.contains(&cell.1)));
        let concerned = needed.iter().any(about) || masks.into_iter().any(|(field, _)| about(&("read", field)));
        gains_nothing(pair) && (is_same(pair) || concerned)
    };
    assert!(hold(take, law) > 100);
}

#[test]
fn a_role_bound_to_elsewhere_gives_nothing_here() {
    let prepare = |world: &mut World| {
        world.one_role = false;
        world.routes.iter_mut().flat_map(|route| &mut route.methods).for_each(|method| method.across.clear());
    };
    let gain = |_: &mut Dice, world: &mut World, asking: &mut Asking| {
        for caller in asking.callers.iter_mut().filter(|caller| caller.kind != Kind::Anonymous) {
            let bound = || vec![("ward", vec!["nowhere"]), ("tenant", vec!["t1", "t2"])];
            let roles = names_of_roles(world).into_iter();
            caller.roles.extend(roles.map(|role| Assignment { role, bound: bound(), when: None }));
        }
    };
    let law = |pair: &Pair<'_>| {
        let nearer = pair.before.reason == "not-granted" && pair.after.reason == "out-of-scope";
        is_same(pair) || nearer
    };
    assert!(hold_in(prepare, gain, law) > 1000);
}

#[test]
fn names_that_the_policy_does_not_know_change_nothing() {
    let gain = |_: &mut Dice, _: &mut World, asking: &mut Asking| {
        for caller in &mut asking.callers {
            caller.roles.push(Assignment { role: "Nobody's role", ..Assignment::default() });
            caller.groups.push("Nobody's group");
            caller.permissions.push("Nobody's row");
            caller.approved.push("nobodys-gate");
        }
    };
    assert_eq!(hold(gain, is_same), 0);
}

#[test]
fn the_order_of_everything_but_gates_and_candidates_changes_nothing() {
    let turn = |_: &mut Dice, world: &mut World, _: &mut Asking| {
        world.routes.reverse();
        world.resources.reverse();
        world.rows.reverse();
        world.everyone.reverse();
        world.profiles.reverse();
        world.groups.reverse();
        world.roles.reverse();
        world.users.reverse();
        world.scopes.reverse();
        for user in &mut world.users {
            user.roles.iter_mut().for_each(|roles| roles.reverse());
        }
    };
    assert_eq!(hold(turn, is_same), 0);
}

#[test]
fn head_is_decided_as_get() {
    let change = |_: &mut Dice, _: &mut World, asking: &mut Asking| {
        asking
            .requests
            .iter_mut()
            .filter(|request| request.method == "GET")
            .for_each(|request| request.method = "HEAD");
    };
    assert_eq!(hold(change, is_same), 0);
}

#[test]
fn whoever_proves_nothing_gets_what_is_public_and_learns_of_no_route() {
    let forget = |_: &mut Dice, _: &mut World, asking: &mut Asking| {
        asking.callers.iter_mut().for_each(|caller| {
            *caller = Caller { kind: Kind::Anonymous, invalid: false, ..caller.clone() };
        });
    };
    let law = |pair: &Pair<'_>| match &*pair.after.reason {
        "bad-request" => !pair.request.readable,
        word => matches!(word, "public" | "unauthenticated"),
    };
    assert!(hold(forget, law) > 1000);
}

#[test]
fn nobody_stops_everybody() {
    let brake = |_: &mut Dice, world: &mut World, _: &mut Asking| {
        for method in world.routes.iter_mut().flat_map(|route| &mut route.methods) {
            if !matches!(method.need, Need::Public) {
                (method.need, method.when) = (Need::Nobody, None);
                method.across.clear();
            }
        }
        // No route needs a word now.
        world.rows.iter_mut().for_each(|row| row.cells.retain(|(operation, _)| *operation != "check-in"));
    };
    assert!(hold(brake, |pair| !pair.after.is_permit() || pair.after.reason == "public") > 1000);
}

#[test]
fn under_all_an_unlisted_service_app_stops_at_nothing_that_a_policy_says_of_callers() {
    let prepare = |world: &mut World| world.service_apps = Some(ServiceApps::All);
    let become_user = |_: &mut Dice, world: &mut World, asking: &mut Asking| {
        let services = asking.callers.iter_mut().filter(|caller| caller.kind == Kind::Service);
        services.filter(|caller| world.user(caller.id).is_none()).for_each(|caller| caller.kind = Kind::User);
    };
    let law = |pair: &Pair<'_>| match &*pair.before.reason {
        "service-app" => {
            let of_callers = ["granted", "no-group", "not-one-role", "not-granted", "out-of-scope", "condition"];
            let word = &*pair.after.reason;
            of_callers.contains(&word) || matches!(word, "taken-away" | "wrong-type") || word.starts_with("gate:")
        }
        _ => is_same(pair),
    };
    assert!(hold_in(prepare, become_user, law) > 1000);
}

#[test]
fn roles_in_the_policy_replace_what_the_token_says() {
    let forget = |_: &mut Dice, world: &mut World, asking: &mut Asking| {
        for caller in &mut asking.callers {
            if world.user(caller.id).is_some_and(|user| user.roles.is_some()) {
                caller.roles.clear();
                caller.permissions.clear();
            }
        }
    };
    assert_eq!(hold(forget, is_same), 0);
}

#[test]
fn a_policy_in_many_files_answers_as_in_one() {
    for seed in worlds() {
        let world = making::world(seed, &PARTS);
        let (asking, yaml) = (Asking::new(seed, &world), printing::yaml(&world));
        // A file for each key of the policy, the last one first.
        let mut files: Vec<String> = Vec::new();
        for line in yaml.lines() {
            if !line.starts_with(' ') {
                files.push(String::new());
            }
            files.last_mut().unwrap().extend([line, "\n"]);
        }
        files.reverse();
        let split = answers_of(&program::load_files(&files), &asking);
        assert!(split == answers(&world, &asking), "PORTCULLIS_SEED={seed}\n{}", files.join("---\n"));
    }
}

#[test]
fn a_permit_admits_the_answers_that_are_permitted_and_no_others() {
    let mut differing = 0;
    for seed in worlds() {
        let world = making::world(seed, &PARTS);
        let (asking, policy) = (Asking::new(seed, &world), program::load(&printing::yaml(&world)));
        let subjects: Vec<_> = asking.callers.iter().map(program::subject).collect();
        for request in &asking.requests {
            let Answered::As(content_type) = request.answered else { continue };
            let admitted = program::admitted(&policy, request, content_type, &subjects, asking.now);
            let answers = program::answers(&policy, request, &subjects, asking.now);
            let permitted: Vec<bool> = answers.iter().map(Answer::is_permit).collect();
            assert!(admitted == permitted, "PORTCULLIS_SEED={seed} {request:?}\n{}", printing::yaml(&world));
            differing += answers.iter().filter(|answer| answer.reason == "wrong-type").count();
        }
    }
    assert!(differing > 100);
}
