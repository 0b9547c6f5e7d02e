//! Base: the path prefix of a document's paths.

use crate::document::Node;
use crate::policy::import::tree::{child, entries, items, text};

/// Reads the path of the first server of `node`, without a slash at its end; `None` where it lists no server.
pub(super) fn read_servers(node: &Node) -> Option<String> {
    let server = items(child(node, "servers")?)?.first()?;
    let mut url = text(child(server, "url")?)?.to_owned();
    for (name, variable) in child(server, "variables").map(entries).unwrap_or_default() {
        if let (Some(name), Some(default)) = (text(name), child(variable, "default").and_then(text)) {
            url = url.replace(&format!("{{{name}}}"), default);
        }
    }
    Some(normalize(extract_path(&url)))
}

/// Reads the `basePath` of Swagger 2.0, without a slash at its end.
pub(super) fn read_swagger(root: &Node) -> Option<String> {
    child(root, "basePath").and_then(text).map(normalize)
}

/// Normalizes a base path to a slash at its start and none at its end.
pub(super) fn normalize(path: &str) -> String {
    let inner = path.trim().trim_matches('/');
    if inner.is_empty() { String::new() } else { format!("/{inner}") }
}

fn extract_path(url: &str) -> &str {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let authority = url.split_once("://").map(|(_, rest)| rest).or_else(|| url.strip_prefix("//"));
    match authority {
        Some(authority) => authority.find('/').and_then(|at| authority.get(at..)).unwrap_or_default(),
        None => url,
    }
}

#[cfg(test)]
mod tests;
