//! Properties of the program's answers: the permitted effects of a change to a policy, a caller or a request.

use portcullis::policy::Snapshot;

use crate::generator::{self, PARTS};
use crate::model::{Assignment, Caller, Cell, Kind, Name, Need, PolicyModel, Request, ResponseType, ServiceApps};
use crate::questions::QuestionSet;
use crate::reference::{self, Answer};
use crate::seed::seeds;
use crate::seeded_random::SeededRandom;
use crate::{printing, program};

/// The number of policies per property.
const POLICIES: u64 = 300;

/// The seeds of these policies: half of them follow the fixed seed, half the fresh one.
fn policy_seeds() -> impl Iterator<Item = u64> {
    seeds().into_iter().flat_map(|first| first..first + POLICIES / 2)
}

/// AnswerPair: the answers to one question before and after a change.
struct AnswerPair<'a> {
    model: &'a PolicyModel,
    caller: &'a Caller,
    request: &'a Request,
    before: Answer,
    after: Answer,
}

fn loses_nothing(pair: &AnswerPair<'_>) -> bool {
    !pair.before.is_permit() || (pair.after.is_permit() && shows(&pair.after, &pair.before, pair))
}

fn gains_nothing(pair: &AnswerPair<'_>) -> bool {
    !pair.after.is_permit() || (pair.before.is_permit() && shows(&pair.before, &pair.after, pair))
}

/// Whether `more` shows every field that `less` shows. A response by type is masked once its type is known: before
/// that, more candidates only mean more masks.
fn shows(more: &Answer, less: &Answer, pair: &AnswerPair<'_>) -> bool {
    let by_type = matches!(reference::need(pair.model, pair.request), Some(Need::ByType(_)));
    (by_type && pair.request.response == ResponseType::Unknown)
        || more.masks.iter().all(|field| less.masks.contains(field))
}

fn is_same(pair: &AnswerPair<'_>) -> bool {
    pair.before == pair.after
}

/// Asks about every policy, changes it or the questions, asks again, and asserts the property of each pair; returns the
/// number of pairs that changed.
fn hold(
    change: impl Fn(&mut SeededRandom, &mut PolicyModel, &mut QuestionSet),
    law: impl Fn(&AnswerPair<'_>) -> bool,
) -> usize {
    hold_in(|_| {}, change, law)
}

fn hold_in(
    prepare: impl Fn(&mut PolicyModel),
    change: impl Fn(&mut SeededRandom, &mut PolicyModel, &mut QuestionSet),
    law: impl Fn(&AnswerPair<'_>) -> bool,
) -> usize {
    let mut changed = 0;
    for seed in policy_seeds() {
        let mut model = generator::generate_policy(seed, &PARTS);
        prepare(&mut model);
        let mut questions = QuestionSet::new(seed, &model);
        let before = answers(&model, &questions);
        let old = printing::yaml(&model);
        change(&mut SeededRandom::new(seed), &mut model, &mut questions);
        let after = answers(&model, &questions);
        let pairs =
            questions.requests.iter().flat_map(|request| questions.callers.iter().map(move |one| (request, one)));
        for ((request, caller), (before, after)) in pairs.zip(before.into_iter().zip(after)) {
            let pair = AnswerPair { model: &model, caller, request, before, after };
            changed += usize::from(!is_same(&pair));
            assert!(
                law(&pair),
                "PORTCULLIS_SEED={seed}\n{old}\nbecame\n{}\n{caller:#?}\n{} {}\nbefore {:?}\nafter {:?}",
                printing::yaml(&model),
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
fn answers(model: &PolicyModel, questions: &QuestionSet) -> Vec<Answer> {
    answers_of(&program::load(&printing::yaml(model)), questions)
}

fn answers_of(policy: &Snapshot, questions: &QuestionSet) -> Vec<Answer> {
    let subjects: Vec<_> = questions.callers.iter().map(program::subject).collect();
    questions.requests.iter().flat_map(|request| program::answers(policy, request, &subjects, questions.now)).collect()
}

fn names_of_roles(model: &PolicyModel) -> Vec<Name> {
    model.roles.iter().map(|role| role.name).collect()
}

fn names_of_rows(model: &PolicyModel) -> Vec<Name> {
    model.rows.iter().map(|row| row.name).collect()
}

#[test]
fn gaining_a_role_in_the_token_never_loses_access() {
    let gain = |random: &mut SeededRandom, model: &mut PolicyModel, questions: &mut QuestionSet| {
        for caller in questions.callers.iter_mut().filter(|caller| caller.kind != Kind::Anonymous) {
            let role = random.pick(&names_of_roles(model));
            let bound = if random.chance(50) { Vec::new() } else { vec![("ward", vec!["w1"])] };
            caller.roles.push(Assignment { role, bound, when: None });
        }
    };
    assert!(hold_in(|model| model.one_role = false, gain, loses_nothing) > 1000);
}

#[test]
fn gaining_a_role_in_the_policy_never_loses_access() {
    let gain = |random: &mut SeededRandom, model: &mut PolicyModel, _: &mut QuestionSet| {
        let roles: Vec<Name> =
            model.roles.iter().filter(|role| role.assign_within.is_empty()).map(|role| role.name).collect();
        for list in model.users.iter_mut().filter_map(|user| user.roles.as_mut()).filter(|_| !roles.is_empty()) {
            list.push(Assignment { role: random.pick(&roles), ..Assignment::default() });
        }
    };
    assert!(hold_in(|model| model.one_role = false, gain, loses_nothing) > 100);
}

#[test]
fn a_row_given_to_everyone_to_a_user_or_to_a_role_never_loses_access() {
    let gain = |random: &mut SeededRandom, model: &mut PolicyModel, _: &mut QuestionSet| {
        let row = random.pick(&names_of_rows(model));
        let lists: [&mut Vec<Name>; 2] = [&mut model.everyone, &mut model.roles[0].permissions];
        lists.into_iter().filter(|list| !list.contains(&row)).for_each(|list| list.push(row));
        for user in model.users.iter_mut().filter(|user| !user.permissions.contains(&row)) {
            user.without.retain(|taken| *taken != row);
            user.permissions.push(row);
        }
    };
    assert!(hold(gain, loses_nothing) > 1000);
}

#[test]
fn removing_a_gate_never_loses_access() {
    let open = |_: &mut SeededRandom, model: &mut PolicyModel, _: &mut QuestionSet| {
        model.gates.clear();
        model.profiles.clear();
        model.groups.iter_mut().for_each(|group| group.profile = None);
    };
    assert!(hold(open, loses_nothing) > 1000);
}

#[test]
fn a_row_taken_from_one_user_changes_that_user_and_that_row_alone() {
    // The row to take away: the last one that the first user's entry does not mention.
    let taken = |model: &PolicyModel| {
        let user = model.users.first()?;
        names_of_rows(model).into_iter().rfind(|row| !user.permissions.contains(row) && !user.without.contains(row))
    };
    let take = |_: &mut SeededRandom, model: &mut PolicyModel, _: &mut QuestionSet| {
        if let Some(row) = taken(model) {
            model.users[0].without.push(row);
        }
    };
    let law = |pair: &AnswerPair<'_>| {
        let Some(user) = pair.model.users.first().filter(|user| pair.caller.id == Some(user.id)) else {
            return is_same(pair);
        };
        let row = user.without.last().and_then(|row| pair.model.row(row));
        let about = |cell: &Cell| row.is_some_and(|row| row.cells.contains(cell));
        let needed = reference::need(pair.model, pair.request).map(Need::cells).unwrap_or_default();
        // The read permission of a field set is a cell too.
        let masks = pair.model.fields.iter().filter(|(_, listed)| needed.iter().any(|cell| listed.contains(&cell.1)));
        let concerned = needed.iter().any(about) || masks.into_iter().any(|(field, _)| about(&("read", field)));
        gains_nothing(pair) && (is_same(pair) || concerned)
    };
    assert!(hold(take, law) > 100);
}

#[test]
fn a_role_bound_to_elsewhere_gives_nothing_here() {
    let prepare = |model: &mut PolicyModel| {
        model.one_role = false;
        model.routes.iter_mut().flat_map(|route| &mut route.methods).for_each(|method| method.across.clear());
    };
    let gain = |_: &mut SeededRandom, model: &mut PolicyModel, questions: &mut QuestionSet| {
        for caller in questions.callers.iter_mut().filter(|caller| caller.kind != Kind::Anonymous) {
            let bound = || vec![("ward", vec!["nowhere"]), ("tenant", vec!["t1", "t2"])];
            let roles = names_of_roles(model).into_iter();
            caller.roles.extend(roles.map(|role| Assignment { role, bound: bound(), when: None }));
        }
    };
    let law = |pair: &AnswerPair<'_>| {
        let nearer = pair.before.reason == "not-granted" && pair.after.reason == "out-of-scope";
        is_same(pair) || nearer
    };
    assert!(hold_in(prepare, gain, law) > 1000);
}

#[test]
fn names_that_the_policy_does_not_know_change_nothing() {
    let gain = |_: &mut SeededRandom, _: &mut PolicyModel, questions: &mut QuestionSet| {
        for caller in &mut questions.callers {
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
    let turn = |_: &mut SeededRandom, model: &mut PolicyModel, _: &mut QuestionSet| {
        model.routes.reverse();
        model.resources.reverse();
        model.rows.reverse();
        model.everyone.reverse();
        model.profiles.reverse();
        model.groups.reverse();
        model.roles.reverse();
        model.users.reverse();
        model.scopes.reverse();
        for user in &mut model.users {
            user.roles.iter_mut().for_each(|roles| roles.reverse());
        }
    };
    assert_eq!(hold(turn, is_same), 0);
}

#[test]
fn head_is_decided_as_get() {
    let change = |_: &mut SeededRandom, _: &mut PolicyModel, questions: &mut QuestionSet| {
        questions
            .requests
            .iter_mut()
            .filter(|request| request.method == "GET")
            .for_each(|request| request.method = "HEAD");
    };
    assert_eq!(hold(change, is_same), 0);
}

#[test]
fn an_anonymous_caller_gets_public_routes_and_learns_of_no_other() {
    let forget = |_: &mut SeededRandom, _: &mut PolicyModel, questions: &mut QuestionSet| {
        questions.callers.iter_mut().for_each(|caller| {
            *caller = Caller { kind: Kind::Anonymous, invalid: false, ..caller.clone() };
        });
    };
    let law = |pair: &AnswerPair<'_>| match &*pair.after.reason {
        "bad-request" => !pair.request.readable,
        word => matches!(word, "public" | "unauthenticated"),
    };
    assert!(hold(forget, law) > 1000);
}

#[test]
fn a_route_for_nobody_refuses_every_caller() {
    let brake = |_: &mut SeededRandom, model: &mut PolicyModel, _: &mut QuestionSet| {
        for method in model.routes.iter_mut().flat_map(|route| &mut route.methods) {
            if !matches!(method.need, Need::Public) {
                (method.need, method.when) = (Need::Nobody, None);
                method.across.clear();
            }
        }
        // No route needs this operation now.
        model.rows.iter_mut().for_each(|row| row.cells.retain(|(operation, _)| *operation != "check-in"));
    };
    assert!(hold(brake, |pair| !pair.after.is_permit() || pair.after.reason == "public") > 1000);
}

#[test]
fn under_all_an_unlisted_service_app_stops_at_nothing_that_a_policy_says_of_callers() {
    let prepare = |model: &mut PolicyModel| model.service_apps = Some(ServiceApps::All);
    let become_user = |_: &mut SeededRandom, model: &mut PolicyModel, questions: &mut QuestionSet| {
        let services = questions.callers.iter_mut().filter(|caller| caller.kind == Kind::Service);
        services.filter(|caller| model.user(caller.id).is_none()).for_each(|caller| caller.kind = Kind::User);
    };
    let law = |pair: &AnswerPair<'_>| match &*pair.before.reason {
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
    let forget = |_: &mut SeededRandom, model: &mut PolicyModel, questions: &mut QuestionSet| {
        for caller in &mut questions.callers {
            if model.user(caller.id).is_some_and(|user| user.roles.is_some()) {
                caller.roles.clear();
                caller.permissions.clear();
            }
        }
    };
    assert_eq!(hold(forget, is_same), 0);
}

#[test]
fn a_policy_in_many_files_answers_as_in_one() {
    for seed in policy_seeds() {
        let model = generator::generate_policy(seed, &PARTS);
        let (questions, yaml) = (QuestionSet::new(seed, &model), printing::yaml(&model));
        // One file per key of the policy, the last one first.
        let mut files: Vec<String> = Vec::new();
        for line in yaml.lines() {
            if !line.starts_with(' ') {
                files.push(String::new());
            }
            files.last_mut().unwrap().extend([line, "\n"]);
        }
        files.reverse();
        let split = answers_of(&program::load_files(&files), &questions);
        assert!(split == answers(&model, &questions), "PORTCULLIS_SEED={seed}\n{}", files.join("---\n"));
    }
}

#[test]
fn a_permit_admits_the_answers_that_are_permitted_and_no_others() {
    let mut differing = 0;
    for seed in policy_seeds() {
        let model = generator::generate_policy(seed, &PARTS);
        let (questions, policy) = (QuestionSet::new(seed, &model), program::load(&printing::yaml(&model)));
        let subjects: Vec<_> = questions.callers.iter().map(program::subject).collect();
        for request in &questions.requests {
            let ResponseType::ContentType(content_type) = request.response else { continue };
            let admitted = program::admitted(&policy, request, content_type, &subjects, questions.now);
            let answers = program::answers(&policy, request, &subjects, questions.now);
            let permitted: Vec<bool> = answers.iter().map(Answer::is_permit).collect();
            assert!(admitted == permitted, "PORTCULLIS_SEED={seed} {request:?}\n{}", printing::yaml(&model));
            differing += answers.iter().filter(|answer| answer.reason == "wrong-type").count();
        }
    }
    assert!(differing > 100);
}
