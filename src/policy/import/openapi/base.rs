//! Base: the path that a document puts before its own.

use crate::document::Node;
use crate::policy::import::tree::{child, entries, items, text};

/// The path of the first server that `node` lists, without a slash at its end; `None` where it lists none.
pub(super) fn of_servers(node: &Node) -> Option<String> {
    let server = items(child(node, "servers")?)?.first()?;
    let mut url = text(child(server, "url")?)?.to_owned();
    for (name, variable) in child(server, "variables").map(entries).unwrap_or_default() {
        if let (Some(name), Some(default)) = (text(name), child(variable, "default").and_then(text)) {
            url = url.replace(&format!("{{{name}}}"), default);
        }
    }
    Some(normal(path_of(&url)))
}

/// Swagger 2.0's `basePath`, without a slash at its end.
pub(super) fn of_swagger(root: &Node) -> Option<String> {
    child(root, "basePath").and_then(text).map(normal)
}

/// A base path with a slash at its beginning and none at its end.
pub(super) fn normal(path: &str) -> String {
    let inner = path.trim().trim_matches('/');
    if inner.is_empty() { String::new() } else { format!("/{inner}") }
}

fn path_of(url: &str) -> &str {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let authority = url.split_once("://").map(|(_, rest)| rest).or_else(|| url.strip_prefix("//"));
    match authority {
        Some(authority) => authority.find('/').and_then(|at| authority.get(at..)).unwrap_or_default(),
        None => url,
    }
}

#[cfg(test)]
mod tests;
