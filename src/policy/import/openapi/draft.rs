//! Drafts of the routes and methods that an import writes.

use crate::document::Span;

/// RouteDraft: a path as a policy template, with its methods.
pub(super) struct RouteDraft {
    pub(super) template: String,
    /// The path in the document, where it differs from the template.
    pub(super) original: Option<String>,
    pub(super) methods: Vec<MethodDraft>,
    pub(super) span: Span,
}

/// MethodDraft: one line of a route; a line without a cell is a comment.
pub(super) struct MethodDraft {
    pub(super) name: String,
    pub(super) cell: Option<String>,
    pub(super) remarks: Vec<String>,
}

/// PathDraft: the draft of one path.
pub(super) enum PathDraft {
    Route(RouteDraft),
    /// A path that cannot be a route, and the reason.
    LeftOut {
        path: String,
        methods: Vec<String>,
        reason: String,
    },
}

impl RouteDraft {
    /// Whether the draft is a route: at least one of its methods has a cell.
    pub(super) fn is_live(&self) -> bool {
        self.methods.iter().any(|method| method.cell.is_some())
    }
}

impl PathDraft {
    pub(super) fn count_methods(&self) -> usize {
        match self {
            Self::Route(route) => route.methods.iter().filter(|method| method.cell.is_some()).count(),
            Self::LeftOut { .. } => 0,
        }
    }
}
