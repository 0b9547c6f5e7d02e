//! The deadlines of the connection that an exchange came over.

use pingora::proxy::Session;

use crate::proxy::downstream::connection::{ConnectionDeadlines, deadlines_of};

/// The deadlines of an HTTP/1.1 connection; streams of HTTP/2 have none of their own.
pub(super) fn deadlines(session: &Session) -> Option<&ConnectionDeadlines> {
    session.as_downstream().stream().and_then(deadlines_of)
}
