//! Tests of what settings mean once they are read.

use std::path::Path;
use std::time::Duration;

use super::{DEMO, GATEWAY, ORTHANC, load};
use crate::identity::issuer::ClaimPath;
use crate::settings::{
    AdminAddress, ApiMatch, AuditDestination, HostHeader, KeysFrom, Limits, Secret, UpstreamCredential,
};

#[test]
fn gateway_yaml_shows_the_limits_by_default() {
    let settings = load(GATEWAY).unwrap();
    assert_eq!(settings.limits, Limits::default());
    assert_eq!(settings.apis[0].body, Some(100 << 20));
    assert_eq!(settings.apis[0].policy, Path::new("/settings/../policies/noah-es.yaml"));
    assert_eq!(settings.audit.to, AuditDestination::Stdout);
    assert_eq!(settings.issuers[0].issuer.leeway, 10);
    let KeysFrom::Discovery(fetch) = &settings.issuers[0].keys else { panic!("{:?}", settings.issuers[0].keys) };
    assert_eq!(fetch.url.to_string(), "https://login.example.com/.well-known/openid-configuration");
    assert_eq!(fetch.refresh, Duration::from_secs(600));
}

#[test]
fn demo_yaml_names_its_four_ports() {
    let settings = load(DEMO).unwrap();
    assert_eq!(settings.listeners[0].address.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.admin.address, AdminAddress::Tcp("127.0.0.1:9901".parse().unwrap()));
    assert_eq!(&*settings.issuers[0].issuer.iss, "http://127.0.0.1:8081");
    assert_eq!(settings.apis[0].upstream.url.port, 8082);
    let service = &settings.issuers[0].issuer.service;
    assert_eq!(service.claim, Some((ClaimPath::from_dotted("client_id"), vec!["noah-sync".into()])));
}

#[test]
fn orthanc_yaml_shows_orthanc_a_password_of_its_own() {
    let settings = load(ORTHANC).unwrap();
    let value = Secret::new(*b"Basic cG9ydGN1bGxpczpvcnRoYW5j");
    assert_eq!(settings.apis[0].credential, UpstreamCredential::Fixed { header: "Authorization".into(), value });
    assert!(matches!(settings.issuers[0].keys, KeysFrom::Secret(_)));
    assert_eq!(settings.apis[0].body, Some(4 << 30));
}

#[test]
fn a_tls_upstream_without_a_server_name_does_not_load() {
    for (url, more) in [
        ("https://127.0.0.1:5080", ""),
        ("https://[::1]:5080", ""),
        ("https://127.0.0.1:5080", "server-name: \"\""),
        ("https://noah.internal:5080", "server-name: \"\""),
        ("https://127.0.0.1:5080", "server-name: \"[::1]\""),
        ("https://127.0.0.1:5080", "server-name: \" \""),
    ] {
        let text = GATEWAY.replace("url: http://127.0.0.1:5080", &format!("url: {url}"));
        let lines = load(&text.replace("#server-name: noah.internal", more)).unwrap_err();
        assert!(!lines.is_empty(), "{url} {more}");
    }
    let named = GATEWAY.replace("url: http://127.0.0.1:5080", "url: https://127.0.0.1:5080");
    let named = load(&named.replace("#server-name:", "server-name:")).unwrap();
    assert_eq!(&*named.apis[0].upstream.tls.as_ref().unwrap().server_name, "noah.internal");
}

#[test]
fn other_spellings_are_read_too() {
    let text = GATEWAY
        .replace("address: 127.0.0.1:9901", "address: unix:/run/portcullis/admin.sock")
        .replace("to: stdout  ", "to: ./audit.jsonl  ")
        .replace("host: as-received", "host: noah.internal:5080")
        .replace("    body: 100MiB", "    body: unlimited")
        .replace("requests-per-connection: 10000 ", "requests-per-connection: unlimited ")
        .replace("roles: roles", "roles: [\"https://example.com/roles\"]")
        .replace("tenants: tenants", "tenants: realm_access.tenants")
        .replace("#may-claim:", "may-claim:")
        .replace("[user, service] }", "[service] }")
        .replace("      #hosts: [noah.example.com]", "      hosts: [Noah.Example.COM, \"[2001:DB8::1]\"]")
        .replace("url: http://127.0.0.1:5080", "url: https://[::1]:5080")
        .replace("#server-name: noah.internal", "server-name: Noah.Internal")
        .replace("#total-timeout: 10m", "total-timeout: 10m")
        .replace("trusted-proxies: []", "trusted-proxies: [10.0.0.0/8, \"fd00::/8\"]");
    let settings = load(&text).unwrap_or_else(|lines| panic!("{lines:#?}"));
    assert_eq!(settings.admin.address, AdminAddress::Unix("/run/portcullis/admin.sock".into()));
    assert_eq!(settings.audit.to, AuditDestination::File("/settings/./audit.jsonl".into()));
    assert_eq!(settings.limits.requests_per_connection, None);
    assert_eq!(settings.trusted_proxies.len(), 2);
    let issuer = &settings.issuers[0].issuer;
    assert_eq!(issuer.claims.roles, Some(ClaimPath(Box::new(["https://example.com/roles".into()]))));
    assert_eq!(issuer.claims.tenants, Some(ClaimPath::from_dotted("realm_access.tenants")));
    assert!(issuer.claim_limits.users_refused && !issuer.claim_limits.services_refused);
    let api = &settings.apis[0];
    assert_eq!(api.host, HostHeader::Literal("noah.internal:5080".into()));
    assert_eq!(api.body, None);
    assert_eq!(api.matches.hosts, ["noah.example.com".into(), Box::<str>::from("[2001:db8::1]")]);
    assert_eq!(api.upstream.tls.as_ref().map(|tls| &*tls.server_name), Some("noah.internal"));
    assert_eq!(api.upstream.total_timeout, Some(Duration::from_secs(600)));
}

#[test]
fn an_api_claims_whole_segments_on_its_hosts_and_listeners() {
    let here = ApiMatch { hosts: vec!["noah".into()], path: "/es".into(), listeners: vec!["plain".into()] };
    let table = [
        ("plain", Some("noah"), "/es", true),
        ("plain", Some("noah"), "/es/", true),
        ("plain", Some("noah"), "/es/api", true),
        ("plain", Some("noah"), "/esx", false),
        ("plain", Some("noah"), "/", false),
        ("plain", Some("noah"), "/ES/api", false),
        ("plain", Some("other"), "/es", false),
        ("plain", None, "/es", false),
        ("tls", Some("noah"), "/es", false),
    ];
    for (listener, host, path, expected) in table {
        assert_eq!(here.accepts(listener, host, path), expected, "{listener} {host:?} {path}");
    }
    let everything = ApiMatch { hosts: vec![], path: "".into(), listeners: vec![] };
    assert!(everything.accepts("tls", None, "/es") && everything.accepts("plain", Some("x"), "/"));
    assert!(!everything.accepts("plain", None, "*"), "asterisk-form has no path");
}
