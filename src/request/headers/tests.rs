//! What becomes of header fields.

use super::{Fate, HeaderRules};

#[test]
fn a_field_is_forwarded_only_if_no_server_takes_it_for_the_gateways() {
    let rules = HeaderRules::new(["X-Portcullis-Subject"], ["X_Legacy"]);
    let table = [
        ("Accept", Fate::Forward),
        ("X-Api-Version", Fate::Forward),
        ("X-Portcullis-Subject", Fate::Drop),
        ("x_portcullis_subject", Fate::Drop),
        ("X.Portcullis-SUBJECT", Fate::Drop),
        ("X-Portcullis-Subject2", Fate::Forward),
        ("X_Other", Fate::Drop),
        ("x_legacy", Fate::Forward),
        ("X-Original-URL", Fate::Drop),
        ("X_Rewrite_Url", Fate::Drop),
        ("X-Forwarded-For", Fate::Drop),
        ("X_FORWARDED_Anything", Fate::Drop),
        ("True-Client-IP", Fate::Drop),
        ("Forwarded", Fate::Drop),
        ("X-HTTP-Method-Override", Fate::MethodOverride),
        ("X_HTTP_METHOD", Fate::MethodOverride),
        // Some CGI servers fold whatever is no letter.
        ("X!HTTP!Method!Override", Fate::MethodOverride),
        ("X~Original~URL", Fate::Drop),
        ("X|Portcullis|Subject", Fate::Drop),
        ("X-Original-Method", Fate::Drop),
    ];
    for (name, fate) in table {
        assert_eq!(rules.fate(name), fate, "{name}");
    }
}

#[test]
fn no_field_speaks_of_another_url_or_client() {
    let rules = HeaderRules::default();
    for name in [
        "X-Script-Name",
        "X-Rewrite-Uri",
        "X-Envoy-Original-Path",
        "X-Original-Prefix",
        "X-Waws-Unencoded-Url",
        "X-ProxyContextPath",
        "X-Ingress-Path",
        "X-Url-Scheme",
        "X-Http-Host-Override",
        "X-Host-Override",
        "X-Forwarded",
        "X-Original-HTTP-Method",
        "CF-Connecting-IP",
        "X-Originating-IP",
        "X-Remote-IP",
        "X-Remote-Addr",
        "Fastly-Client-IP",
        "X-Azure-ClientIP",
        "X-Azure-SocketIP",
        "Script-Name",
        "Path-Info",
        "Request-Uri",
        "Base-Url",
        "MS-ASPNETCORE-CLIENTCERT",
        "X-Original-URL",
        "X-Original-Host",
    ] {
        assert_eq!(rules.fate(name), Fate::Drop, "{name}");
        assert_eq!(rules.fate(&name.replace('-', "_")), Fate::Drop, "{name}");
    }
    for name in ["X-Tunneled-Method", "X-Goog-Method-Override", "X-HTTP-Method-Overrides", "X-Method-Override"] {
        assert_eq!(rules.fate(name), Fate::MethodOverride, "{name}");
        assert_eq!(rules.fate(&name.replace('-', "_")), Fate::MethodOverride, "{name}");
    }
    for name in ["X-Origin", "X-Remote", "Path", "Host", "X-Azure-FDID", "Method"] {
        assert_eq!(rules.fate(name), Fate::Forward, "{name}");
    }
}
