//! Node: one value of a document and its span.

use super::sources::Span;

/// Node: a value and its span.
#[derive(Debug, Clone)]
pub struct Node {
    /// The span of the value.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// Value: a scalar, a list or a map.
#[derive(Debug, Clone)]
pub enum Value {
    /// A scalar; `plain` if it is written without quotes.
    Scalar {
        /// The text with its escapes resolved.
        text: Box<str>,
        /// Whether it is written without quotes.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in source order; keys are scalars and unique.
    Map(Vec<(Node, Node)>),
}

impl Value {
    /// The name of this type of value in messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Scalar { text, plain: true } if text.is_empty() => "nothing",
            Self::Scalar { .. } => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}
