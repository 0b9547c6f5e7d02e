//! OpenapiOptions: the options of an OpenAPI import.

/// OpenapiOptions: what an import takes from a document, and how.
#[derive(Debug, Clone, Default)]
pub struct OpenapiOptions {
    /// The policy's name; the document's title unless set.
    pub name: Option<String>,
    /// The base path of every path, instead of the document's.
    pub base: Option<String>,
    /// The parameters that are scopes; the first holds the caller's tenants.
    pub scopes: Vec<String>,
    /// The tags whose operations are imported; empty imports all operations.
    pub tags: Vec<String>,
    /// Whether another file of the policy holds its `resources:`.
    pub resources_elsewhere: bool,
}
