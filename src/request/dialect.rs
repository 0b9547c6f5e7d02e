//! Dialect: what each kind of upstream server reads differently.

mod table;

/// Dialect: how the server behind an API reads paths, parameters and method overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// Not known: refuses whatever any other dialect gives a meaning.
    #[default]
    Strict,
    /// ASP.NET Core on Kestrel.
    Aspnet,
    /// ASP.NET and files on IIS.
    Iis,
    /// Servlets and JAX-RS on Tomcat.
    Tomcat,
    /// Spring MVC and WebFlux.
    Spring,
    /// PHP and CGI behind Apache or FPM, with Symfony, Laravel or none.
    Php,
    /// Django, Flask and other WSGI applications.
    Wsgi,
    /// Express on Node.js.
    Express,
    /// Files and locations of nginx.
    Nginx,
}

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
/// What every dialect refuses alike is not here: see [`super::CanonicalPath::read`]. So are header names (all that
/// fold to one another for any server are one, see [`super::headers`]) and the spellings of method overrides.
#[derive(Debug, PartialEq, Eq)]
pub struct DialectTraits {
    /// The word that policies use.
    pub word: &'static str,
    /// Capital and small letters in literal segments; the values of parameters keep theirs.
    pub case: Treatment,
    /// A slash at the path's end.
    pub end_slash: Treatment,
    /// What stands behind `;` in a segment (RFC 3986, section 3.3), encoded or not.
    pub path_parameters: Treatment,
    /// Dots and blanks at a segment's end: Windows opens `secret.` as `secret`.
    pub end_dots: Treatment,
    /// What stands behind a dot in the last segment: `/secret.json` may be `/secret`.
    pub suffixes: Treatment,
    /// `%2F` in a parameter that may hold it: a letter of the value, or a slash.
    pub encoded_slashes: Treatment,
    /// Names for something else on Windows: `secret::$DATA`, `SECRET~1`, `(S(…))`, full-width letters.
    pub windows_names: Treatment,
    /// What stands behind `:` in a segment, which NTFS takes for a stream of the file before it.
    pub streams: Treatment,
    /// `/script.php/more`: the script, with the rest as its `PATH_INFO`.
    pub scripts: Treatment,
    /// `/folder/index.html` for `/folder/`, and the like.
    pub index_files: Treatment,
    /// What the server may look for behind a path that it does not find, a slash at the end apart: `/secret` may be
    /// `/secret.php`.
    pub endings: &'static [&'static str],
    /// Whether a file with any ending that the policy names may be served for the path without it: `/report.pdf` for
    /// `/report`, and `/secret.php` with what follows for `/secret/more`.
    pub negotiation: Treatment,
    /// Capital and small letters in the names of query parameters. Not `Either`: under a dialect that is not `Folded`
    /// another spelling of a parameter that counts is refused.
    pub parameter_case: Treatment,
    /// Whether forms may carry a method override, so that their bodies are read.
    pub reads_forms: bool,
    /// Whether JSON may carry a method override, so that such bodies are scanned.
    pub reads_json: bool,
}

impl Dialect {
    /// The words that a policy may use, in the order in which help texts list them.
    pub const WORDS: [(&'static str, Self); 9] = [
        (table::STRICT.word, Self::Strict),
        (table::ASPNET.word, Self::Aspnet),
        (table::IIS.word, Self::Iis),
        (table::TOMCAT.word, Self::Tomcat),
        (table::SPRING.word, Self::Spring),
        (table::PHP.word, Self::Php),
        (table::WSGI.word, Self::Wsgi),
        (table::EXPRESS.word, Self::Express),
        (table::NGINX.word, Self::Nginx),
    ];

    /// The word that policies use.
    pub fn word(self) -> &'static str {
        self.traits().word
    }

    /// What its servers do.
    pub fn traits(self) -> &'static DialectTraits {
        match self {
            Self::Strict => &table::STRICT,
            Self::Aspnet => &table::ASPNET,
            Self::Iis => &table::IIS,
            Self::Tomcat => &table::TOMCAT,
            Self::Spring => &table::SPRING,
            Self::Php => &table::PHP,
            Self::Wsgi => &table::WSGI,
            Self::Express => &table::EXPRESS,
            Self::Nginx => &table::NGINX,
        }
    }
}

#[cfg(test)]
mod tests;
