//! Prints the permissions of a role, a group, a user, a permission or a given caller as tables.

use clap::Args;

use crate::cli::caller::{now, parse_subject};
use crate::cli::exit::CommandError;
use crate::decision::view::MatrixView;
use crate::decision::{ApprovalSet, EvaluationContext, Reason, resolve_scope};
use crate::policy::Snapshot;
use crate::policy::condition_context::ConditionContext;
use crate::policy::matrix::{Matrix, format_operations};
use crate::policy::model::{ScopeBounds, ScopedRole};
use crate::policy::users::UserEntry;
use crate::vocabulary::name::nearest;
use crate::vocabulary::{Access, Cell, CellId, Cells, RequestFacts, RouteId, Scope, Subject, SubjectId, SubjectKind};

/// Selection: the role, group, user, permission or caller whose view is printed.
#[derive(Debug, Default, Args)]
pub(super) struct Selection {
    /// The permissions of a caller with this role
    #[arg(long, value_name = "NAME", conflicts_with_all = ["user", "permission", "subject"])]
    role: Option<String>,
    /// The permissions of a caller in this group; can be combined with another selection
    #[arg(long, value_name = "NAME", conflicts_with = "subject")]
    group: Option<String>,
    /// The permissions that the policy gives this user, without any token claims
    #[arg(long, value_name = "ID", conflicts_with_all = ["permission", "subject"])]
    user: Option<String>,
    /// The permissions of a caller that holds only this permission
    #[arg(long, value_name = "NAME", conflicts_with = "subject")]
    permission: Option<String>,
    /// The permissions of this caller: JSON, or `@FILE` with it
    #[arg(long = "as", value_name = "JSON")]
    subject: Option<String>,
    /// A declared scope and its value; may be given once for each scope
    #[arg(long, value_name = "NAME=VALUE")]
    scope: Vec<String>,
}

impl Selection {
    pub(super) fn is_empty(&self) -> bool {
        let Self { role, group, user, permission, subject, scope } = self;
        let any = role.is_some() || group.is_some() || user.is_some() || permission.is_some() || subject.is_some();
        !any && scope.is_empty()
    }
}

/// The tables of the selection, and notes about the cells that they omit.
pub(super) fn view_tables(
    policy: &Snapshot,
    selection: &Selection,
) -> Result<(Vec<Matrix>, Vec<String>), CommandError> {
    let scope = parse_scope(policy, &selection.scope)?;
    let (caller, mut notes) = match &selection.subject {
        Some(argument) => (parse_subject(argument).map_err(CommandError::usage)?, Vec::new()),
        None => assumed_caller(policy, selection, &scope)?,
    };
    let bound = selection.role.as_deref().map(|role| role_entry(policy, role, &scope)).transpose()?;
    let entry = match &bound {
        Some(bound) => Some(UserEntry { roles: Some(bound), ..UserEntry::EMPTY }),
        None => caller.id.as_ref().and_then(|id| policy.entitlements.users().find(id)),
    };
    let entitlements = policy.entitlements.with_entry(&caller, entry);
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
            let context = ConditionContext { now, subject, facts, scope: &scope, entitlements: &entitlements, policy };
            // Conditions are evaluated only for a caller given with `--as`.
            let is_given = selection.subject.is_some();
            let holds =
                |id| is_given && policy.condition(id).is_some_and(|condition| condition.holds(&context.variables()));
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
    check_complete_caller(policy, selection, &view)?;
    notes.extend(view_notes(policy, &view));
    Ok((print_view(policy, &view), notes))
}

/// A caller with only the selected properties, and notes about the assumptions.
fn assumed_caller(
    policy: &Snapshot,
    selection: &Selection,
    scope: &Scope<'static>,
) -> Result<(Subject, Vec<String>), CommandError> {
    let model = &policy.model;
    if let Some(group) = &selection.group {
        check_known("group", group, model.groups.iter().map(|group| &*group.name))?;
    }
    if let Some(row) = &selection.permission {
        check_known("permission", row, model.rows.iter().map(|row| &*row.name))?;
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

/// The assignment of a role, bound to the given scope where the role requires it.
fn role_entry(policy: &Snapshot, name: &str, scope: &Scope<'_>) -> Result<[ScopedRole; 1], CommandError> {
    check_known("role", name, policy.model.roles.iter().map(|role| &*role.name))?;
    let roles = (0..).zip(&policy.model.roles);
    let Some((role, found)) = roles.into_iter().find(|(_, role)| &*role.name == name) else {
        return Err(CommandError::usage(format!("the policy has no role `{name}`")));
    };
    let mut bounds: Vec<(u8, Box<[Box<str>]>)> = Vec::new();
    for ((index, declared), value) in (0_u8..).zip(&policy.model.scopes).zip(scope) {
        match value {
            _ if found.assign_within >> index & 1 == 0 => {}
            Some(value) => bounds.push((index, Box::new([(&**value).into()]))),
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

/// Parses the values of `--scope` into the order of the declared scopes.
fn parse_scope(policy: &Snapshot, arguments: &[String]) -> Result<Scope<'static>, CommandError> {
    let mut scope: Scope<'static> = Default::default();
    for pair in arguments {
        let Some((name, value)) = pair.split_once('=').filter(|(_, value)| !value.is_empty()) else {
            return Err(CommandError::usage(format!(
                "`--scope {pair}` is no name and value: write `--scope tenant=t1`"
            )));
        };
        check_known("scope", name, policy.model.scopes.iter().map(|scope| &*scope.name))?;
        let index = policy.model.scopes.iter().position(|scope| &*scope.name == name);
        match index.and_then(|index| scope.get_mut(index)) {
            Some(Some(_)) => return Err(CommandError::usage(format!("`--scope {name}=…` stands twice"))),
            Some(slot) => *slot = Some(value.to_owned().into()),
            None => {}
        }
    }
    Ok(scope)
}

fn check_known<'n>(sort: &str, name: &str, mut all: impl Iterator<Item = &'n str> + Clone) -> Result<(), CommandError> {
    let names = all.clone();
    if all.any(|known| known == name) {
        return Ok(());
    }
    let near = nearest(name, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(CommandError::usage(format!("the policy has no {sort} `{name}`{near}")))
}

/// Refuses a selection that lacks a required group or role, because its table would be empty.
fn check_complete_caller(policy: &Snapshot, selection: &Selection, view: &MatrixView) -> Result<(), CommandError> {
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

/// Notes about the cells that the tables omit.
fn view_notes(policy: &Snapshot, view: &MatrixView) -> Vec<String> {
    let cells = |count: usize| if count == 1 { "1 cell is".to_owned() } else { format!("{count} cells are") };
    let name = |at: usize| policy.gate(at).map(|gate| gate.name.to_string()).unwrap_or_default();
    let mut notes = Vec::new();
    if let Some(reason) = view.refusal {
        notes.push(format!("nothing is open: {}, {}", reason.code(), reason.sentence()));
    }
    let hidden = view.hidden.iter();
    notes.extend(
        hidden
            .map(|(gate, count)| format!("{} hidden: the profile lacks the feature `{}`", cells(*count), name(*gate))),
    );
    let closed = view.closed.iter();
    notes.extend(closed.map(|(gate, count)| format!("{} closed by the gate `{}`", cells(*count), name(*gate))));
    notes
}

/// The open cells in the vendor's tables, with a row for each resource; field sets have their own table.
fn print_view(policy: &Snapshot, view: &MatrixView) -> Vec<Matrix> {
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
            (!open.is_empty())
                .then(|| (name.to_string(), vec![format_operations(cells.into_iter()), through.join("; ")]))
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
    let rows = policy.model.fields.iter().zip(&view.fields).map(|(set, visible)| {
        let resources = set.resources.iter().map(|(name, _)| &**name).collect::<Vec<_>>().join("; ");
        (set.name.to_string(), vec![if *visible { "seen" } else { "masked" }.to_owned(), resources])
    });
    let rows: Vec<(String, Vec<String>)> = rows.collect();
    (!rows.is_empty()).then(|| Matrix {
        title: Some("Field sets".to_owned()),
        heading: "field set",
        resources: vec!["fields".to_owned(), "in answers about".to_owned()],
        rows,
    })
}
