//! Views of the five policies, compared with decisions about every route.

use super::MatrixView;
use crate::decision::query::{RequestQuery, decide_query};
use crate::decision::{ApprovalSet, EvaluationContext, NoTrace, Phase};
use crate::document::{Sources, report};
use crate::policy::{self, Snapshot};
use crate::vocabulary::{Assignment, Cells, Scope, Subject, SubjectId, SubjectKind, Timestamp};

const POLICIES: [&str; 5] = [
    include_str!("../../../policies/noah-es.yaml"),
    include_str!("../../../policies/carestream.yaml"),
    include_str!("../../../policies/hid-integration-service.yaml"),
    include_str!("../../../policies/proknow.yaml"),
    include_str!("../../../policies/pathology.yaml"),
];

fn load(text: &str) -> Snapshot {
    let mut sources = Sources::default();
    sources.add("p.yaml", text);
    let loaded = policy::load(&sources, None);
    loaded.snapshot.unwrap_or_else(|| panic!("{}", report::human(&loaded.findings, &sources)))
}

/// The callers that a policy distinguishes: each role, group and user, bound or unbound, with or without approvals.
fn callers(policy: &Snapshot) -> Vec<Subject> {
    let user = || Subject {
        kind: SubjectKind::User,
        tenants: vec!["t1".into()],
        client: Some("app-9".into()),
        ..Subject::default()
    };
    let mut callers = vec![user(), Subject { kind: SubjectKind::Service, ..user() }];
    let bound: Vec<(Box<str>, Vec<Box<str>>)> =
        policy.model.scopes.iter().map(|scope| (scope.name.clone(), vec![VALUES[0].into()])).collect();
    for role in &policy.model.roles {
        for scope in [Vec::new(), bound.clone()] {
            let roles = vec![Assignment { role: role.name.clone(), scope }];
            callers.push(Subject { roles: roles.clone(), ..user() });
            let approved = policy.model.gates.iter().map(|gate| gate.name.clone()).collect();
            callers.push(Subject { roles, approved, ..user() });
        }
    }
    for group in &policy.model.groups {
        callers.push(Subject { groups: vec![group.name.clone()], ..user() });
    }
    for entry in policy.entitlements.users().iter() {
        callers.push(Subject { id: Some(SubjectId::parse(&entry.id().to_string())), ..user() });
    }
    callers
}

const VALUES: [&str; 2] = ["t1", "w1"];

#[test]
fn a_view_agrees_with_the_decisions_about_every_route() {
    let (mut permitted, mut refused) = (0, 0);
    for policy in POLICIES.map(load) {
        for subject in callers(&policy) {
            for value in VALUES {
                for route in policy.routes.routes() {
                    let target: Vec<&str> = route
                        .template
                        .text()
                        .split('/')
                        .map(|part| if part.starts_with('{') { value } else { part })
                        .collect();
                    let target = target.join("/").replace("={workspace}", &format!("={value}"));
                    for method in &route.methods {
                        let Cells::All(needed) = &method.cells else { continue };
                        let query = RequestQuery {
                            subject: &subject,
                            method: &method.name,
                            target: &target,
                            host: None,
                            phase: Phase::Request,
                        };
                        let (reason, view) = decide_query(&policy, query, Timestamp(0), &mut NoTrace, |trace, _| {
                            let view = trace.with_context(&policy, &subject, |context, _| MatrixView::of(context));
                            // A value may equal a literal of another route.
                            let same = trace.route_match.is_ok_and(|found| found.method.cells == method.cells);
                            (same.then_some(trace.decision.reason), view)
                        });
                        let Some(reason) = reason else { continue };
                        let open = view.is_some_and(|view| {
                            needed.iter().all(|cell| view.open.iter().any(|(known, _)| known == cell))
                        });
                        assert_eq!(open, reason.is_permit(), "{} {target} {subject:?}: {reason:?}", method.name);
                        if open { permitted += 1 } else { refused += 1 }
                    }
                }
            }
        }
    }
    assert!(permitted > 1_000 && refused > 1_000, "{permitted} permitted, {refused} refused");
}

/// The view of a caller that is a member of `group` and has nothing else.
fn view_of(policy: &Snapshot, group: &str) -> MatrixView {
    let subject = Subject { kind: SubjectKind::User, groups: vec![group.into()], ..Subject::default() };
    let (approvals, scope) = (ApprovalSet::default(), Scope::default());
    MatrixView::of(&EvaluationContext {
        policy,
        approvals: &approvals,
        now: Timestamp(0),
        subject: &subject,
        entitlements: policy.entitlements.for_subject(&subject),
        scope: &scope,
        across: 0,
        holds: &|_| false,
    })
}

#[test]
fn cells_of_a_feature_that_the_profile_does_not_list_are_hidden_and_counted() {
    let policy = load(POLICIES[1]);
    let mpr = policy.model.cells.iter().position(|cell| &*cell.resource == "MPR").unwrap();
    let has_mpr = |view: &MatrixView| view.open.iter().any(|(cell, _)| usize::try_from(cell.0) == Ok(mpr));
    let view = view_of(&policy, "Clinicians");
    assert!(has_mpr(&view) && view.hidden.is_empty());
    let policy = load(&POLICIES[1].replace("profile: Reading Client", "profile: Web Client"));
    let view = view_of(&policy, "Clinicians");
    assert!(!has_mpr(&view));
    // MPR also gives `read Images`, but so does Reading Flow.
    assert_eq!((view.hidden, view.closed), (vec![(0, 1)], Vec::new()));
    assert_eq!(view_of(&policy, "Nobody").refusal, Some(crate::decision::Reason::NoGroup));
}
