//! DialectTraits: how one kind of server treats each feature of a path.

/// Treatment: what a server makes of one thing that a path may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It counts, letter by letter.
    Exact,
    /// It does not count: the gateway takes all spellings for one and forwards the policy's.
    Folded,
    /// It counts or not, as the server is set up: both readings must reach the same route.
    Either,
    /// It means something that no policy can spell: the path is refused.
    Refused,
}

/// DialectTraits: one server's way with each of these things.
///
/// What every dialect refuses alike is not here: see [`CanonicalPath::read`](crate::request::CanonicalPath::read). So are header names (all that
/// fold to one another for any server are one, see [`headers`](crate::request::headers)) and the spellings of method overrides.
#[derive(Debug, PartialEq, Eq)]
pub struct DialectTraits {
    /// The word that policies use.
    pub name: &'static str,
    /// Capital and small letters in literal segments; the values of parameters keep theirs.
    pub case: Treatment,
    /// A slash at the path's end.
    pub trailing_slash: Treatment,
    /// What stands behind `;` in a segment (RFC 3986, section 3.3), encoded or not.
    pub path_parameters: Treatment,
    /// Dots and blanks at a segment's end: Windows opens `secret.` as `secret`.
    pub trailing_dots: Treatment,
    /// What stands behind a dot in the last segment: `/secret.json` may be `/secret`.
    pub extensions: Treatment,
    /// `%2F` in a parameter that may hold it: a letter of the value, or a slash.
    pub encoded_slashes: Treatment,
    /// Names for something else on Windows: `secret::$DATA`, `SECRET~1`, `(S(…))`, full-width letters.
    pub windows_names: Treatment,
    /// What stands behind `:` in a segment, which NTFS takes for a stream of the file before it.
    pub ntfs_streams: Treatment,
    /// `/script.php/more`: the script, with the rest as its `PATH_INFO`.
    pub script_path_info: Treatment,
    /// `/folder/index.html` for `/folder/`, and the like.
    pub index_files: Treatment,
    /// What the server may look for behind a path that it does not find, a slash at the end apart: `/secret` may be
    /// `/secret.php`.
    pub appended_suffixes: &'static [&'static str],
    /// Whether a file with any ending that the policy names may be served for the path without it: `/report.pdf` for
    /// `/report`, and `/secret.php` with what follows for `/secret/more`.
    pub content_negotiation: Treatment,
    /// Capital and small letters in the names of query parameters. Not `Either`: under a dialect that is not `Folded`
    /// another spelling of a parameter that counts is refused.
    pub query_name_case: Treatment,
    /// Whether forms may carry a method override, so that their bodies are read.
    pub reads_forms: bool,
    /// Whether JSON may carry a method override, so that such bodies are scanned.
    pub reads_json: bool,
}
