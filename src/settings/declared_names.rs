//! DeclaredNames: the names that the sections of a settings file declare for its APIs.

use super::api_key_source::ApiKeySource;
use crate::document::Span;

/// DeclaredNames: the names that an API may refer to, including the names of invalid sections.
#[derive(Default)]
pub(super) struct DeclaredNames {
    /// The listeners.
    pub(super) listeners: Vec<Box<str>>,
    /// The issuers.
    pub(super) issuers: Vec<Box<str>>,
    /// The issuers whose tokens are introspected.
    pub(super) introspected_issuers: Vec<Box<str>>,
    /// The files of API keys.
    pub(super) key_names: Vec<Box<str>>,
    /// The valid files of API keys.
    pub(super) key_sources: Vec<ApiKeySource>,
    /// The sources of client certificates.
    pub(super) certificates: Vec<Box<str>>,
    /// The span of each source of client certificates.
    pub(super) certificate_spans: Vec<Span>,
    /// Whether audit records go to a file.
    pub(super) audits_to_file: bool,
}
