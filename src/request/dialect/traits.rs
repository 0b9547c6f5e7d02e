//! DialectTraits: how one kind of server treats each feature of a path.

/// Treatment: how a server treats one feature of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// The server distinguishes it, byte by byte.
    Exact,
    /// The server ignores it: the gateway treats all spellings as one and forwards the policy's.
    Folded,
    /// It depends on the server's configuration: both interpretations must match the same route.
    Either,
    /// It has a meaning that no policy can express: the path is refused.
    Refused,
}

/// DialectTraits: the treatment of each feature by one kind of server.
///
/// Paths that every dialect refuses are not listed here: see [`CanonicalPath::read`](crate::request::CanonicalPath::read). Neither are header names (names
/// that any server folds into each other count as one, see [`headers`](crate::request::headers)) nor the names of method overrides.
#[derive(Debug, PartialEq, Eq)]
pub struct DialectTraits {
    /// The keyword of policies.
    pub name: &'static str,
    /// Case in literal segments; the values of parameters keep theirs.
    pub case: Treatment,
    /// A slash at the end of the path.
    pub trailing_slash: Treatment,
    /// Parameters of a segment after `;` (RFC 3986, section 3.3), encoded or not.
    pub path_parameters: Treatment,
    /// Dots and spaces at the end of a segment: Windows opens `secret.` as `secret`.
    pub trailing_dots: Treatment,
    /// The extension of the last segment: `/secret.json` may be `/secret`.
    pub extensions: Treatment,
    /// `%2F` in a parameter that may hold it: part of the value, or a separator.
    pub encoded_slashes: Treatment,
    /// Windows aliases of other names: `secret::$DATA`, `SECRET~1`, `(S(…))`, full-width letters.
    pub windows_names: Treatment,
    /// The text after `:` in a segment, which NTFS interprets as a stream of the file.
    pub ntfs_streams: Treatment,
    /// Script paths: `/script.php/more` runs the script with the rest as its `PATH_INFO`.
    pub script_path_info: Treatment,
    /// Index files: `/folder/index.html` for `/folder/`.
    pub index_files: Treatment,
    /// Suffixes that the server may append to a path that it does not find: `/secret` may be `/secret.php`.
    ///
    /// A slash at the end of the path is ignored here.
    pub appended_suffixes: &'static [&'static str],
    /// Content negotiation: the server may append any extension that the policy names.
    ///
    /// Then it serves `/report.pdf` for `/report`, and `/secret.php` with its `PATH_INFO` for `/secret/more`.
    pub content_negotiation: Treatment,
    /// Case in the names of query parameters; never `Either`.
    ///
    /// Without `Folded`, another spelling of a parameter that the gateway reads is refused.
    pub query_name_case: Treatment,
    /// Whether forms may carry a method override, so that the gateway reads their bodies.
    pub reads_forms: bool,
    /// Whether JSON may carry a method override, so that the gateway scans such bodies.
    pub reads_json: bool,
}
