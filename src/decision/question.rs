//! Question: the input of a decision.

use crate::identity::IdentityError;
use crate::policy::NoMatch;
use crate::vocabulary::{Access, RequestFacts, Subject};

/// Question: the access, subject, facts and phase that a decision is about.
///
/// A failure to match the route or to identify the subject is part of the question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The access that the request needs, or why no route matched.
    pub access: Result<&'a Access<'a>, NoMatch>,
    /// The subject, or why identification failed.
    pub subject: Result<&'a Subject, IdentityError>,
    /// Further facts of the request that conditions may read.
    pub facts: RequestFacts<'a>,
    /// The phase of the exchange.
    pub phase: Phase<'a>,
}

/// Phase: the point of the exchange at which the decision is taken.
///
/// The media type of a response may require other cells than the request did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase<'a> {
    /// The request has not been forwarded yet.
    #[default]
    Request,
    /// The upstream responded with this `Content-Type`; `None` if the response has no such field or several.
    Response(Option<&'a str>),
}
