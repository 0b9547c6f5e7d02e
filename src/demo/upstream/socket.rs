//! The WebSocket hubs: the handshake of RFC 6455, section 4.2, and an echo behind it.

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

use super::frame::{Frame, FrameError, Opcode, PAYLOAD};
use crate::demo::server::{Reply, ServerEnd};

/// The text that RFC 6455, section 1.3, appends to the client's key.
const SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// How long a socket may be silent.
const SILENCE: Duration = Duration::from_secs(600);

/// The answer to a request at a hub; where it is 101, an echo runs behind it until either side ends.
pub(super) fn open<B>(request: &mut Request<B>, sockets: &Arc<Semaphore>, mut stopped: ServerEnd) -> Reply {
    if request.method() != Method::GET {
        return plain(StatusCode::METHOD_NOT_ALLOWED, &[(ALLOW, "GET")]);
    }
    let headers = request.headers();
    if !lists(headers, &CONNECTION, "upgrade") || !lists(headers, &UPGRADE, "websocket") {
        return plain(StatusCode::UPGRADE_REQUIRED, &[(UPGRADE, "websocket"), (CONNECTION, "upgrade")]);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return plain(StatusCode::UPGRADE_REQUIRED, &[(SEC_WEBSOCKET_VERSION, "13")]);
    }
    let Some(accept) = headers.get(SEC_WEBSOCKET_KEY).and_then(accepted) else {
        return plain(StatusCode::BAD_REQUEST, &[]);
    };
    let Ok(place) = Arc::clone(sockets).try_acquire_owned() else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, &[]);
    };
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let echoed = async { echo(TokioIo::new(upgrade.await.map_err(io::Error::other)?)).await };
        tokio::select! {
            // A socket that breaks is the peer's affair, as in every connection of this server.
            _ = echoed => {}
            () = stopped.wait() => {}
        }
        drop(place);
    });
    let mut reply = plain(StatusCode::SWITCHING_PROTOCOLS, &[(UPGRADE, "websocket"), (CONNECTION, "upgrade")]);
    reply.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    reply
}

/// Sends every message back, fragment by fragment, until the peer closes, falls silent or breaks the protocol.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<()> {
    let mut pending = Vec::new();
    let mut chunk = vec![0; 8 * 1024];
    let mut inside = false;
    loop {
        match Frame::decode(&pending).and_then(|read| in_order(read, &mut inside)) {
            Ok(Some((frame, used))) => {
                pending.drain(..used);
                let ends = frame.opcode == Opcode::Close;
                if let Some(answer) = answer(frame) {
                    stream.write_all(&answer.encode()).await?;
                }
                if ends {
                    return stream.shutdown().await;
                }
            }
            Ok(None) => {
                debug_assert!(pending.len() <= PAYLOAD + 14, "a frame within the limit is decoded once it is whole");
                let count = tokio::time::timeout(SILENCE, stream.read(&mut chunk)).await??;
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

/// RFC 6455, section 5.4: only a message that was begun is continued, and none begins inside another.
fn in_order(read: Option<(Frame, usize)>, inside: &mut bool) -> Result<Option<(Frame, usize)>, FrameError> {
    if let Some((frame, _)) = &read
        && !frame.opcode.controls()
    {
        if *inside != (frame.opcode == Opcode::Continuation) {
            return Err(FrameError::Protocol);
        }
        *inside = !frame.last;
    }
    Ok(read)
}

fn answer(frame: Frame) -> Option<Frame> {
    match frame.opcode {
        Opcode::Ping => Some(Frame { opcode: Opcode::Pong, ..frame }),
        Opcode::Pong => None,
        // A close is answered with the same code (section 5.5.1), everything else with itself.
        Opcode::Close | Opcode::Continuation | Opcode::Text | Opcode::Binary => Some(frame),
    }
}

/// The value of `Sec-WebSocket-Accept` for a key of 16 bytes.
fn accepted(key: &HeaderValue) -> Option<HeaderValue> {
    let key = key.to_str().ok().filter(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16))?;
    let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{SUFFIX}").as_bytes());
    HeaderValue::try_from(STANDARD.encode(sum)).ok()
}

fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}

fn plain(status: StatusCode, headers: &[(HeaderName, &'static str)]) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = status;
    reply.headers_mut().extend(headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))));
    reply
}

#[cfg(test)]
pub(super) mod tests;
