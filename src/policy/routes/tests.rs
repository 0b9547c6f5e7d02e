//! Tests of route matching and of the forwarded path.

mod dialects;
mod servers;

use crate::document::{Sources, report};
use crate::policy::{NoMatch, Snapshot, load};
use crate::request::{CanonicalPath, RejectedRequest};

const ROUTES: &str = "routes:
  /Patients: { GET: read A }
  /Patients/Merge: { POST: merge A }
  /Patients/{patient}: { GET: read A, DELETE: delete A }
  /Patients/{patient}/{session}/action/{action}: { GET: read A }
  /files/{*path}: { GET: read A }
  /by-key/{key}: { GET: { need: read A, encoded-slash: key }, PUT: read A }
  /export.json: { GET: read A }
";

fn policy(dialect: &str) -> Snapshot {
    let mut sources = Sources::default();
    sources.add(
        "p.yaml",
        &format!("version: 1\nname: p\ndialect: {dialect}\n{ROUTES}resources: [A]\npermissions: {{}}\n"),
    );
    let loaded = load(&sources, None);
    loaded.snapshot.unwrap_or_else(|| panic!("{}", report::human(&loaded.findings, &sources)))
}

/// The template and the forwarded path, or the reason for their absence.
fn place(policy: &Snapshot, method: &str, path: &str) -> String {
    let Ok(path) = CanonicalPath::read(path.as_bytes(), policy.model.dialect) else { return "unreadable".to_owned() };
    match policy.routes.match_route(method, &path, None) {
        Ok(matched) => {
            let mut out = String::new();
            matched.route.template.write_path(path.as_str(), &mut out);
            format!("{} {out}", matched.route.template.text())
        }
        Err(NoMatch::NoRoute) => "no-route".to_owned(),
        Err(NoMatch::NoMethod(_)) => "no-method".to_owned(),
        Err(NoMatch::Rejected(RejectedRequest::AmbiguousPath)) => "ambiguous".to_owned(),
        Err(NoMatch::Rejected(rejected)) => rejected.code().to_owned(),
    }
}

#[test]
fn literals_precede_parameters_and_matching_backtracks() {
    let strict = policy("strict");
    let table = [
        ("GET", "/Patients", "/Patients /Patients"),
        ("HEAD", "/Patients", "/Patients /Patients"),
        ("POST", "/Patients", "no-method"),
        ("POST", "/Patients/Merge", "/Patients/Merge /Patients/Merge"),
        ("GET", "/Patients/Merge", "no-method"),
        ("DELETE", "/Patients/Merge", "no-method"),
        ("GET", "/Patients/p%31", "/Patients/{patient} /Patients/p1"),
        (
            "GET",
            "/Patients/Merge/s/action/a",
            "/Patients/{patient}/{session}/action/{action} /Patients/Merge/s/action/a",
        ),
        ("GET", "/Patients/", "no-route"),
        ("GET", "/", "no-route"),
        ("GET", "/files/a/b/c", "/files/{*path} /files/a/b/c"),
        ("GET", "/files/", "no-route"),
        ("GET", "/export.json", "/export.json /export.json"),
    ];
    for (method, path, expected) in table {
        assert_eq!(place(&strict, method, path), expected, "{method} {path}");
    }
}

#[test]
fn a_path_whose_route_depends_on_case_is_ambiguous_under_a_case_sensitive_dialect() {
    let strict = policy("strict");
    let table = [
        ("/Patients/merge", "ambiguous"),
        ("/Patients/MERGE", "ambiguous"),
        // Spring strips a suffix, others a trailing slash: then the literal would match.
        ("/Patients/Merge.json", "ambiguous"),
        ("/Patients/merge.x", "ambiguous"),
        ("/Patients/p1.json", "/Patients/{patient} /Patients/p1.json"),
        ("/patients/p1", "no-route"),
        ("/Patients/Merge/s/Action/a", "no-route"),
    ];
    for (path, expected) in table {
        assert_eq!(place(&strict, "GET", path), expected, "{path}");
    }
}

#[test]
fn a_case_insensitive_dialect_forwards_the_policys_literals_and_the_requests_values() {
    let aspnet = policy("aspnet");
    let table = [
        ("POST", "/PATIENTS/merge", "/Patients/Merge /Patients/Merge"),
        ("GET", "/PATIENTS/merge", "no-method"),
        ("GET", "/patients/McDuff/", "/Patients/{patient} /Patients/McDuff"),
        ("GET", "/pAtIeNtS/P/S/ACTION/A", "/Patients/{patient}/{session}/action/{action} /Patients/P/S/action/A"),
        ("GET", "/FILES/A/b", "/files/{*path} /files/A/b"),
    ];
    for (method, path, expected) in table {
        assert_eq!(place(&aspnet, method, path), expected, "{method} {path}");
    }
    let long = format!("/PATIENTS/{}", "X".repeat(2_000));
    assert!(place(&aspnet, "GET", &long).starts_with("/Patients/{patient} /Patients/XXX"));
}

#[test]
fn an_encoded_slash_passes_in_the_one_parameter_that_allows_it() {
    let strict = policy("strict");
    let table = [
        ("GET", "/by-key/a%2fb", "/by-key/{key} /by-key/a%2Fb"),
        ("PUT", "/by-key/a%2fb", "encoded-slash"),
        ("GET", "/Patients/a%2fb", "encoded-slash"),
        ("GET", "/by-key%2fb", "encoded-slash"),
        ("GET", "/files/a%2fb", "encoded-slash"),
        ("GET", "/by-key/a%2f..%2fb", "unreadable"),
    ];
    for (method, path, expected) in table {
        assert_eq!(place(&strict, method, path), expected, "{method} {path}");
    }
}

#[test]
fn a_parameter_precedes_a_catch_all_at_the_same_position() {
    let mut sources = Sources::default();
    let routes = "routes:
  /f/{*path}: { GET: read A }
  /f/{id}/x: { GET: read A }
  /f/{id}/{sub}/y: { GET: read A }
  /f/{id}/sub/{*rest}: { GET: read A }
  /{other}/b: { GET: read A }
";
    sources.add("p.yaml", &format!("version: 1\nname: p\n{routes}resources: [A]\npermissions: {{}}\n"));
    let policy = load(&sources, None).snapshot.unwrap();
    let table = [
        ("/f/1/x", "/f/{id}/x"),
        ("/f/1/2/y", "/f/{id}/{sub}/y"),
        ("/f/1/sub/y", "/f/{id}/sub/{*rest}"),
        ("/f/1/sub/a/b/c/d/e", "/f/{id}/sub/{*rest}"),
        ("/f/1", "/f/{*path}"),
        ("/f/1/", "/f/{*path}"),
        ("/f/b", "/f/{*path}"),
        ("/f/1/z", "/f/{*path}"),
        ("/f/1/2/z/", "/f/{*path}"),
        ("/f/1/2/3/4/5/6/7/8/9", "/f/{*path}"),
        ("/g/b", "/{other}/b"),
        ("/f/1/x/", "/f/{*path}"),
        ("/f", "no-route"),
    ];
    for (path, expected) in table {
        let found = place(&policy, "GET", path);
        let template = found.split(' ').next().unwrap_or_default();
        assert!(template == expected || (found == "ambiguous" && path.ends_with("/")), "{path}: {found}");
    }
}

#[test]
fn a_file_that_a_server_finds_implicitly_does_not_match_a_wider_template() {
    let routes = "routes:
  /docs/{*rest}: { GET: public }
  /docs/secret.php: { GET: nobody }
  /docs/report.pdf: { GET: nobody }
  /docs/hidden/index.html: { GET: nobody }
  /docs/Page.aspx: { GET: nobody }
  /enc/{name}: { GET: { need: public, encoded-slash: name } }
  /enc/secret/data.txt: { GET: nobody }
";
    let found = |dialect: &str, path: &str| {
        let mut sources = Sources::default();
        sources.add("p.yaml", &format!("version: 1\nname: p\ndialect: {dialect}\n{routes}"));
        let loaded = load(&sources, None);
        let policy = loaded.snapshot.unwrap_or_else(|| panic!("{}", report::human(&loaded.findings, &sources)));
        place(&policy, "GET", path).split(' ').next().unwrap_or_default().to_owned()
    };
    let table: [(&str, &[&str]); 9] = [
        // Apache's MultiViews: any extension, and a script with the rest of the path.
        ("/docs/report", &["strict", "php"]),
        ("/docs/secret", &["strict", "php"]),
        ("/docs/secret/more", &["strict", "php"]),
        ("/docs/secret/a/b", &["strict", "php"]),
        // Welcome files and default documents.
        ("/docs/hidden/", &["strict", "php", "tomcat", "spring", "iis", "nginx", "express"]),
        ("/docs/hidden", &["strict", "php", "tomcat", "spring", "iis", "nginx", "express"]),
        ("/docs/Page", &["strict", "php", "iis"]),
        // No server finds a file for these.
        ("/docs/other", &[]),
        ("/docs/reports/2026", &[]),
    ];
    for (path, refused) in table {
        for dialect in crate::request::Dialect::KEYWORDS.map(|(word, _)| word) {
            let expected = if refused.contains(&dialect) { "ambiguous" } else { "/docs/{*rest}" };
            assert_eq!(found(dialect, path), expected, "{dialect} {path}");
        }
    }
    // A server that decodes slashes, like `express.static`, opens the file in the folder.
    for dialect in ["strict", "iis", "tomcat", "spring", "php", "wsgi", "express", "nginx"] {
        assert_eq!(found(dialect, "/enc/secret%2Fdata.txt"), "ambiguous", "{dialect}");
    }
    assert_eq!(found("aspnet", "/enc/secret%2Fdata.txt"), "/enc/{name}");
}

#[test]
fn a_decoded_slash_is_treated_like_any_other_slash() {
    let routes = "routes:
  /enc/{name}: { GET: { need: public, encoded-slash: name } }
  /enc/secret: { GET: nobody }
  /enc/folder/1: { GET: nobody }
  /docs/{*rest}: { GET: public }
  /docs/hidden: { GET: nobody }
";
    // The dialects besides `strict` that interpret the path differently.
    let table: [(&str, &str, &[&str]); 8] = [
        ("/enc/secret%2F", "/enc/{name}", &["iis", "tomcat", "spring", "php", "wsgi", "express", "nginx"]),
        ("/enc/secret%2Findex.html", "/enc/{name}", &["iis", "tomcat", "spring", "php", "express", "nginx"]),
        ("/enc/secret.json%2F", "/enc/{name}", &["tomcat", "spring", "php", "wsgi"]),
        ("/enc/secret:x%2F", "/enc/{name}", &["iis"]),
        ("/enc/folder:x%2F1", "/enc/{name}", &["iis"]),
        ("/enc/folder%20.:x%2F1", "/enc/{name}", &["iis"]),
        ("/enc/open%2F", "/enc/{name}", &[]),
        // A slash after an index file, ignored first.
        ("/docs/hidden/index.html/", "/docs/{*rest}", &["iis", "tomcat", "spring", "php", "express", "nginx"]),
    ];
    for (path, template, refused) in table {
        for dialect in crate::request::Dialect::KEYWORDS.map(|(word, _)| word) {
            let mut sources = Sources::default();
            sources.add("p.yaml", &format!("version: 1\nname: p\ndialect: {dialect}\n{routes}"));
            let loaded = load(&sources, None);
            let policy = loaded.snapshot.unwrap_or_else(|| panic!("{}", report::human(&loaded.findings, &sources)));
            let open = path.contains("open");
            let expected = match dialect {
                "strict" if !open => "ambiguous",
                _ if refused.contains(&dialect) => "ambiguous",
                _ => template,
            };
            let found = place(&policy, "GET", path);
            assert_eq!(found.split(' ').next(), Some(expected), "{dialect} {path}");
        }
    }
}
