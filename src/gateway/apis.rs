//! Builds each API and its upstream from the settings.

use std::sync::Arc;

use crate::guard::api::{Api, ApiId};
use crate::metrics::Metrics;
use crate::proxy::upstream::Upstream;
use crate::reload::api_keys::ApiKeys;
use crate::reload::verified::{Generation, VerifiedTokens};
use crate::request::headers::HeaderRules;
use crate::settings::{ApiSettings, Settings};

use super::verifiers::CredentialVerifiers;
use super::{plans, policies};

/// Opens the policies of `api` and collects everything that its requests need.
pub(super) fn open_api(
    id: ApiId,
    api: &ApiSettings,
    settings: &Settings,
    verifiers: &CredentialVerifiers,
    generation: &Arc<Generation>,
    metrics: &Arc<Metrics>,
) -> Result<Arc<Api>, String> {
    let issuers = verifiers.issuers_of(api)?;
    let key_files = &verifiers.key_files;
    let own_files = key_files.iter().filter(|file| api.api_keys.iter().any(|name| **name == *file.name()));
    let keys = ApiKeys::new(own_files.cloned().collect());
    // The headers of every key file are stripped: a key for another API is a secret too.
    let all_keys = ApiKeys::new(key_files.to_vec());
    let reserved = api.identity_headers.all().into_iter().chain(all_keys.headers());
    let headers = HeaderRules::new(reserved, api.pass_headers.iter().map(|name| &**name));
    let comparison = api.candidate.as_ref().map(|_| Arc::new(metrics.new_comparison(&api.name)));
    let (policy, coverage) = policies::open_live(api, generation, metrics, comparison.as_ref());
    let candidate = policies::open_candidate(api, metrics, comparison.as_ref());
    let max_age = settings.token_cache.max_age.as_secs();
    Ok(Arc::new(Api {
        id,
        name: api.name.clone(),
        matches: api.matches.clone(),
        policy: Arc::new(policy),
        candidate: candidate.map(Arc::new),
        coverage,
        comparison,
        issuers,
        keys,
        certificates: api.client_certificates.clone(),
        caller: api.caller,
        tokens: VerifiedTokens::new(settings.token_cache.entries, max_age, Arc::clone(generation)),
        host: api.host.clone(),
        authority: api.upstream.url.authority().into(),
        credential: api.credential.clone(),
        headers,
        identity: api.identity_headers.clone(),
        overrides: api.method_overrides,
        body: api.body,
        total: api.upstream.total_timeout,
        audit: api.audit,
    }))
}

/// Opens the upstream of `api`; its name is resolved later.
pub(super) fn open_upstream(api: &ApiSettings) -> Result<Arc<Upstream>, String> {
    let upstream = Upstream::new(&plans::upstream(&api.upstream));
    upstream.map(Arc::new).map_err(|error| format!("the upstream of the API `{}` cannot be used: {error}", api.name))
}
