//! Compilation of a model to a snapshot; it fails only for conflicting routes, which become findings.

use crate::document::{Finding, FindingCode, Findings, Sources};

use super::entitlements::EntitlementTable;
use super::grants::{Grants, insert, words_for};
use super::model::{FieldSet, Model, Shadow};
use super::routes::RouteTable;
use super::snapshot::{PolicyVersion, Snapshot};
use super::source::PolicySource;
use super::template_tree;

pub(super) fn compile(
    mut model: Model,
    source: &PolicySource,
    sources: &Sources,
    findings: &mut Findings,
) -> Option<Snapshot> {
    let routes = match RouteTable::build(std::mem::take(&mut model.routes), model.dialect) {
        Ok(routes) => routes,
        Err(conflicts) => {
            for conflict in conflicts {
                let find = |at: u32| {
                    usize::try_from(at).ok().and_then(|at| source.routes.get(at)).map(|route| &route.template)
                };
                let (Some(first), Some(second)) = (find(conflict.first.0), find(conflict.second.0)) else { continue };
                let message = format!("`{}` matches the same paths as `{}`", second.text, first.text);
                let finding = Finding::error(FindingCode::RouteConflict, Some(second.span), message);
                findings.push(
                    finding.also(first.span, "first here").help("join the two: write all methods under one of them"),
                );
            }
            return None;
        }
    };
    template_tree::check_templates(&routes, findings);
    let words = words_for(model.rows.len());
    let gates = model.gates.iter().map(|gate| {
        let mut bits = vec![0; words].into_boxed_slice();
        gate.closes.iter().for_each(|row| insert(&mut bits, *row));
        bits
    });
    let users = std::mem::take(&mut model.users);
    Some(Snapshot {
        version: PolicyVersion { name: model.name.clone(), hash: hash_sources(sources).into() },
        routes,
        grants: Grants::build(model.cells.len(), &model.rows),
        entitlements: EntitlementTable::build(&model, users),
        gates: gates.collect(),
        gate_codes: model.gates.iter().map(|gate| format!("gate:{}", gate.name).into()).collect(),
        features: model.profiles.iter().map(|profile| bit_set(&profile.features)).collect(),
        masks: model.cells.iter().map(|cell| field_set_bits(&model, &cell.resource)).collect(),
        shadowed: model.cells.iter().map(|cell| is_shadowed(&model, &cell.resource)).collect(),
        model,
    })
}

fn bit_set(indices: &[u8]) -> u64 {
    indices.iter().fold(0, |bits, at| bits | 1 << (at % 64))
}

/// The field sets of a resource's responses, one bit each.
fn field_set_bits(model: &Model, resource: &str) -> u64 {
    let listed = |set: &FieldSet| set.resources.iter().any(|(known, _)| **known == *resource);
    (0..64).zip(&model.fields).fold(0, |bits, (at, set)| bits | u64::from(listed(set)) << at)
}

fn is_shadowed(model: &Model, resource: &str) -> bool {
    match &model.shadow {
        Shadow::Off => false,
        Shadow::Resources(names) => names.iter().any(|name| **name == *resource),
        Shadow::All => true,
    }
}

/// A hash over the texts in order, each with its length, so that moving a line between files changes the hash.
fn hash_sources(sources: &Sources) -> String {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for (_, source) in sources.iter() {
        context.update(&source.text.len().to_be_bytes());
        context.update(source.text.as_bytes());
    }
    context.finish().as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
