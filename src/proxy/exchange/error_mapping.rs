//! The mapping of Pingora's errors to a status for the client and a code for the records.

use pingora::ErrorSource;
use pingora::prelude::{Error, ErrorType};

/// The status that the client sees of an error, 0 where the client is gone, and the code for the records.
pub(super) fn map_error(error: &Error) -> (u16, &'static str) {
    let status = match error.etype() {
        ErrorType::HTTPStatus(status) => Some(*status),
        _ => None,
    };
    match (error.esource(), error.etype()) {
        (_, ErrorType::HTTPStatus(413)) => (413, "body-too-long"),
        (ErrorSource::Upstream, ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout) => {
            (504, "upstream-connect-timeout")
        }
        (ErrorSource::Upstream, ErrorType::ReadTimedout | ErrorType::WriteTimedout) => (504, "upstream-timeout"),
        (
            ErrorSource::Upstream,
            ErrorType::ConnectRefused | ErrorType::ConnectNoRoute | ErrorType::ConnectError | ErrorType::SocketError,
        ) => (502, "upstream-connect"),
        (
            ErrorSource::Upstream,
            ErrorType::TLSHandshakeFailure | ErrorType::InvalidCert | ErrorType::TLSWantX509Lookup,
        ) => (502, "upstream-tls"),
        (ErrorSource::Upstream, _) => (status.unwrap_or(502), "upstream-broken"),
        (ErrorSource::Downstream, ErrorType::WriteError | ErrorType::ReadError | ErrorType::ConnectionClosed) => {
            (0, "client-gone")
        }
        // A client that takes nothing does not take an answer about it either.
        (ErrorSource::Downstream, ErrorType::WriteTimedout) => (0, "client-timeout"),
        (ErrorSource::Downstream, ErrorType::ReadTimedout) => (status.unwrap_or(408), "client-timeout"),
        (ErrorSource::Downstream, _) => (status.unwrap_or(400), "client-broken"),
        _ => (status.unwrap_or(500), "internal"),
    }
}
