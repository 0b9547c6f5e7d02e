//! Opens the policy stores of an API: the live policy, and the candidate that is compared with it.

use std::sync::Arc;
use std::time::SystemTime;

use crate::metrics::{Comparison, Coverage, Metrics, ReloadResult, ReloadSubject};
use crate::policy::model::Shadow;
use crate::policy::{PolicyVersion, Snapshot};
use crate::reload::policy::{PolicyEvent, PolicyRole, PolicyStore};
use crate::reload::verified::Generation;
use crate::settings;

/// Opens the store of the live policy, and the coverage that counts which of its parts requests use.
pub(super) fn open_live(
    api: &settings::ApiSettings,
    generation: &Arc<Generation>,
    metrics: &Arc<Metrics>,
    comparison: Option<&Arc<Comparison>>,
) -> (PolicyStore, Arc<Coverage>) {
    let coverage = Arc::new(Coverage::default());
    let (name, generation, metrics) = (api.name.clone(), Arc::clone(generation), Arc::clone(metrics));
    let (event_coverage, comparison) = (Arc::clone(&coverage), comparison.cloned());
    let on_change = move |event: &PolicyEvent, live: Option<&Arc<Snapshot>>| {
        let record_published = |version: &PolicyVersion| {
            metrics.publish_policy(&name, &version.name, &version.hash, SystemTime::now());
            metrics.set_policy_refused(&name, false);
        };
        match event {
            PolicyEvent::Published(version) | PolicyEvent::RolledBack(version) => {
                // Tokens verified under the old policy are verified again: the new one may describe users differently.
                generation.bump();
                let now = SystemTime::now();
                event_coverage.publish(live, now);
                if let Some(comparison) = &comparison {
                    comparison.publish_live(live, now);
                }
                record_published(version);
                let rolled_back = matches!(event, PolicyEvent::RolledBack(_));
                let result = if rolled_back { ReloadResult::RolledBack } else { ReloadResult::Published };
                metrics.count_reload(ReloadSubject::Policy, &name, result);
                report_shadow_mode(&name, live.map(|live| &**live), &metrics);
            }
            PolicyEvent::Restored(version) => {
                record_published(version);
                metrics.count_reload(ReloadSubject::Policy, &name, ReloadResult::Unchanged);
            }
            PolicyEvent::Refused | PolicyEvent::Gone => {
                metrics.set_policy_refused(&name, true);
                metrics.count_reload(ReloadSubject::Policy, &name, ReloadResult::Refused);
            }
        }
    };
    let (name, path, issuers) = (api.name.clone(), api.policy.clone(), api.sources().into());
    (PolicyStore::open(name, path, issuers, PolicyRole::Live, Box::new(on_change)), coverage)
}

/// Opens the store of the candidate policy, where the settings name one.
pub(super) fn open_candidate(
    api: &settings::ApiSettings,
    metrics: &Arc<Metrics>,
    comparison: Option<&Arc<Comparison>>,
) -> Option<PolicyStore> {
    let (path, comparison) = (api.candidate.clone()?, Arc::clone(comparison?));
    let (name, metrics) = (api.name.clone(), Arc::clone(metrics));
    let on_change = move |event: &PolicyEvent, candidate: Option<&Arc<Snapshot>>| {
        let result = match event {
            PolicyEvent::Published(_) | PolicyEvent::RolledBack(_) => {
                comparison.publish_candidate(candidate, SystemTime::now());
                ReloadResult::Published
            }
            PolicyEvent::Restored(_) => ReloadResult::Unchanged,
            PolicyEvent::Refused | PolicyEvent::Gone => ReloadResult::Refused,
        };
        metrics.count_reload(ReloadSubject::Candidate, &name, result);
    };
    let issuers = api.sources().into();
    Some(PolicyStore::open(api.name.clone(), path, issuers, PolicyRole::Candidate, Box::new(on_change)))
}

/// Reports in the metric and the log whether the live policy is in shadow mode, which forwards refused requests.
fn report_shadow_mode(api: &str, live: Option<&Snapshot>, metrics: &Metrics) {
    let Some(policy) = live else { return };
    let (name, version) = (&policy.version.name, &policy.version.hash);
    metrics.set_shadow(api, policy.model.shadow != Shadow::Off);
    match &policy.model.shadow {
        Shadow::Off => {}
        Shadow::All => {
            tracing::warn!(api, policy = %name, version = %version, "shadow mode: every refusal is forwarded");
        }
        Shadow::Resources(resources) => {
            let resources = resources.join(", ");
            tracing::warn!(
                api, policy = %name, version = %version, resources,
                "shadow mode: refusals about these resources are forwarded"
            );
        }
    }
}
