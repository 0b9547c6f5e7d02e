//! Tests of the hubs over real sockets, with hand-written frames.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::demo::upstream::Upstream;
use crate::demo::wire::{is_closed, read, send, upgrade};

/// The key and the accept value are the example of RFC 6455, section 1.3.
pub(in crate::demo::upstream) const HANDSHAKE: &str = "GET /rtm?access_token=x HTTP/1.1\r\nHost: a\r\n\
    Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Portcullis-Subject: demo/u1\r\n\r\n";

async fn start_upstream() -> Upstream {
    Upstream::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap()
}

async fn open_socket(upstream: &Upstream) -> TcpStream {
    let (answer, stream) = upgrade(upstream.address(), HANDSHAKE).await;
    assert_eq!(answer.status, 101);
    stream
}

/// A masked frame, as a client sends it; `first` holds the last-fragment bit and the opcode.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        long => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    bytes
}

#[tokio::test]
async fn the_handshake_answers_the_key_and_returns_the_identity_headers() {
    let upstream = start_upstream().await;
    let (answer, _stream) = upgrade(upstream.address(), HANDSHAKE).await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(answer.header("x-seen-subject"), Some("demo/u1"));
    let (other, _stream) = upgrade(upstream.address(), &HANDSHAKE.replace("/rtm", "/clientrtm")).await;
    assert_eq!(other.status, 101);
}

#[tokio::test]
async fn texts_are_echoed_however_they_are_split() {
    let upstream = start_upstream().await;
    let mut stream = open_socket(&upstream).await;
    for byte in masked(0x81, b"Hello") {
        stream.write_all(&[byte]).await.unwrap();
        stream.flush().await.unwrap();
    }
    assert_eq!(read(&mut stream, 7).await, b"\x81\x05Hello");

    let two = [masked(0x81, b"one"), masked(0x81, b"two")].concat();
    stream.write_all(&two).await.unwrap();
    assert_eq!(read(&mut stream, 10).await, b"\x81\x03one\x81\x03two");

    let long = vec![b'x'; 60_000];
    stream.write_all(&masked(0x81, &long)).await.unwrap();
    assert_eq!(read(&mut stream, 4 + long.len()).await[4..], long);
}

#[tokio::test]
async fn a_ping_between_fragments_is_answered_in_between() {
    let upstream = start_upstream().await;
    let mut stream = open_socket(&upstream).await;
    let frames = [masked(0x01, b"Hel"), masked(0x89, b"?"), masked(0x80, b"lo"), masked(0x8a, b"unasked")].concat();
    stream.write_all(&frames).await.unwrap();
    assert_eq!(read(&mut stream, 12).await, b"\x01\x03Hel\x8a\x01?\x80\x02lo");
}

#[tokio::test]
async fn a_close_is_answered_with_its_code_and_ends_the_connection() {
    let upstream = start_upstream().await;
    let mut stream = open_socket(&upstream).await;
    stream.write_all(&masked(0x88, &1000_u16.to_be_bytes())).await.unwrap();
    assert_eq!(read(&mut stream, 4).await, [0x88, 2, 0x03, 0xe8]);
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn a_broken_protocol_is_closed_with_its_code() {
    let upstream = start_upstream().await;
    let unmasked = b"\x81\x01x".to_vec();
    let headless = masked(0x80, b"continued what?");
    let nested = [masked(0x01, b""), masked(0x81, b"again")].concat();
    let huge = [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1].to_vec();
    for (bytes, skipped, code) in [(unmasked, 0, 1002_u16), (headless, 0, 1002), (nested, 2, 1002), (huge, 0, 1009)] {
        let mut stream = open_socket(&upstream).await;
        stream.write_all(&bytes).await.unwrap();
        let sent = read(&mut stream, skipped + 4).await;
        assert_eq!(sent[skipped..], [&[0x88, 2], &code.to_be_bytes()[..]].concat(), "{bytes:x?}");
        assert!(is_closed(&mut stream).await);
    }
}

#[tokio::test]
async fn a_hub_without_a_proper_handshake_opens_nothing() {
    let upstream = start_upstream().await;
    let at = upstream.address();
    assert_eq!(send(at, "GET /rtm", &[], "").await.status, 426);
    let (old, _) = upgrade(at, &HANDSHAKE.replace("Version: 13", "Version: 8")).await;
    assert_eq!((old.status, old.header("sec-websocket-version")), (426, Some("13")));
    let (short, _) = upgrade(at, &HANDSHAKE.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhl")).await;
    assert_eq!(short.status, 400);
}
