//! The WebSocket hubs: the handshake of RFC 6455, section 4.2, followed by an echo.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    ALLOW, CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::frame::{Frame, FrameError, MAX_PAYLOAD, Opcode};
use crate::demo::server::{Reply, ServerEnd};

/// The text that RFC 6455, section 1.3, appends to the client's key.
const SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The longest idle time of a socket.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// Responds to a request at a hub; after a 101, an echo runs until either side ends.
pub(super) fn open<B>(request: &mut Request<B>, sockets: &Arc<Semaphore>, mut stopped: ServerEnd) -> Reply {
    if request.method() != Method::GET {
        return empty_reply(StatusCode::METHOD_NOT_ALLOWED, &[(ALLOW, "GET")]);
    }
    let headers = request.headers();
    if !has_token(headers, &CONNECTION, "upgrade") || !has_token(headers, &UPGRADE, "websocket") {
        return empty_reply(StatusCode::UPGRADE_REQUIRED, &[(UPGRADE, "websocket"), (CONNECTION, "upgrade")]);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return empty_reply(StatusCode::UPGRADE_REQUIRED, &[(SEC_WEBSOCKET_VERSION, "13")]);
    }
    let Some(accept) = headers.get(SEC_WEBSOCKET_KEY).and_then(accept_value) else {
        return empty_reply(StatusCode::BAD_REQUEST, &[]);
    };
    let Ok(permit) = Arc::clone(sockets).try_acquire_owned() else {
        return empty_reply(StatusCode::SERVICE_UNAVAILABLE, &[]);
    };
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let echoing = async { echo(TokioIo::new(upgrade.await.map_err(io::Error::other)?)).await };
        tokio::select! {
            // An error of the socket cannot be reported to the client, as in every connection of this server.
            _ = echoing => {}
            () = stopped.wait() => {}
        }
        drop(permit);
    });
    let mut reply = empty_reply(StatusCode::SWITCHING_PROTOCOLS, &[(UPGRADE, "websocket"), (CONNECTION, "upgrade")]);
    reply.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    reply
}

/// Echoes every message, fragment by fragment, until the peer closes, becomes idle or violates the protocol.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<()> {
    let mut pending = Vec::new();
    let mut chunk = vec![0; 8 * 1024];
    let mut inside = false;
    loop {
        match Frame::decode(&pending).and_then(|read| check_order(read, &mut inside)) {
            Ok(Some((frame, used))) => {
                pending.drain(..used);
                let ends = frame.opcode == Opcode::Close;
                if let Some(answer) = reply_frame(frame) {
                    stream.write_all(&answer.encode()).await?;
                }
                if ends {
                    return stream.shutdown().await;
                }
            }
            Ok(None) => {
                debug_assert!(
                    pending.len() <= MAX_PAYLOAD + 14,
                    "a frame within the limit is decoded once it is whole"
                );
                let count = tokio::time::timeout(IDLE_TIMEOUT, stream.read(&mut chunk)).await??;
                if count == 0 {
                    return Ok(());
                }
                pending.extend(chunk.iter().take(count));
            }
            Err(malformed) => {
                let payload = (malformed as u16).to_be_bytes().to_vec();
                stream.write_all(&Frame { last: true, opcode: Opcode::Close, payload }.encode()).await?;
                return stream.shutdown().await;
            }
        }
    }
}

/// RFC 6455, section 5.4: a continuation follows an unfinished message, and messages are not nested.
fn check_order(read: Option<(Frame, usize)>, inside: &mut bool) -> Result<Option<(Frame, usize)>, FrameError> {
    if let Some((frame, _)) = &read
        && !frame.opcode.is_control()
    {
        if *inside != (frame.opcode == Opcode::Continuation) {
            return Err(FrameError::Protocol);
        }
        *inside = !frame.last;
    }
    Ok(read)
}

fn reply_frame(frame: Frame) -> Option<Frame> {
    match frame.opcode {
        Opcode::Ping => Some(Frame { opcode: Opcode::Pong, ..frame }),
        Opcode::Pong => None,
        // The reply to a close has the same code (section 5.5.1); data frames are echoed.
        Opcode::Close | Opcode::Continuation | Opcode::Text | Opcode::Binary => Some(frame),
    }
}

/// The value of `Sec-WebSocket-Accept` for a key of 16 bytes.
fn accept_value(key: &HeaderValue) -> Option<HeaderValue> {
    let key = key.to_str().ok().filter(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16))?;
    let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{SUFFIX}").as_bytes());
    HeaderValue::try_from(STANDARD.encode(sum)).ok()
}

fn has_token(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}

fn empty_reply(status: StatusCode, headers: &[(HeaderName, &'static str)]) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = status;
    reply.headers_mut().extend(headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))));
    reply
}

#[cfg(test)]
pub(super) mod tests;
