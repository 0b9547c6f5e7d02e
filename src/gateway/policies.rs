//! The policies of an API: the one that decides and the one that is compared, with all that depends on them.

use std::sync::Arc;
use std::time::SystemTime;

use crate::metrics::{Comparison, Coverage, Metrics, ReloadResult, ReloadSubject};
use crate::policy::model::Shadow;
use crate::policy::{PolicyVersion, Snapshot};
use crate::reload::policy::{PolicyEvent, PolicyRole, PolicyStore};
use crate::reload::verified::Generation;
use crate::settings;

/// The store of the policy that decides, and what requests make of it.
pub(super) fn open(
    api: &settings::ApiSettings,
    generation: &Arc<Generation>,
    metrics: &Arc<Metrics>,
    comparison: Option<&Arc<Comparison>>,
) -> (PolicyStore, Arc<Coverage>) {
    let coverage = Arc::new(Coverage::default());
    let (name, generation, metrics) = (api.name.clone(), Arc::clone(generation), Arc::clone(metrics));
    let (covered, compared) = (Arc::clone(&coverage), comparison.cloned());
    let on_change = move |event: &PolicyEvent, live: Option<&Arc<Snapshot>>| {
        let published = |version: &PolicyVersion| {
            metrics.publish_policy(&name, &version.name, &version.hash, SystemTime::now());
            metrics.set_policy_refused(&name, false);
        };
        match event {
            PolicyEvent::Published(version) | PolicyEvent::RolledBack(version) => {
                // What was verified under the old policy is verified again: its users may read differently now.
                generation.bump();
                let now = SystemTime::now();
                covered.publish(live, now);
                if let Some(comparison) = &compared {
                    comparison.publish_live(live, now);
                }
                published(version);
                let rolled_back = matches!(event, PolicyEvent::RolledBack(_));
                let result = if rolled_back { ReloadResult::RolledBack } else { ReloadResult::Published };
                metrics.count_reload(ReloadSubject::Policy, &name, result);
                tell_mode(&name, live.map(|live| &**live), &metrics);
            }
            PolicyEvent::Restored(version) => {
                published(version);
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

/// The store of the policy that is compared, where the settings name one.
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

/// Says aloud whether refusals are forwarded.
fn tell_mode(api: &str, live: Option<&Snapshot>, metrics: &Metrics) {
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
