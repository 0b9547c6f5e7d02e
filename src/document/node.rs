//! Node: one value of a document and its span.

use super::sources::Span;

/// Node: a value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What stands there.
    pub value: Value,
}

/// Value: what a node holds.
#[derive(Debug, Clone)]
pub enum Value {
    /// A scalar; `plain` if it stands without quotes.
    Scalar {
        /// The text after escapes.
        text: Box<str>,
        /// Whether it is written without quotes.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order in which it is written; keys are scalars and appear once.
    Map(Vec<(Node, Node)>),
}

impl Value {
    /// The word that messages use for this sort of value.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Scalar { text, plain: true } if text.is_empty() => "nothing",
            Self::Scalar { .. } => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}
