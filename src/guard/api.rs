//! Api: one guarded API, and the choice of the API that a request belongs to.

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::{Comparison, Coverage};
use crate::reload::api_keys::ApiKeys;
use crate::reload::issuers::Issuers;
use crate::reload::policy::PolicyStore;
use crate::reload::verified::VerifiedTokens;
use crate::request::headers::HeaderRules;
use crate::request::{CanonicalPath, OverrideMode, RejectedRequest, prefix};
use crate::settings::{ApiMatch, CallerPrecedence, HostHeader, IdentityHeaders, UpstreamCredential};
use crate::vocabulary::AuditMode;

/// ApiId: an API by its position in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiId(pub usize);

/// Api: everything that requests to one API share.
#[derive(Debug)]
pub struct Api {
    /// Its position among the APIs of the settings.
    pub id: ApiId,
    /// Its name in the settings.
    pub name: Box<str>,
    /// The requests that belong to it.
    pub matches: ApiMatch,
    /// The policy that decides; `None` until one could be loaded.
    pub policy: Arc<PolicyStore>,
    /// The policy that is compared with the one that decides.
    pub candidate: Option<Arc<PolicyStore>>,
    /// What requests use of the policy, and what they are refused.
    pub coverage: Arc<Coverage>,
    /// The requests that the candidate decides differently.
    pub comparison: Option<Arc<Comparison>>,
    /// The issuers whose tokens it accepts.
    pub issuers: Issuers,
    /// The API keys that it accepts.
    pub keys: ApiKeys,
    /// The sources whose client certificates it accepts; where there is none, certificates identify no caller.
    pub certificates: Vec<Box<str>>,
    /// The credential that names the caller where a certificate comes with a token or key; `None` refuses both.
    pub caller: Option<CallerPrecedence>,
    /// The cache of verified tokens.
    pub tokens: VerifiedTokens,
    /// The `Host` that the upstream receives.
    pub host: HostHeader,
    /// The authority of the upstream's URL.
    pub authority: Box<str>,
    /// The credential that the upstream receives.
    pub credential: UpstreamCredential,
    /// The header fields that name the caller to the upstream.
    pub identity: IdentityHeaders,
    /// The header fields that are forwarded.
    pub headers: HeaderRules,
    /// How method overrides are handled.
    pub overrides: OverrideMode,
    /// Bytes of one request's body; `None` is no limit.
    pub body: Option<u64>,
    /// The longest exchange; `None` is the age of streams.
    pub total: Option<Duration>,
    /// The audit mode of routes that state none.
    pub audit: AuditMode,
}

/// Apis: all APIs of the gateway.
#[derive(Debug, Default)]
pub struct Apis(Vec<Arc<Api>>);

impl Apis {
    /// These APIs, in the order of the settings.
    pub fn new(apis: Vec<Arc<Api>>) -> Self {
        Self(apis)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Api>> {
        self.0.iter()
    }

    /// The API that a request belongs to: by listener, host and the longest path prefix, letter by letter.
    ///
    /// # Errors
    /// Another API would claim the path if it were read as some upstream may read it.
    pub fn choose(
        &self,
        listener: &str,
        host: Option<&str>,
        path: &[u8],
    ) -> Result<Option<&Arc<Api>>, RejectedRequest> {
        if let [only] = self.0.as_slice()
            && only.matches.path.is_empty()
        {
            return Ok(only.matches.accepts_host(listener, host).then_some(only));
        }
        let canonical = match CanonicalPath::read_any_dialect(path) {
            Ok(canonical) => canonical,
            Err(rejected) => {
                let rest = self.longest(|api| api.matches.path.is_empty() && api.matches.accepts_host(listener, host));
                return rest.map(Some).ok_or(rejected);
            }
        };
        let text = canonical.as_str();
        let claims = |api: &Api| api.matches.accepts(listener, host, text);
        let Some(exact) = self.longest(claims) else { return Ok(None) };
        let may =
            |api: &Api| api.matches.accepts_host(listener, host) && prefix::may_start_with(text, &api.matches.path);
        match self.longest(|api| claims(api) || may(api)) {
            Some(other) if !Arc::ptr_eq(exact, other) => Err(RejectedRequest::AmbiguousApi),
            _ => Ok(Some(exact)),
        }
    }

    fn longest(&self, claims: impl Fn(&Api) -> bool) -> Option<&Arc<Api>> {
        self.0.iter().filter(|api| claims(api)).max_by_key(|api| api.matches.path.len())
    }
}

/// The name of a host without its port, in small letters (RFC 9110, section 7.2).
pub(super) fn host_name(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    name.to_ascii_lowercase()
}
