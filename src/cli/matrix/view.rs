//! MatrixView: what a role, a group, a user, a permission or a stated caller may, as tables.

use clap::Args;

use crate::cli::caller::{now, subject};
use crate::cli::exit::CommandError;
use crate::decision::view::MatrixView;
use crate::decision::{ApprovalSet, EvaluationContext, Reason, resolve_scope};
use crate::policy::Snapshot;
use crate::policy::condition::ConditionContext;
use crate::policy::matrix::{Matrix, letters};
use crate::policy::model::{ScopeBounds, ScopedRole};
use crate::policy::users::UserEntry;
use crate::vocabulary::name::nearest;
use crate::vocabulary::{Access, Cell, CellId, Cells, RequestFacts, RouteId, Scope, Subject, SubjectId, SubjectKind};

/// Selection: whose view is asked for.
#[derive(Debug, Default, Args)]
pub(super) struct Selection {
    /// What whoever has this role may
    #[arg(long, value_name = "NAME", conflicts_with_all = ["user", "permission", "subject"])]
    role: Option<String>,
    /// What whoever is in this group may; with another selection, the group besides
    #[arg(long, value_name = "NAME", conflicts_with = "subject")]
    group: Option<String>,
    /// What the policy lets this user do, without a word of a token
    #[arg(long, value_name = "ID", conflicts_with_all = ["permission", "subject"])]
    user: Option<String>,
    /// What whoever holds this one permission may
    #[arg(long, value_name = "NAME", conflicts_with = "subject")]
    permission: Option<String>,
    /// What this caller may: JSON, or `@FILE` with it
    #[arg(long = "as", value_name = "JSON")]
    subject: Option<String>,
    /// Where: a declared scope and its value, once for each
    #[arg(long, value_name = "NAME=VALUE")]
    scope: Vec<String>,
}

impl Selection {
    pub(super) fn is_empty(&self) -> bool {
        let Self { role, group, user, permission, subject, scope } = self;
        let one = role.is_some() || group.is_some() || user.is_some() || permission.is_some() || subject.is_some();
        !one && scope.is_empty()
    }
}

/// The tables of what is selected, and sentences about what they do not show.
pub(super) fn tables(policy: &Snapshot, selection: &Selection) -> Result<(Vec<Matrix>, Vec<String>), CommandError> {
    let scope = stated_scope(policy, &selection.scope)?;
    let (caller, mut notes) = match &selection.subject {
        Some(written) => (subject(written).map_err(CommandError::usage)?, Vec::new()),
        None => imagined(policy, selection, &scope)?,
    };
    let bound = selection.role.as_deref().map(|role| role_entry(policy, role, &scope)).transpose()?;
    let entry = match &bound {
        Some(bound) => Some(UserEntry { roles: Some(bound), ..UserEntry::NOTHING }),
        None => caller.id.as_ref().and_then(|id| policy.entitlements.users().find(id)),
    };
    let entitlements = policy.entitlements.with(&caller, entry);
    let cells = Cells::All(Box::new([]));
    let access = Access { route: RouteId(0), method: 0, cells: &cells, scope: scope.clone(), across: 0 };
    let view = match resolve_scope(&access, &entitlements, policy) {
        None => MatrixView { refusal: Some(Reason::NotAMember), ..MatrixView::default() },
        Some(_) if caller.kind == SubjectKind::Anonymous => {
            MatrixView { refusal: Some(Reason::Unauthenticated(None)), ..MatrixView::default() }
        }
        Some(scope) => {
            let (approvals, now) = (ApprovalSet::default(), now());
            let (facts, subject) = (RequestFacts::default(), &caller);
            let at = ConditionContext { now, subject, facts, scope: &scope, entitlements: &entitlements, policy };
            // Only a caller who was stated can be judged by one.
            let stated = selection.subject.is_some();
            let holds = |id| stated && policy.condition(id).is_some_and(|condition| condition.holds(&at));
            let (approvals, subject, scope) = (&approvals, &caller, &scope);
            MatrixView::of(&EvaluationContext {
                policy,
                approvals,
                now,
                subject,
                entitlements,
                scope,
                across: 0,
                holds: &holds,
            })
        }
    };
    refuse_half_a_caller(policy, selection, &view)?;
    notes.extend(told(policy, &view));
    Ok((printed(policy, &view), notes))
}

/// A caller who has what is selected and nothing else, and what is assumed of it.
fn imagined(
    policy: &Snapshot,
    selection: &Selection,
    scope: &Scope<'static>,
) -> Result<(Subject, Vec<String>), CommandError> {
    let model = &policy.model;
    if let Some(group) = &selection.group {
        known("group", group, model.groups.iter().map(|group| &*group.name))?;
    }
    if let Some(row) = &selection.permission {
        known("permission", row, model.rows.iter().map(|row| &*row.name))?;
    }
    let id = selection.user.as_deref().map(SubjectId::parse);
    if let Some(id) = id.as_ref().filter(|id| policy.entitlements.users().find(id).is_none()) {
        return Err(CommandError::usage(format!("`users:` of the policy does not list `{id}`")));
    }
    let tenants = model.scopes.iter().zip(scope).filter(|(declared, _)| declared.caller);
    let approvals: Vec<Box<str>> =
        model.gates.iter().filter(|gate| gate.approval().is_some()).map(|gate| gate.name.clone()).collect();
    let notes = match approvals.is_empty() {
        true => Vec::new(),
        false => vec![format!("with the approvals `{}`", approvals.join("`, `"))],
    };
    let subject = Subject {
        kind: SubjectKind::User,
        id,
        tenants: tenants.filter_map(|(_, value)| Some(value.as_deref()?.into())).collect(),
        groups: selection.group.iter().map(|group| group.as_str().into()).collect(),
        permissions: selection.permission.iter().map(|row| row.as_str().into()).collect(),
        approved: approvals,
        ..Subject::default()
    };
    Ok((subject, notes))
}

/// The assignment of a role, bound to the stated scope where it must be bound.
fn role_entry(policy: &Snapshot, name: &str, scope: &Scope<'_>) -> Result<[ScopedRole; 1], CommandError> {
    known("role", name, policy.model.roles.iter().map(|role| &*role.name))?;
    let roles = (0..).zip(&policy.model.roles);
    let Some((role, found)) = roles.into_iter().find(|(_, role)| &*role.name == name) else {
        return Err(CommandError::usage(format!("the policy has no role `{name}`")));
    };
    let mut bounds: Vec<(u8, Box<[Box<str>]>)> = Vec::new();
    for ((at, declared), value) in (0_u8..).zip(&policy.model.scopes).zip(scope) {
        match value {
            _ if found.assign_within >> at & 1 == 0 => {}
            Some(value) => bounds.push((at, Box::new([(&**value).into()]))),
            None => {
                let scope = &declared.name;
                return Err(CommandError::usage(format!(
                    "the role `{name}` is assigned within a {scope}: add `--scope {scope}=…`"
                )));
            }
        }
    }
    Ok([ScopedRole { role, scope: ScopeBounds::from(bounds), when: None }])
}

/// The values of `--scope`, in the order of the declared scopes.
fn stated_scope(policy: &Snapshot, written: &[String]) -> Result<Scope<'static>, CommandError> {
    let mut scope: Scope<'static> = Default::default();
    for pair in written {
        let Some((name, value)) = pair.split_once('=').filter(|(_, value)| !value.is_empty()) else {
            return Err(CommandError::usage(format!(
                "`--scope {pair}` is no name and value: write `--scope tenant=t1`"
            )));
        };
        known("scope", name, policy.model.scopes.iter().map(|scope| &*scope.name))?;
        let at = policy.model.scopes.iter().position(|scope| &*scope.name == name);
        match at.and_then(|at| scope.get_mut(at)) {
            Some(Some(_)) => return Err(CommandError::usage(format!("`--scope {name}=…` stands twice"))),
            Some(slot) => *slot = Some(value.to_owned().into()),
            None => {}
        }
    }
    Ok(scope)
}

fn known<'n>(sort: &str, name: &str, mut all: impl Iterator<Item = &'n str> + Clone) -> Result<(), CommandError> {
    let names = all.clone();
    if all.any(|known| known == name) {
        return Ok(());
    }
    let near = nearest(name, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(CommandError::usage(format!("the policy has no {sort} `{name}`{near}")))
}

/// Where a caller needs a group or a role besides, an empty table would tell nothing.
fn refuse_half_a_caller(policy: &Snapshot, selection: &Selection, view: &MatrixView) -> Result<(), CommandError> {
    let missing = match view.refusal {
        _ if selection.subject.is_some() => return Ok(()),
        Some(Reason::NoGroup) => "every caller is in one of the policy's groups: add `--group`",
        Some(Reason::NotOneRole) => "every caller has exactly one role: add `--role`",
        _ => return Ok(()),
    };
    let names = match view.refusal {
        Some(Reason::NoGroup) => policy.model.groups.iter().map(|group| &*group.name).collect::<Vec<_>>(),
        _ => policy.model.roles.iter().map(|role| &*role.name).collect(),
    };
    Err(CommandError::usage(format!("{missing}, one of `{}`", names.join("`, `"))))
}

/// What the tables leave out.
fn told(policy: &Snapshot, view: &MatrixView) -> Vec<String> {
    let cells = |count: usize| if count == 1 { "1 cell is".to_owned() } else { format!("{count} cells are") };
    let name = |at: usize| policy.gate(at).map(|gate| gate.name.to_string()).unwrap_or_default();
    let mut notes = Vec::new();
    if let Some(reason) = view.refusal {
        notes.push(format!("nothing is open: {}, {}", reason.code(), reason.sentence()));
    }
    let hidden = view.hidden.iter();
    notes.extend(
        hidden.map(|(at, count)| format!("{} hidden: the profile lacks the feature `{}`", cells(*count), name(*at))),
    );
    let closed = view.closed.iter();
    notes.extend(closed.map(|(at, count)| format!("{} closed by the gate `{}`", cells(*count), name(*at))));
    notes
}

/// The open cells, a row for each resource, in the vendor's tables; the field sets in one of their own.
fn printed(policy: &Snapshot, view: &MatrixView) -> Vec<Matrix> {
    let resource = |cell: CellId| policy.cell(cell).map(|cell| &*cell.resource);
    let tables = policy.model.tables.iter().map(|table| {
        let rows = table.resources.iter().filter_map(|name| {
            let open: Vec<_> = view.open.iter().filter(|(cell, _)| resource(*cell) == Some(&**name)).collect();
            let cells = open.iter().filter_map(|(cell, _)| policy.cell(*cell)).collect::<Vec<&Cell>>();
            let mut through: Vec<String> = Vec::new();
            for row in open.iter().filter_map(|(_, row)| policy.row((*row)?)) {
                if !through.iter().any(|known| **known == *row.name) {
                    through.push(row.name.to_string());
                }
            }
            (!open.is_empty()).then(|| (name.to_string(), vec![letters(cells.into_iter()), through.join("; ")]))
        });
        Matrix {
            title: table.title.as_ref().map(|title| title.to_string()),
            heading: "resource",
            resources: vec!["may".to_owned(), "through".to_owned()],
            rows: rows.collect(),
        }
    });
    tables.chain(field_sets(policy, view)).collect()
}

fn field_sets(policy: &Snapshot, view: &MatrixView) -> Option<Matrix> {
    let rows = policy.model.fields.iter().zip(&view.fields).map(|(set, seen)| {
        let resources = set.resources.iter().map(|(name, _)| &**name).collect::<Vec<_>>().join("; ");
        (set.name.to_string(), vec![if *seen { "seen" } else { "masked" }.to_owned(), resources])
    });
    let rows: Vec<(String, Vec<String>)> = rows.collect();
    (!rows.is_empty()).then(|| Matrix {
        title: Some("Field sets".to_owned()),
        heading: "field set",
        resources: vec!["fields".to_owned(), "in answers about".to_owned()],
        rows,
    })
}
