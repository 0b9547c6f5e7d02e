//! SpannedName: a name in a cases file, with its span.

use crate::document::{Findings, Node, Span, reader, text};

/// SpannedName: a name and its span.
#[derive(Debug, Clone)]
pub struct SpannedName {
    /// The name.
    pub text: Box<str>,
    /// Its span in the file.
    pub span: Span,
}

impl SpannedName {
    pub(super) fn read(node: &Node, what: &str, findings: &mut Findings) -> Option<Self> {
        text(node, what, findings).map(|text| Self { text: text.into(), span: node.span })
    }

    pub(super) fn read_list(node: &Node, what: &str, findings: &mut Findings) -> Vec<Self> {
        let found = reader::texts(node, what, findings);
        found.into_iter().map(|(text, span)| Self { text: text.into(), span }).collect()
    }
}
