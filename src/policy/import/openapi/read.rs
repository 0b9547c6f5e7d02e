//! Reads the operations of an OpenAPI or Swagger document, each with its full path.

use crate::document::{Finding, FindingCode, Findings, Node, Span, Value};
use crate::policy::import::tree::{child, entries, items, text};

use super::base;

/// OpenapiDocument: the parts of a document that an import uses.
pub(super) struct OpenapiDocument<'n> {
    pub(super) title: Option<&'n str>,
    pub(super) version: Option<&'n str>,
    /// The base paths of its paths, usually one.
    pub(super) bases: Vec<String>,
    pub(super) operations: Vec<OperationDescription<'n>>,
}

/// OperationDescription: one operation of the document.
pub(super) struct OperationDescription<'n> {
    pub(super) base: String,
    pub(super) path: &'n str,
    pub(super) method: String,
    pub(super) span: Span,
    /// Whether its path also has GET.
    pub(super) has_get: bool,
    pub(super) tags: Vec<&'n str>,
    /// Whether the document requires no credential.
    pub(super) public: bool,
    pub(super) deprecated: bool,
    /// The extensions that seem to concern permissions.
    pub(super) extensions: Vec<(&'n str, Span)>,
}

impl OperationDescription<'_> {
    pub(super) fn full_path(&self) -> String {
        format!("{}{}", self.base, self.path)
    }

    pub(super) fn has_one_of(&self, tags: &[String]) -> bool {
        tags.is_empty() || self.tags.iter().any(|own| tags.iter().any(|tag| tag == own))
    }
}

const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// The most references in a chain to a path item.
const MAX_HOPS: usize = 16;

/// Words in an extension's name that suggest permissions.
const PERMISSION_WORDS: [&str; 7] = ["permission", "role", "scope", "auth", "acl", "policy", "access"];

/// Reads the document at `root`; `base` replaces its own base path.
pub(super) fn read_document<'n>(
    root: &'n Node,
    base: Option<&str>,
    findings: &mut Findings,
) -> Option<OpenapiDocument<'n>> {
    check_version(root, findings)?;
    let own = || base::read_servers(root).or_else(|| base::read_swagger(root)).unwrap_or_default();
    let reader = OpenapiReader { root, fixed: base.map(base::normalize), base: base.map_or_else(own, base::normalize) };
    for (key, what) in [("webhooks", "requests that the API sends"), ("x-ms-paths", "an extension")] {
        if let Some(node) = child(root, key) {
            findings.push(Finding::note(
                FindingCode::UnknownKey,
                Some(node.span),
                format!("`{key}` is {what}: not read"),
            ));
        }
    }
    let mut operations = Vec::new();
    match child(root, "paths") {
        Some(paths) if matches!(paths.value, Value::Map(_)) => {
            for (key, item) in entries(paths) {
                match text(key) {
                    Some(path) if !path.starts_with("x-") => {
                        operations.extend(reader.read_path(path, key.span, item, findings));
                    }
                    _ => {}
                }
            }
        }
        Some(paths) => {
            let message = format!("`paths` is a map, not {}", paths.value.type_name());
            findings.push(Finding::error(FindingCode::WrongSort, Some(paths.span), message));
        }
        None => {
            findings.push(Finding::error(FindingCode::MissingKey, Some(start_of(root)), "the document has no `paths`"))
        }
    }
    let mut bases: Vec<String> = Vec::new();
    for operation in &operations {
        if !bases.contains(&operation.base) {
            bases.push(operation.base.clone());
        }
    }
    let info = child(root, "info");
    let of_info = |key| info.and_then(|info| child(info, key)).and_then(text);
    Some(OpenapiDocument { title: of_info("title"), version: of_info("version"), bases, operations })
}

fn check_version(root: &Node, findings: &mut Findings) -> Option<()> {
    let version_of = |key| child(root, key).and_then(text);
    match (version_of("openapi"), version_of("swagger")) {
        (Some(version), _) if version.starts_with("3.") => Some(()),
        (None, Some(version)) if version.starts_with("2.") => Some(()),
        (Some(other), _) | (None, Some(other)) => {
            let message = format!("version `{other}` of the document's format is not read");
            findings.push(
                Finding::error(FindingCode::BadValue, Some(start_of(root)), message)
                    .help("OpenAPI 3 and Swagger 2.0 are"),
            );
            None
        }
        (None, None) => {
            let finding = Finding::error(FindingCode::MissingKey, Some(start_of(root)), "this is no OpenAPI document");
            findings.push(finding.help("one begins with `openapi: 3.…` or `swagger: \"2.0\"`"));
            None
        }
    }
}

struct OpenapiReader<'n> {
    root: &'n Node,
    /// The base path from the options; it overrides the servers of paths and operations.
    fixed: Option<String>,
    base: String,
}

impl<'n> OpenapiReader<'n> {
    fn read_path(
        &self,
        path: &'n str,
        span: Span,
        item: &'n Node,
        findings: &mut Findings,
    ) -> Vec<OperationDescription<'n>> {
        let parts = self.resolve_references(item, findings);
        let base = self.nearest_base(parts.iter().copied(), &self.base);
        let mut found: Vec<OperationDescription<'n>> = Vec::new();
        for (key, operation) in parts.into_iter().flat_map(entries) {
            let Some(method) = text(key).filter(|key| METHODS.contains(key)) else { continue };
            let method = method.to_ascii_uppercase();
            if found.iter().any(|known| known.method == method) {
                continue;
            }
            if !matches!(operation.value, Value::Map(_)) {
                let message = format!("`{method} {path}` is a map, not {}", operation.value.type_name());
                findings.push(Finding::error(FindingCode::WrongSort, Some(key.span), message));
                continue;
            }
            let tags = child(operation, "tags").and_then(items).unwrap_or_default();
            found.push(OperationDescription {
                base: self.nearest_base(std::iter::once(operation), &base),
                path,
                method,
                span,
                has_get: false,
                tags: tags.iter().filter_map(text).collect(),
                public: self.is_public(operation),
                deprecated: child(operation, "deprecated").and_then(text) == Some("true"),
                extensions: find_extensions(operation),
            });
        }
        if found.is_empty() {
            let message = format!("`{path}` has no method that is read");
            findings.push(Finding::note(FindingCode::EmptyValue, Some(span), message));
        }
        let gets = found.iter().any(|operation| operation.method == "GET");
        found.iter_mut().for_each(|operation| operation.has_get = gets);
        found
    }

    /// The base path of the first of `nodes` that lists servers, otherwise `outer`.
    fn nearest_base(&self, mut nodes: impl Iterator<Item = &'n Node>, outer: &str) -> String {
        let own = if self.fixed.is_none() { nodes.find_map(base::read_servers) } else { None };
        own.unwrap_or_else(|| outer.to_owned())
    }

    /// Resolves the path item at `item` and the items that it refers to, `item` first.
    fn resolve_references(&self, item: &'n Node, findings: &mut Findings) -> Vec<&'n Node> {
        let mut parts = vec![item];
        while let Some(reference) = parts.last().and_then(|last| child(last, "$ref")) {
            let mut refuse = |message: String| {
                findings.push(Finding::error(FindingCode::UnknownName, Some(reference.span), message));
            };
            let Some(pointer) = text(reference) else {
                refuse("`$ref` is a text".to_owned());
                break;
            };
            if parts.len() > MAX_HOPS {
                refuse(format!("`{pointer}` leads in a circle, or too far"));
                break;
            }
            match self.resolve_pointer(pointer) {
                Some(target) => parts.push(target),
                None if pointer.starts_with('#') => {
                    refuse(format!("`{pointer}` is nowhere in this document"));
                    break;
                }
                None => {
                    refuse(format!("`{pointer}` is in another document, which is not read"));
                    break;
                }
            }
        }
        parts
    }

    /// Resolves a JSON pointer in a fragment.
    fn resolve_pointer(&self, reference: &str) -> Option<&'n Node> {
        let mut node = self.root;
        for part in reference.strip_prefix("#/")?.split('/') {
            let key = unescape_pointer(part);
            node = match items(node) {
                Some(items) => items.get(key.parse::<usize>().ok()?)?,
                None => child(node, &key)?,
            };
        }
        Some(node)
    }

    /// Whether `operation` requires no credential: its requirements are empty, or one of them is empty.
    fn is_public(&self, operation: &Node) -> bool {
        let security = child(operation, "security").or_else(|| child(self.root, "security")).and_then(items);
        let none = |requirement: &Node| matches!(&requirement.value, Value::Map(schemes) if schemes.is_empty());
        security.is_some_and(|security| security.is_empty() || security.iter().any(none))
    }
}

fn find_extensions(operation: &Node) -> Vec<(&str, Span)> {
    let named = entries(operation).iter().filter_map(|(key, _)| Some((text(key)?, key.span)));
    named
        .filter(|(name, _)| {
            let name = name.to_ascii_lowercase();
            name.starts_with("x-") && PERMISSION_WORDS.iter().any(|word| name.contains(word))
        })
        .collect()
}

/// Unescapes a part of a JSON pointer in a URL fragment (RFC 6901, section 6).
fn unescape_pointer(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = behind.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).replace("~1", "/").replace("~0", "~")
}

fn start_of(root: &Node) -> Span {
    Span { end: root.span.start.saturating_add(1), ..root.span }
}
