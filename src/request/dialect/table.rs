//! Table: each dialect's traits, with where they come from.

use super::traits::DialectTraits;
use super::traits::Treatment::{Either, Exact, Folded, Refused};

/// The union of all others: what one of them refuses it refuses, what one of them may read otherwise it reads both
/// ways.
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

/// ASP.NET Core, «Routing»: literals are matched without case, a slash at the end does not count. Kestrel decodes all
/// but `%2F` and gives `;`, dots and `:` no meaning. Names of query parameters are compared without case
/// (`QueryCollection`). `UseHttpMethodOverride` reads the header; a form field only where the application names one.
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

/// IIS with ASP.NET: routing as above, and files of NTFS below it. Windows cuts dots and blanks at the end of names,
/// takes `~1` for a short name and `::$DATA` for the file (Microsoft, «Naming Files, Paths, and Namespaces»; MS-FSCC,
/// section 2.1.5). ASP.NET takes tickets of sessions without cookies, `(S(…))`, out of the path wherever they stand.
/// IIS 6 ended a name's suffix at `;` (CVE-2009-4444). `%2F` arrives decoded (http.sys).
/// `.aspx`, `.ashx` and `.php` run with what follows as `PATH_INFO`; folders have default documents, and FriendlyUrls
/// finds `/secret.aspx` for `/secret`.
/// `GetHttpMethodOverride` of ASP.NET MVC looks at header, form and query.
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

/// Tomcat takes `;…` out of every segment before it maps the path (Servlet 6.0, section 3.5), whatever the
/// application does. Servlets are mapped with case (section 12.1). JAX-RS overlooks a slash at the end; Jersey and
/// Struts map `/secret.json` and `/secret.action` to `/secret`. `encodedSolidusHandling` refuses, decodes or keeps `%2F`.
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

/// Spring MVC matched `/secret.json` as `/secret` by default until 5.3 and `/secret/` until 6.0, and may be set to
/// ignore case (`PathMatchConfigurer`). Matrix variables, `;…`, are not matched. `StrictHttpFirewall` refuses `;` and
/// `%2F` where Spring Security stands before it, and may be told not to.
/// `HiddenHttpMethodFilter` reads `_method` of forms.
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

/// Apache and FPM run the first script of a path, what follows is `PATH_INFO` (`AcceptPathInfo`,
/// `fastcgi_split_path_info`), so that front controllers answer `/index.php/secret` as `/secret`. `MultiViews` finds
/// `/secret.php` and `/report.pdf` for `/secret` and `/report`, `/secret/more` with the rest as `PATH_INFO`; `try_files`
/// does the like, or the other way round. Symfony and Laravel match the decoded
/// path, with case; files are found without case on macOS and Windows, where dots at the end do not count either.
/// Symfony, Laravel and WordPress read `_method` of form and query, and `X-HTTP-Method-Override`; Laravel takes JSON for
/// a form.
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

/// PEP 3333: `PATH_INFO` is decoded once, `%2F` included. Django redirects between `/a` and `/a/`, Flask serves both
/// where `strict_slashes` is off. Django REST framework may take `/secret.json` for `/secret`
/// (`format_suffix_patterns`). No framework of today reads overrides from forms by itself.
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

/// Express: a router ignores case and a slash at the end unless it is told `caseSensitive` and `strict`; it matches
/// what is not decoded, and decodes the parameters. `express.static` decodes the whole path, `%2F` included, serves `index.html` of folders and may add
/// `extensions`. The package `method-override` reads the header, or query and form where it is told to.
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

/// nginx decodes once, `%2F` included, before it looks for a `location`; `~*` ignores case. `index` and `try_files`
/// find `/a/`, `/a/index.html` and `/a.html` for `/a`. On Windows dots and blanks at the end do not count.
/// It hands nothing on that is no header name of letters, digits and `-`.
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
