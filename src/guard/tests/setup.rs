//! A guard of one API, as the tests set it up: tokens of one issuer, and a file of API keys.

use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::audit::{Sink, SinkPlan, SinkTarget};
use crate::decision::ApprovalSet;
use crate::guard::address_limits::FailedCredentials;
use crate::guard::api::{Api, ApiId, Apis};
use crate::guard::in_flight::InFlight;
use crate::guard::{Arrival, DecisionIds, Guard, LimitCounters, Protocol, now};
use crate::identity::Algorithm;
use crate::identity::fixtures::{SECRET, Signer};
use crate::identity::issuer::{ClaimLimits, ClaimPath, ClaimPaths, Issuer, ServiceRule};
use crate::metrics::{Coverage, Metrics};
use crate::policy::Snapshot;
use crate::reload::Live;
use crate::reload::api_keys::{ApiKeys, KeyFile};
use crate::reload::issuers::Issuers;
use crate::reload::keys::{KeyFeed, KeyPlan, KeySource};
use crate::reload::policy::{PolicyEvent, PolicyRole, PolicyStore};
use crate::reload::verified::{Generation, VerifiedTokens};
use crate::request::OverrideMode;
use crate::request::headers::HeaderRules;
use crate::settings::{ApiKeySource, ApiMatch, HostHeader, IdentityHeaders, Limits, OnFailure, UpstreamCredential};
use crate::vocabulary::AuditMode;

/// The issuer of the tokens.
const ISS: &str = "https://id.test";

/// Setup: a guard, and the folder of its policy.
pub(super) struct Setup {
    pub(super) guard: Guard,
    folder: tempfile::TempDir,
}

impl Setup {
    /// A guard of this policy that accepts tokens.
    pub(super) fn of_text(policy: &str) -> Self {
        Self::new(policy, None)
    }

    /// A guard of this policy that accepts the API keys of a file's text, and no tokens.
    pub(super) fn with_keys(policy: &str, keys: &str) -> Self {
        Self::new(policy, Some(keys))
    }

    fn new(policy: &str, keys: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let metrics = Arc::new(Metrics::new());
        let coverage = Arc::new(Coverage::default());
        let source = if keys.is_some() { "keys" } else { "test" };
        let store = store(&folder, "policy.yaml", policy, source, PolicyRole::Live);
        coverage.publish(store.load().as_ref(), SystemTime::now());
        let generation = Arc::new(Generation::default());
        let (issuers, keys) = match keys {
            None => {
                let plan = KeyPlan::new(KeySource::Secret(SECRET.into()));
                let feed = KeyFeed::open(issuer(), plan, Arc::clone(&generation)).unwrap();
                (Issuers::new(vec![feed]).unwrap(), ApiKeys::new(Vec::new()))
            }
            Some(text) => {
                let file = folder.path().join("keys.yaml");
                std::fs::write(&file, text).unwrap();
                let claim_limits = ClaimLimits::default();
                let source = ApiKeySource { name: "keys".into(), file, header: None, basic: true, claim_limits };
                (Issuers::default(), ApiKeys::new(vec![KeyFile::open(&source).unwrap()]))
            }
        };
        let identity = IdentityHeaders::default();
        let api = Api {
            id: ApiId(0),
            name: "api".into(),
            matches: ApiMatch { hosts: Vec::new(), path: "".into(), listeners: Vec::new() },
            policy: Arc::new(store),
            candidate: None,
            coverage,
            comparison: None,
            issuers,
            keys,
            certificates: Vec::new(),
            caller: None,
            tokens: VerifiedTokens::new(1000, 60, generation),
            host: HostHeader::Upstream,
            authority: "upstream.test".into(),
            credential: UpstreamCredential::None,
            headers: HeaderRules::new(identity.all(), []),
            identity,
            overrides: OverrideMode::Reject,
            body: None,
            total: None,
            audit: AuditMode::Fast,
        };
        let guard = Guard {
            apis: Apis::new(vec![Arc::new(api)]),
            trusted: Vec::new(),
            limits: Limits::default(),
            approvals: Arc::new(Live::new(ApprovalSet::default())),
            failed_credentials: FailedCredentials::new(0),
            limit_counters: Arc::new(LimitCounters::new(Arc::clone(&metrics))),
            metrics,
            audit: Arc::new(Sink::open(SinkPlan::new(SinkTarget::Nowhere)).unwrap()),
            audit_mode: AuditMode::Fast,
            on_audit_failure: OnFailure::Refuse,
            in_flight: InFlight::default(),
            ids: DecisionIds::new().unwrap(),
        };
        Self { guard, folder }
    }

    /// Compares every decision with that of this policy.
    pub(super) fn compare_with(&mut self, policy: &str) {
        let candidate = store(&self.folder, "candidate.yaml", policy, "test", PolicyRole::Candidate);
        let comparison = self.guard.metrics.new_comparison("api");
        comparison.publish_live(self.api().policy.load().as_ref(), SystemTime::now());
        comparison.publish_candidate(candidate.load().as_ref(), SystemTime::now());
        self.change_api(|api| {
            (api.candidate, api.comparison) = (Some(Arc::new(candidate)), Some(Arc::new(comparison)));
        });
    }

    pub(super) fn audit_to(&mut self, target: SinkTarget) {
        self.guard.audit = Arc::new(Sink::open(SinkPlan::new(target)).unwrap());
    }

    pub(super) fn guard_mut(&mut self) -> &mut Guard {
        &mut self.guard
    }

    pub(super) fn api(&self) -> &Arc<Api> {
        self.guard.apis.iter().next().unwrap()
    }

    pub(super) fn change_api(&mut self, change: impl FnOnce(&mut Api)) {
        let api = Arc::clone(self.api());
        self.guard.apis = Apis::default();
        let mut api = Arc::into_inner(api).unwrap();
        change(&mut api);
        self.guard.apis = Apis::new(vec![Arc::new(api)]);
    }

    /// A token with these claims, good for a minute.
    pub(super) fn token(&self, claims: Value) -> String {
        let mut claims = claims;
        for (name, value) in [("iss", ISS.into()), ("aud", "api".into()), ("exp", (now().0 + 60).into())] {
            claims[name] = value;
        }
        Signer::secret(SECRET).token(Algorithm::Hs256, None, &claims)
    }
}

fn store(folder: &tempfile::TempDir, name: &str, policy: &str, source: &str, role: PolicyRole) -> PolicyStore {
    let path = folder.path().join(name);
    std::fs::write(&path, policy).unwrap();
    let ignore = |_: &PolicyEvent, _: Option<&Arc<Snapshot>>| {};
    PolicyStore::open("api", path, [source.into()].into(), role, Box::new(ignore))
}

fn issuer() -> Issuer {
    let claim = |name: &str| Some(ClaimPath::from_dotted(name));
    Issuer {
        name: "test".into(),
        iss: ISS.into(),
        audiences: vec!["api".into()],
        claims: ClaimPaths {
            tenants: claim("tenants"),
            roles: claim("roles"),
            groups: claim("groups"),
            permissions: claim("permissions"),
            ..ClaimPaths::default()
        },
        service: ServiceRule {
            claim: Some((ClaimPath::from_dotted("kind"), vec!["service".into()])),
            clients: Vec::new(),
        },
        claim_limits: ClaimLimits::default(),
        leeway: 0,
        max_lifetime: 3600,
        max_length: 8192,
    }
}

/// Header fields of these lines.
pub(super) fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let parsed = fields
        .iter()
        .map(|(name, value)| -> (HeaderName, HeaderValue) { (name.parse().unwrap(), value.parse().unwrap()) });
    let mut headers: HeaderMap = HeaderMap::new();
    parsed.for_each(|(name, value)| {
        headers.append(name, value);
    });
    headers
}

/// A request over HTTP/1.1 in cleartext, from 192.0.2.1.
pub(super) fn arrival<'a>(method: &'a str, target: &'a str, headers: &'a HeaderMap) -> Arrival<'a> {
    Arrival {
        method,
        target: target.as_bytes(),
        headers,
        protocol: Protocol::Http1 { head: None },
        peer: Some(([192, 0, 2, 1], 4000).into()),
        tls: None,
        listener: "public",
    }
}
