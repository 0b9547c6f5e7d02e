//! Field sets and shadow mode as read.

use crate::document::reader;
use crate::document::{Findings, Node, Value};

use super::spanned::{Spanned, read_names, read_text};

/// FieldSource: a set of fields, by the resources whose responses contain them.
#[derive(Debug, Clone)]
pub(crate) struct FieldSource {
    pub(crate) name: Spanned,
    pub(crate) resources: Vec<PathsSource>,
}

/// PathsSource: the paths of the fields in the responses of one resource.
#[derive(Debug, Clone)]
pub(crate) struct PathsSource {
    pub(crate) resource: Spanned,
    pub(crate) paths: Vec<Spanned>,
}

/// ShadowSource: the refusals that are forwarded.
#[derive(Debug, Clone)]
pub(crate) enum ShadowSource {
    All,
    Resources(Vec<Spanned>),
}

pub(super) fn read_field_set(key: &Node, value: &Node, findings: &mut Findings) -> Option<FieldSource> {
    let name = read_text(key, "a field set", findings);
    let mut resources = Vec::new();
    for (resource, paths) in reader::entries(value, "a field set", findings)? {
        let resource = read_text(resource, "a resource", findings);
        let paths = read_names(paths, "a field's path", findings);
        if let Some(resource) = resource {
            resources.push(PathsSource { resource, paths });
        }
    }
    Some(FieldSource { name: name?, resources })
}

/// Reads `all`, or a list of resources.
pub(super) fn read_shadow(node: &Node, findings: &mut Findings) -> Option<ShadowSource> {
    match &node.value {
        Value::List(_) => Some(ShadowSource::Resources(read_names(node, "a resource", findings))),
        _ => reader::keyword(node, "`shadow`", &[("all", ())], findings).map(|()| ShadowSource::All),
    }
}
