//! The guard without sockets: the cases of all five policies, and what a door relies on.

mod cases;
mod setup;

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::audit::SinkTarget;
use crate::decision::Reason;
use crate::settings::OnFailure;
use crate::vocabulary::AuditMode;

use super::forwarding::HeaderEditor;
use super::{Exchange, Judgement};
use setup::{Setup, arrival, headers};

const POLICY: &str = "version: 1\nname: p\nresources: [A]\ncors: { origins: [\"https://app.example\"] }\n\
     routes: { /a: { GET: read A }, /open: { GET: public } }\n\
     permissions: { One: { A: R } }\neveryone: [One]\n";

async fn judged(setup: &Setup, method: &str, target: &str, fields: &[(&str, &str)]) -> Exchange {
    let mut exchange = setup.guard.open();
    let headers = headers(fields);
    setup.guard.judge(&arrival(method, target, &headers), &mut exchange).await;
    exchange
}

fn reason(exchange: &Exchange) -> Option<Reason> {
    exchange.decision().map(|decision| decision.reason)
}

#[tokio::test]
async fn an_exchange_that_was_not_judged_forwards_nothing() {
    let setup = Setup::of_text(POLICY);
    let exchange = setup.guard.open();
    assert!(exchange.permit().is_none() && exchange.plan().is_none() && exchange.api().is_none());
    assert!(matches!(exchange.judgement(), Judgement::Undecided(None)));
}

#[tokio::test]
async fn a_request_that_no_api_claims_has_a_refusal_and_no_policy() {
    let mut setup = Setup::of_text(POLICY);
    setup.guard_mut().apis = Default::default();
    let exchange = judged(&setup, "GET", "/a", &[]).await;
    assert_eq!(reason(&exchange), Some(Reason::NoApi));
    assert!(exchange.policy().is_none() && exchange.permit().is_none());
}

#[tokio::test]
async fn an_api_without_a_policy_refuses_everything() {
    let setup = Setup::of_text("version: 1\nname: broken\nresources: [A\n");
    let exchange = judged(&setup, "GET", "/open", &[]).await;
    assert_eq!(reason(&exchange), Some(Reason::NoPolicy));
    assert!(exchange.api().is_some() && exchange.policy().is_none());
}

#[tokio::test]
async fn a_preflight_is_no_permit() {
    let setup = Setup::of_text(POLICY);
    let fields = [("origin", "https://app.example"), ("access-control-request-method", "GET")];
    let exchange = judged(&setup, "OPTIONS", "/a", &fields).await;
    assert!(exchange.judgement().is_preflight());
    assert!(exchange.permit().is_none() && exchange.decision().is_none());
    assert_eq!(exchange.origin(), Some("https://app.example"));
}

#[tokio::test]
async fn a_decision_that_cannot_be_written_becomes_a_refusal() {
    let mut setup = Setup::of_text(POLICY);
    setup.audit_to(SinkTarget::Nowhere);
    let guard = setup.guard_mut();
    (guard.audit_mode, guard.on_audit_failure) = (AuditMode::Lossless, OnFailure::Refuse);
    setup.change_api(|api| api.audit = AuditMode::Lossless);
    let mut exchange = judged(&setup, "GET", "/open", &[]).await;
    assert!(exchange.permit().is_some());
    setup.guard.audit.close();
    setup.guard.persist_decision(&mut exchange).await;
    assert_eq!(reason(&exchange), Some(Reason::AuditUnavailable));
    assert!(exchange.permit().is_none());
    assert!(exchange.plan().is_some(), "the record still names the path");
}

#[tokio::test]
async fn the_framing_of_a_head_is_checked_where_a_door_has_it() {
    let setup = Setup::of_text(POLICY);
    let fields = headers(&[("content-length", "1"), ("transfer-encoding", "chunked")]);
    for (head, expected) in [
        (Some(&b"GET /open HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"[..]), false),
        (None, true),
    ] {
        let mut exchange = setup.guard.open();
        let mut arrival = arrival("GET", "/open", &fields);
        arrival.protocol = super::Protocol::Http1 { head };
        setup.guard.judge(&arrival, &mut exchange).await;
        assert_eq!(exchange.permit().is_some(), expected);
    }
}

#[tokio::test]
async fn every_exchange_is_counted_once_however_it_ends() {
    let setup = Setup::of_text(POLICY);
    let mut exchange = judged(&setup, "GET", "/open", &[]).await;
    exchange.finish();
    exchange.finish();
    drop(exchange);
    drop(judged(&setup, "GET", "/nowhere", &[]).await);
    drop(setup.guard.open());
    let text = setup.guard.metrics.render();
    let total: f64 = text
        .lines()
        .filter(|line| line.starts_with("portcullis_requests_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert_eq!(total, 2.0, "{text}");
    assert_eq!(setup.guard.in_flight.count(), 0);
}

#[tokio::test]
async fn a_response_is_judged_by_its_media_type_only_where_it_has_a_body() {
    let setup = Setup::of_text(POLICY);
    let mut exchange = judged(&setup, "GET", "/open", &[]).await;
    assert!(exchange.judge_response(StatusCode::NOT_MODIFIED, &HeaderMap::new()));
    assert!(exchange.judge_response(StatusCode::OK, &HeaderMap::new()));
}

/// A door that is not Pingora.
#[derive(Default)]
struct PlainHeader(HeaderMap);

impl HeaderEditor for PlainHeader {
    type Error = http::Error;

    fn fields(&self) -> &HeaderMap {
        &self.0
    }

    fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    fn set(&mut self, name: &str, value: &[u8]) -> Result<(), http::Error> {
        let name: http::HeaderName = name.parse()?;
        self.0.insert(name, http::HeaderValue::from_bytes(value)?);
        Ok(())
    }
}

#[tokio::test]
async fn a_permitted_request_carries_the_gateways_identity_and_none_in_disguise() {
    let setup = Setup::of_text(POLICY);
    let token = setup.token(serde_json::json!({ "sub": "alice", "tenants": ["north"] }));
    let bearer = format!("Bearer {token}");
    let fields = [
        ("authorization", bearer.as_str()),
        ("x-portcullis-subject", "mallory"),
        ("x_portcullis_subject", "mallory"),
        ("x-forwarded-for", "192.0.2.9"),
        ("cookie", "a=1"),
        ("accept", "text/plain"),
    ];
    let exchange = judged(&setup, "GET", "/a?x=1", &fields).await;
    assert_eq!(exchange.plan().map(|plan| plan.target()).as_deref(), Some("/a?x=1"));
    let received = headers(&fields);
    let mut upstream = PlainHeader(received.clone());
    exchange.edit_request(&arrival("GET", "/a?x=1", &received), &mut upstream).unwrap();
    let text = |name: &str| upstream.0.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(text("x-portcullis-subject").as_deref(), Some("test/alice"));
    assert_eq!(text("x-portcullis-decision"), Some(exchange.id().to_string()));
    assert_eq!(text("x-forwarded-for").as_deref(), Some("192.0.2.1"), "no forwarder is trusted");
    assert_eq!(text("accept").as_deref(), Some("text/plain"));
    assert_eq!((text("x_portcullis_subject"), text("authorization")), (None, None));
}

#[tokio::test]
async fn a_refused_request_is_not_edited() {
    let setup = Setup::of_text(POLICY);
    let exchange = judged(&setup, "GET", "/a", &[]).await;
    assert_eq!(reason(&exchange), Some(Reason::Unauthenticated(None)));
    let mut upstream = PlainHeader::default();
    exchange.edit_request(&arrival("GET", "/a", &HeaderMap::new()), &mut upstream).unwrap();
    assert!(upstream.0.is_empty());
}

#[tokio::test]
async fn a_candidate_is_compared_with_what_the_live_policy_decides() {
    let mut setup = Setup::of_text(POLICY);
    setup.compare_with(&POLICY.replace("A: R", "A: U"));
    let bearer = format!("Bearer {}", setup.token(serde_json::json!({ "sub": "alice" })));
    drop(judged(&setup, "GET", "/a", &[("authorization", &bearer)]).await);
    let api = Arc::clone(setup.api());
    let report = api.comparison.as_ref().unwrap().report();
    assert_eq!((report.compared, report.differences.len()), (1, 1), "{report:?}");
}
