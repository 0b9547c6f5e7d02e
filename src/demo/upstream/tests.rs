//! Tests of the upstream over real sockets.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Upstream;
use crate::demo::wire::{self, send};

async fn start_upstream() -> Upstream {
    Upstream::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap()
}

#[tokio::test]
async fn a_created_record_is_found_at_its_location_and_changes_and_goes() {
    let upstream = start_upstream().await;
    let at = upstream.address();
    let created = send(at, "POST /t1/api/Patients", &[], r#"{"firstName":"Edda"}"#).await;
    assert_eq!(created.status, 201);
    let location = created.header("location").unwrap().to_owned();
    assert_eq!(location, format!("/t1/api/Patients/{}", created.json()["id"].as_str().unwrap()));

    let read = send(at, &format!("GET {location}"), &[], "").await;
    assert_eq!((read.status, read.json()), (200, created.json()));

    let changed = send(at, &format!("PUT {location}"), &[], r#"{"id":"other","firstName":"Edith"}"#).await;
    assert_eq!(changed.json(), json!({ "id": created.json()["id"], "firstName": "Edith" }));

    let gone = send(at, &format!("DELETE {location}"), &[], "").await;
    assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    assert_eq!(send(at, &format!("GET {location}"), &[], "").await.status, 404);
    assert_eq!(send(at, &format!("DELETE {location}"), &[], "").await.status, 404);
}

#[tokio::test]
async fn an_id_is_encoded_in_its_location() {
    let upstream = start_upstream().await;
    let created = send(upstream.address(), "POST /t1/api/Users", &[], r#"{"id":"a b/c"}"#).await;
    assert_eq!(created.header("location"), Some("/t1/api/Users/a%20b%2Fc"));
    assert_eq!(send(upstream.address(), "GET /t1/api/Users/a%20b%2Fc", &[], "").await.status, 200);
}

#[tokio::test]
async fn literals_ignore_case_and_tenants_are_apart() {
    let upstream = start_upstream().await;
    let at = upstream.address();
    let shout = send(at, "GET /t1/API/pAtIeNtS/p1", &[], "").await;
    assert_eq!(shout.json(), send(at, "GET /t1/api/Patients/p1", &[], "").await.json());
    let other = send(at, "GET /t2/api/Patients/p1", &[], "").await;
    assert_ne!(shout.json()["lastName"], other.json()["lastName"]);
    assert_eq!(send(at, "GET /t3/api/Patients", &[], "").await.json(), json!([]));
    assert_eq!(send(at, "GET /t1/api/Patients/P1", &[], "").await.status, 404);
}

#[tokio::test]
async fn an_assignment_is_put_twice_with_the_same_end() {
    let upstream = start_upstream().await;
    let at = upstream.address();
    let path = "/t1/api/PatientGroups/g2/Users/u2";
    assert_eq!(send(at, &format!("PUT {path}"), &[], "").await.status, 201);
    assert_eq!(send(at, &format!("PUT {path}"), &[], "").await.status, 200);
    assert_eq!(send(at, "GET /t1/api/PatientGroups/g2/Users", &[], "").await.json(), json!([{ "id": "u2" }]));
    assert_eq!(send(at, "PUT /t1/api/PatientGroups/none/Users/u2", &[], "").await.status, 404);
}

#[tokio::test]
async fn a_merge_moves_the_sessions_and_removes_the_second_patient() {
    let upstream = start_upstream().await;
    let at = upstream.address();
    let merged = send(at, "POST /t1/api/Patients/Merge", &[], r#"{"from":"p2","into":"p1"}"#).await;
    assert_eq!((merged.status, merged.json()["id"].as_str()), (200, Some("p1")));
    assert_eq!(send(at, "GET /t1/api/Patients/p2", &[], "").await.status, 404);
    let sessions = send(at, "GET /t1/api/Patients/p1/Sessions", &[], "").await.json();
    let ids: Vec<_> = sessions.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["s1", "s2", "s3"]);
    assert_eq!(send(at, "GET /t1/api/Patients/p1/s3/action/a3", &[], "").await.json()["type"], "Fitting");
    let members = send(at, "GET /t1/api/PatientGroups/g1/Patients", &[], "").await.json();
    assert_eq!(members, json!([{ "id": "p1" }]));

    assert_eq!(send(at, "POST /t1/api/Patients/Merge", &[], r#"{"from":"p2","into":"p1"}"#).await.status, 404);
    assert_eq!(send(at, "POST /t1/api/Patients/Merge", &[], r#"{"from":"p3"}"#).await.status, 400);
}

#[tokio::test]
async fn collections_that_noah_updates_and_removes_as_a_whole_have_no_id_in_the_path() {
    let upstream = start_upstream().await;
    let at = upstream.address();
    let changed = send(at, "PUT /t1/api/TenantConfiguration", &[], r#"{"timeZone":"UTC"}"#).await;
    assert_eq!((changed.status, changed.json()), (200, json!({ "id": "current", "timeZone": "UTC" })));
    let stored = send(at, "GET /t1/api/TenantConfiguration", &[], "").await.json();
    assert_eq!(stored, json!([changed.json()]));
    assert_eq!(send(at, "DELETE /t1/api/TenantConfiguration", &[], "").await.status, 204);
    assert_eq!(send(at, "DELETE /t1/api/TenantConfiguration", &[], "").await.status, 404);
    let preview = "/t1/api/Patients/p1/s1/action/a1/Preview";
    assert_eq!(send(at, &format!("PUT {preview}"), &[], r#"{"ear":"left"}"#).await.status, 200);
    assert_eq!(send(at, &format!("GET {preview}"), &[], "").await.json()[0]["ear"], "left");
}

#[tokio::test]
async fn single_places_answer_as_noah_does() {
    let upstream = start_upstream().await;
    let at = upstream.address();
    let access = send(at, "GET /t1/api/AppConnection/GetCurrentDataAccess", &[], "").await;
    assert_eq!((access.status, access.json()["tenant"].as_str()), (200, Some("t1")));
    assert_eq!(send(at, "GET /t1/api/Actions/Modules", &[], "").await.json()[0]["name"], "Audiometry");
    let transports = send(at, "POST /rtm/negotiate", &[], "").await.json();
    assert_eq!(transports["availableTransports"][0]["transport"], "WebSockets");
}

#[tokio::test]
async fn head_is_get_without_the_content() {
    let upstream = start_upstream().await;
    let get = send(upstream.address(), "GET /t1/api/Patients/p1", &[], "").await;
    let head = send(upstream.address(), "HEAD /t1/api/Patients/p1", &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()));
    assert_eq!(send(upstream.address(), "HEAD /t1/api/Patients/none", &[], "").await.status, 404);
}

#[tokio::test]
async fn a_method_that_a_place_lacks_is_405_and_names_the_others() {
    let upstream = start_upstream().await;
    for (line, allow) in [
        ("DELETE /t1/api/Patients", "GET, HEAD, POST"),
        ("PUT /t1/api/Patients", "GET, HEAD, POST"),
        ("DELETE /t1/api/AppConnection", "GET, HEAD, POST, PUT"),
        ("PATCH /t1/api/Patients/p1", "GET, HEAD, PUT, DELETE"),
        ("POST /t1/api/Patients/p1", "GET, HEAD, PUT, DELETE"),
        ("OPTIONS /t1/api/Patients", "GET, HEAD, POST"),
        ("GET /t1/api/Patients/Merge", "POST"),
        ("POST /rtm", "GET"),
    ] {
        let answer = send(upstream.address(), line, &[], "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{line}");
    }
}

#[tokio::test]
async fn bodies_are_json_objects_of_a_megabyte_at_most() {
    let upstream = start_upstream().await;
    let at = upstream.address();
    for body in ["[1]", "{", "\"text\""] {
        assert_eq!(send(at, "POST /t1/api/Patients", &[], body).await.status, 400, "{body}");
    }
    let fits = json!({ "note": "x".repeat(1024 * 1024 - 20) }).to_string();
    assert_eq!(send(at, "POST /t1/api/Patients", &[], &fits).await.status, 201);
    // A body with a declared length is refused before it is sent, a chunked one after it has been received.
    let announced = "POST /t1/api/Patients HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n";
    assert_eq!(wire::upgrade(at, announced).await.0.status, 413);
    let head = "POST /t1/api/Patients HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunked = format!("{head}100001\r\n{}", "x".repeat(1024 * 1024 + 1));
    assert_eq!(wire::upgrade(at, &chunked).await.0.status, 413);
}

#[tokio::test]
async fn a_full_memory_takes_nothing_more() {
    let upstream = start_upstream().await;
    let megabyte = json!({ "note": "x".repeat(1024 * 1024 - 20) }).to_string();
    for _ in 0..63 {
        assert_eq!(send(upstream.address(), "POST /t1/api/Metadata", &[], &megabyte).await.status, 201);
    }
    assert_eq!(send(upstream.address(), "POST /t1/api/Metadata", &[], &megabyte).await.status, 507);
}

#[tokio::test]
async fn every_response_returns_the_identity_headers_and_no_others() {
    let upstream = start_upstream().await;
    let identity = ["X-Portcullis-Subject: demo/u1", "X-Portcullis-Roles: Level 2", "X-Portcullis-Tenant: t1"];
    for line in ["GET /t1/api/Patients", "GET /nowhere", "GET /rtm"] {
        let answer = send(upstream.address(), line, &identity, "").await;
        assert_eq!(answer.header("x-seen-subject"), Some("demo/u1"), "{line}");
        assert_eq!(answer.header("x-seen-roles"), Some("Level 2"), "{line}");
        assert_eq!(answer.header("x-seen-tenant"), Some("t1"), "{line}");
        assert_eq!(answer.header("x-seen-decision"), None, "{line}");
    }
}

#[tokio::test]
async fn the_journal_holds_the_last_thousand_requests_as_they_came() {
    let upstream = start_upstream().await;
    let journal = upstream.journal().clone();
    assert_eq!((journal.total(), journal.last()), (0, None));
    send(upstream.address(), "GET /t1/API/Patients?x=%2F&y", &["X-Mark: one"], "").await;
    let seen = journal.last().unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/t1/API/Patients?x=%2F&y"));
    assert_eq!(seen.header("X-Mark"), Some("one"));

    // All requests use one connection; the last one closes it.
    let mut many = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".repeat(999);
    many.push_str("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let (mut read, mut write) = TcpStream::connect(upstream.address()).await.unwrap().into_split();
    let mut answers = Vec::new();
    let (sent, received) = tokio::join!(write.write_all(many.as_bytes()), read.read_to_end(&mut answers));
    sent.and(received.map(drop)).unwrap();
    assert_eq!((journal.total(), journal.requests().len()), (1001, 1000));
    assert!(journal.requests().iter().all(|seen| seen.header("x-mark").is_none()));
    assert_eq!(journal.last().unwrap().target, "/last");
}

#[tokio::test]
async fn a_stopped_server_frees_its_port_and_ends_open_connections() {
    let upstream = start_upstream().await;
    let at = upstream.address();
    let mut idle = TcpStream::connect(at).await.unwrap();
    let (_, mut socket) = wire::upgrade(at, super::socket::tests::HANDSHAKE).await;
    upstream.stop().await;
    assert!(wire::is_closed(&mut idle).await);
    assert!(wire::is_closed(&mut socket).await);
    Upstream::start(at).await.unwrap();
}

#[tokio::test]
async fn a_dropped_server_ends_as_a_stopped_one_does() {
    let upstream = start_upstream().await;
    let mut idle = TcpStream::connect(upstream.address()).await.unwrap();
    drop(upstream);
    assert!(wire::is_closed(&mut idle).await);
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let upstream = start_upstream().await;
    assert!(Upstream::start(upstream.address()).await.is_err());
}
