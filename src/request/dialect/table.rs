//! Table: the traits of each dialect, with their sources.

use super::traits::DialectTraits;
use super::traits::Treatment::{Either, Exact, Folded, Refused};

/// The union of all others: it refuses what any dialect refuses, and checks both interpretations where any dialect
/// may interpret a path differently.
pub(super) const STRICT: DialectTraits = DialectTraits {
    name: "strict",
    case: Either,
    trailing_slash: Either,
    path_parameters: Refused,
    trailing_dots: Refused,
    extensions: Either,
    encoded_slashes: Either,
    windows_names: Refused,
    ntfs_streams: Either,
    script_path_info: Either,
    index_files: Either,
    appended_suffixes: &[
        "/",
        "/index.php",
        "/index.html",
        "/index.htm",
        "/index.jsp",
        "/default.htm",
        "/default.html",
        "/default.asp",
        "/default.aspx",
        ".aspx",
        ".html",
        ".htm",
    ],
    content_negotiation: Either,
    query_name_case: Exact,
    reads_forms: true,
    reads_json: true,
};

/// ASP.NET Core, «Routing»: literals match case-insensitively, a trailing slash is ignored. Kestrel decodes everything
/// except `%2F` and gives `;`, dots and `:` no meaning. Names of query parameters are case-insensitive
/// (`QueryCollection`). `UseHttpMethodOverride` reads the header, and a form field only if the application names one.
pub(super) const ASPNET: DialectTraits = DialectTraits {
    name: "aspnet",
    case: Folded,
    trailing_slash: Folded,
    path_parameters: Exact,
    trailing_dots: Exact,
    extensions: Exact,
    encoded_slashes: Exact,
    windows_names: Exact,
    ntfs_streams: Exact,
    script_path_info: Exact,
    index_files: Exact,
    appended_suffixes: &[],
    content_negotiation: Exact,
    query_name_case: Folded,
    reads_forms: false,
    reads_json: false,
};

/// IIS with ASP.NET: ASP.NET routing over files on NTFS. Windows strips dots and spaces at the end of names, expands
/// `~1` as a short name and opens the file for `::$DATA` (Microsoft, «Naming Files, Paths, and Namespaces»; MS-FSCC,
/// section 2.1.5). ASP.NET removes cookieless session tickets, `(S(…))`, from any position of the path. IIS 6 ended an
/// extension at `;` (CVE-2009-4444). http.sys delivers `%2F` decoded.
///
/// `.aspx`, `.ashx` and `.php` run with the rest of the path as `PATH_INFO`. Folders have default documents, and
/// FriendlyUrls finds `/secret.aspx` for `/secret`. `GetHttpMethodOverride` of ASP.NET MVC reads header, form and query.
pub(super) const IIS: DialectTraits = DialectTraits {
    name: "iis",
    case: Folded,
    trailing_slash: Folded,
    path_parameters: Refused,
    trailing_dots: Refused,
    extensions: Exact,
    encoded_slashes: Either,
    windows_names: Refused,
    ntfs_streams: Either,
    script_path_info: Either,
    index_files: Either,
    appended_suffixes: &[
        "/default.htm",
        "/default.html",
        "/default.asp",
        "/default.aspx",
        "/index.htm",
        "/index.html",
        "/index.php",
        ".aspx",
    ],
    content_negotiation: Exact,
    query_name_case: Folded,
    reads_forms: true,
    reads_json: false,
};

/// Tomcat removes `;…` from every segment before it maps the path (Servlet 6.0, section 3.5), regardless of the
/// application. Servlet mapping is case-sensitive (section 12.1). JAX-RS ignores a trailing slash. Jersey and Struts map
/// `/secret.json` and `/secret.action` to `/secret`. `encodedSolidusHandling` refuses, decodes or keeps `%2F`.
/// `DefaultServlet` serves welcome files of folders.
pub(super) const TOMCAT: DialectTraits = DialectTraits {
    name: "tomcat",
    case: Exact,
    trailing_slash: Either,
    path_parameters: Refused,
    trailing_dots: Exact,
    extensions: Either,
    encoded_slashes: Either,
    windows_names: Exact,
    ntfs_streams: Exact,
    script_path_info: Exact,
    index_files: Either,
    appended_suffixes: &["/index.html", "/index.htm", "/index.jsp"],
    content_negotiation: Exact,
    query_name_case: Exact,
    reads_forms: false,
    reads_json: false,
};

/// Spring MVC matched `/secret.json` as `/secret` by default until 5.3, and `/secret/` until 6.0. It can be configured
/// to ignore case (`PathMatchConfigurer`). Matching ignores matrix variables, `;…`. With Spring Security,
/// `StrictHttpFirewall` refuses `;` and `%2F` unless configured otherwise. `HiddenHttpMethodFilter` reads `_method` of
/// forms.
pub(super) const SPRING: DialectTraits = DialectTraits {
    name: "spring",
    case: Either,
    trailing_slash: Folded,
    path_parameters: Refused,
    trailing_dots: Exact,
    extensions: Either,
    encoded_slashes: Either,
    windows_names: Exact,
    ntfs_streams: Exact,
    script_path_info: Exact,
    index_files: Either,
    appended_suffixes: &["/index.html"],
    content_negotiation: Exact,
    query_name_case: Exact,
    reads_forms: true,
    reads_json: false,
};

/// Apache and FPM run the first script of a path with the rest as `PATH_INFO` (`AcceptPathInfo`,
/// `fastcgi_split_path_info`), so that front controllers answer `/index.php/secret` as `/secret`. `MultiViews` finds
/// `/secret.php` for `/secret`, `/report.pdf` for `/report`, and `/secret.php` with its `PATH_INFO` for `/secret/more`.
/// `try_files` does the same or the reverse.
///
/// Symfony and Laravel match the decoded path case-sensitively. Files are case-insensitive on macOS and Windows; Windows
/// also ignores dots at the end. Symfony, Laravel and WordPress read `_method` of form and query, and
/// `X-HTTP-Method-Override`. Laravel treats JSON as a form.
pub(super) const PHP: DialectTraits = DialectTraits {
    name: "php",
    case: Either,
    trailing_slash: Either,
    path_parameters: Exact,
    trailing_dots: Refused,
    extensions: Either,
    encoded_slashes: Either,
    windows_names: Exact,
    ntfs_streams: Exact,
    script_path_info: Either,
    index_files: Either,
    appended_suffixes: &["/", "/index.php", "/index.html", "/index.htm"],
    content_negotiation: Either,
    query_name_case: Exact,
    reads_forms: true,
    reads_json: true,
};

/// PEP 3333: `PATH_INFO` is decoded once, `%2F` included. Django redirects between `/a` and `/a/`; Flask serves both
/// if `strict_slashes` is off. Django REST framework may serve `/secret` for `/secret.json`
/// (`format_suffix_patterns`). No current framework reads overrides from forms by default.
pub(super) const WSGI: DialectTraits = DialectTraits {
    name: "wsgi",
    case: Exact,
    trailing_slash: Either,
    path_parameters: Exact,
    trailing_dots: Exact,
    extensions: Either,
    encoded_slashes: Either,
    windows_names: Exact,
    ntfs_streams: Exact,
    script_path_info: Exact,
    index_files: Exact,
    appended_suffixes: &["/"],
    content_negotiation: Exact,
    query_name_case: Exact,
    reads_forms: false,
    reads_json: false,
};

/// Express: a router ignores case and a trailing slash unless `caseSensitive` and `strict` are set. It matches the
/// undecoded path and decodes the parameters. `express.static` decodes the whole path, `%2F` included, serves
/// `index.html` of folders and may append `extensions`. The package `method-override` reads the header, or query and
/// form if configured.
pub(super) const EXPRESS: DialectTraits = DialectTraits {
    name: "express",
    case: Folded,
    trailing_slash: Folded,
    path_parameters: Exact,
    trailing_dots: Exact,
    extensions: Exact,
    encoded_slashes: Either,
    windows_names: Exact,
    ntfs_streams: Exact,
    script_path_info: Exact,
    index_files: Either,
    appended_suffixes: &["/index.html", ".html", ".htm"],
    content_negotiation: Exact,
    query_name_case: Exact,
    reads_forms: true,
    reads_json: false,
};

/// nginx decodes once, `%2F` included, before it selects a `location`; `~*` ignores case. `index` and `try_files` find
/// `/a/`, `/a/index.html` and `/a.html` for `/a`. Windows ignores dots and spaces at the end. nginx forwards only header
/// names of letters, digits and `-`.
pub(super) const NGINX: DialectTraits = DialectTraits {
    name: "nginx",
    case: Either,
    trailing_slash: Either,
    path_parameters: Exact,
    trailing_dots: Refused,
    extensions: Exact,
    encoded_slashes: Either,
    windows_names: Exact,
    ntfs_streams: Exact,
    script_path_info: Exact,
    index_files: Either,
    appended_suffixes: &["/", "/index.html", ".html", ".htm"],
    content_negotiation: Exact,
    query_name_case: Exact,
    reads_forms: false,
    reads_json: false,
};
