//! Tests of the actions for header fields.

use super::{HeaderAction, HeaderRules};

#[test]
fn a_field_is_forwarded_only_if_no_server_folds_it_to_one_of_the_gateways() {
    let rules = HeaderRules::new(["X-Portcullis-Subject"], ["X_Legacy"]);
    let table = [
        ("Accept", HeaderAction::Forward),
        ("X-Api-Version", HeaderAction::Forward),
        ("X-Portcullis-Subject", HeaderAction::Drop),
        ("x_portcullis_subject", HeaderAction::Drop),
        ("X.Portcullis-SUBJECT", HeaderAction::Drop),
        ("X-Portcullis-Subject2", HeaderAction::Forward),
        ("X_Other", HeaderAction::Drop),
        ("x_legacy", HeaderAction::Forward),
        ("X-Original-URL", HeaderAction::Drop),
        ("X_Rewrite_Url", HeaderAction::Drop),
        ("X-Forwarded-For", HeaderAction::Drop),
        ("X_FORWARDED_Anything", HeaderAction::Drop),
        ("True-Client-IP", HeaderAction::Drop),
        ("Forwarded", HeaderAction::Drop),
        ("X-HTTP-Method-Override", HeaderAction::MethodOverride),
        ("X_HTTP_METHOD", HeaderAction::MethodOverride),
        // Some CGI servers fold every character other than letters and digits.
        ("X!HTTP!Method!Override", HeaderAction::MethodOverride),
        ("X~Original~URL", HeaderAction::Drop),
        ("X|Portcullis|Subject", HeaderAction::Drop),
        ("X-Original-Method", HeaderAction::Drop),
    ];
    for (name, action) in table {
        assert_eq!(rules.action(name), action, "{name}");
    }
}

#[test]
fn fields_that_name_another_url_or_client_are_dropped() {
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
        assert_eq!(rules.action(name), HeaderAction::Drop, "{name}");
        assert_eq!(rules.action(&name.replace('-', "_")), HeaderAction::Drop, "{name}");
    }
    for name in ["X-Tunneled-Method", "X-Goog-Method-Override", "X-HTTP-Method-Overrides", "X-Method-Override"] {
        assert_eq!(rules.action(name), HeaderAction::MethodOverride, "{name}");
        assert_eq!(rules.action(&name.replace('-', "_")), HeaderAction::MethodOverride, "{name}");
    }
    for name in ["X-Origin", "X-Remote", "Path", "Host", "X-Azure-FDID", "Method"] {
        assert_eq!(rules.action(name), HeaderAction::Forward, "{name}");
    }
}
