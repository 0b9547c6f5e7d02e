//! Tests of `connection`: the deadline of the first request, and the look at the preface.

use std::time::Duration;

use pingora::protocols::l4::stream::Stream as L4Stream;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_millis(150);

fn connection(h2c: bool) -> (Connection<DuplexStream>, DuplexStream) {
    let (server, client) = duplex(1024);
    (
        Connection::new(
            server,
            Instant::now() + SOON,
            ConnectionRules { header_time: SOON, ..ConnectionRules::default() },
            h2c,
        ),
        client,
    )
}

async fn read(connection: &mut Connection<DuplexStream>) -> io::Result<Vec<u8>> {
    let mut bytes = [0; 64];
    let read = connection.read(&mut bytes).await?;
    Ok(bytes[..read].to_vec())
}

#[tokio::test]
async fn a_first_request_that_is_never_complete_is_cut_at_its_deadline() {
    for begun in [&b""[..], b"\r\n\r\n", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n"] {
        let (mut connection, mut client) = connection(false);
        client.write_all(begun).await.unwrap();
        if !begun.is_empty() {
            assert_eq!(read(&mut connection).await.unwrap(), begun);
        }
        let cut = timeout(SOON * 4, read(&mut connection)).await.unwrap();
        assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}

#[tokio::test]
async fn bytes_that_trickle_in_do_not_move_the_deadline() {
    let (mut connection, mut client) = connection(false);
    let trickle = tokio::spawn(async move {
        for byte in b"GET / HTTP/1.1\r\nHost: a.long.name.test\r\n\r\n" {
            client.write_all(&[*byte]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let cut = timeout(SOON * 4, async { while read(&mut connection).await.is_ok() {} }).await;
    assert!(cut.is_ok());
    trickle.abort();
}

#[tokio::test]
async fn after_the_first_header_block_time_is_free() {
    for (first, second) in [("GET / HTTP/1.1\r\nHost: a\r\n\r", "\n"), ("\r\nPOST / HTTP/1.1\n", "\nbody")] {
        let (mut connection, mut client) = connection(false);
        for part in [first, second] {
            client.write_all(part.as_bytes()).await.unwrap();
            assert_eq!(read(&mut connection).await.unwrap(), part.as_bytes());
        }
        assert!(timeout(SOON * 2, read(&mut connection)).await.is_err());
        client.write_all(b"more").await.unwrap();
        assert_eq!(read(&mut connection).await.unwrap(), b"more");
    }
}

#[tokio::test]
async fn an_http2_connection_is_open_with_its_preface() {
    let (mut connection, mut client) = connection(true);
    client.write_all(H2_PREFACE).await.unwrap();
    assert_eq!(read(&mut connection).await.unwrap(), H2_PREFACE);
    assert!(timeout(SOON * 2, read(&mut connection)).await.is_err());
}

/// A connection whose first request has been read.
async fn begun() -> (Connection<DuplexStream>, DuplexStream) {
    let (mut connection, mut client) = connection(false);
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    read(&mut connection).await.unwrap();
    (connection, client)
}

#[tokio::test]
async fn a_later_header_has_its_time_from_its_first_byte_on() {
    let (mut connection, mut client) = begun().await;
    connection.deadlines.expect_header();
    assert!(timeout(SOON * 3, read(&mut connection)).await.is_err(), "a client may rest between requests");
    let trickle = tokio::spawn(async move {
        for byte in b"GET /a/long/path/without/any/end/at/all HTTP/1.1\r\n\r\n" {
            client.write_all(&[*byte]).await.ok();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let cut = timeout(SOON * 4, async { while read(&mut connection).await.is_ok() {} }).await;
    assert!(cut.is_ok());
    trickle.abort();
}

#[tokio::test]
async fn a_later_body_has_all_the_time_that_it_takes() {
    let (mut connection, mut client) = begun().await;
    connection.deadlines.expect_header();
    for part in [&b"P"[..], b"OST / HTTP/1.1\r\n\r\nbody", b"more"] {
        client.write_all(part).await.unwrap();
        assert_eq!(read(&mut connection).await.unwrap(), part);
    }
    assert!(timeout(SOON * 2, read(&mut connection)).await.is_err());
}

#[tokio::test]
async fn a_silent_connection_ends_once_its_watch_says_so() {
    let (mut connection, _client) = begun().await;
    let mut asked = 0;
    connection.deadlines.watch(move || {
        asked += 1;
        if asked < 2 { Ok(()) } else { Err("stream-ended") }
    });
    assert!(timeout(TICK + SOON, read(&mut connection)).await.is_err(), "the first answer was yes");
    let cut = timeout(TICK * 2, read(&mut connection)).await.unwrap();
    assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(connection.deadlines.ended(), Some("stream-ended"));
}

#[tokio::test]
async fn nobody_is_asked_after_the_exchange() {
    let (mut connection, _client) = begun().await;
    connection.deadlines.watch(|| Err("stream-ended"));
    connection.deadlines.unwatch();
    assert!(timeout(TICK + SOON, read(&mut connection)).await.is_err());
    assert_eq!(connection.deadlines.ended(), None);
}

#[tokio::test]
async fn a_look_shows_what_the_listener_has_found_without_waiting() {
    for (h2c, seen) in [(true, *H2_PREFACE), (false, [0; 24])] {
        let (mut connection, _client) = connection(h2c);
        let mut buf = [b'x'; 24];
        assert!(timeout(SOON, connection.try_peek(&mut buf)).await.unwrap().unwrap());
        assert_eq!(buf, seen);
    }
}

#[tokio::test]
async fn bytes_that_were_written_leave_even_when_the_wire_is_dropped() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    let mut wire = BufferedSocket::plain(L4Stream::from(socket));
    wire.write_all(b"answer").await.unwrap();
    drop(wire);
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"answer");
}
