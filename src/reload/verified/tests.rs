//! Tests of the cache of verified tokens: what it keeps, and for how long.

use super::*;
use crate::vocabulary::Subject;

const NOW: Timestamp = Timestamp(1_000_000);

fn cache(capacity: usize) -> (VerifiedTokens, Arc<Generation>) {
    let generation = Arc::new(Generation::default());
    (VerifiedTokens::new(capacity, 300, Arc::clone(&generation)), generation)
}

fn verified(client: &str, expires: Timestamp) -> VerifiedCaller {
    VerifiedCaller { subject: Subject { client: Some(client.into()), ..Subject::default() }, expires }
}

fn slot(cache: &VerifiedTokens, token: &str, now: Timestamp) -> CacheSlot {
    match cache.look_up(token, now) {
        Lookup::Missing(slot) => slot,
        Lookup::Found(_) => panic!("`{token}` is known already"),
    }
}

fn store(cache: &VerifiedTokens, token: &str, expires: Timestamp) {
    cache.store(slot(cache, token, NOW), verified(token, expires), NOW);
}

fn is_cached(cache: &VerifiedTokens, token: &str, now: Timestamp) -> bool {
    matches!(cache.look_up(token, now), Lookup::Found(found) if found.subject.client.as_deref() == Some(token))
}

#[test]
fn a_token_is_known_once_it_was_verified_and_others_are_not() {
    let (cache, _) = cache(10);
    store(&cache, "a", NOW.plus(60));
    assert!(is_cached(&cache, "a", NOW));
    for other in ["", "A", "a ", "b", "aa"] {
        assert!(!is_cached(&cache, other, NOW), "{other}");
    }
    assert_eq!((cache.hits(), cache.misses()), (1, 6));
}

#[test]
fn an_entry_ends_with_its_token() {
    let (cache, _) = cache(10);
    store(&cache, "a", NOW.plus(60));
    assert!(is_cached(&cache, "a", NOW.plus(59)));
    assert!(!is_cached(&cache, "a", NOW.plus(60)));
    store(&cache, "past", NOW);
    assert!(!is_cached(&cache, "past", NOW));
}

#[test]
fn an_entry_ends_at_its_greatest_age() {
    let (cache, _) = cache(10);
    store(&cache, "a", NOW.plus(86_400));
    assert!(is_cached(&cache, "a", NOW.plus(299)));
    assert!(!is_cached(&cache, "a", NOW.plus(300)));
    cache.store(slot(&cache, "a", NOW.plus(300)), verified("a", NOW.plus(86_400)), NOW.plus(300));
    assert!(is_cached(&cache, "a", NOW.plus(599)), "verified again");
}

#[test]
fn a_clock_that_was_set_back_makes_no_entry_older_than_it_is() {
    let (cache, _) = cache(10);
    store(&cache, "a", NOW.plus(60));
    assert!(!is_cached(&cache, "a", NOW.minus(1)));
}

#[test]
fn new_keys_or_policies_empty_it() {
    let (cache, generation) = cache(10);
    store(&cache, "a", NOW.plus(60));
    store(&cache, "b", NOW.plus(60));
    generation.bump();
    assert!(!is_cached(&cache, "a", NOW));
    assert!(cache.is_empty(), "the old generation's memory is given back");
    store(&cache, "a", NOW.plus(60));
    assert!(is_cached(&cache, "a", NOW));
}

#[test]
fn what_was_verified_with_the_old_keys_is_not_kept_for_the_new_ones() {
    let (cache, generation) = cache(10);
    let slot = slot(&cache, "a", NOW);
    generation.bump();
    cache.store(slot, verified("a", NOW.plus(60)), NOW);
    assert!(!is_cached(&cache, "a", NOW));
}

#[test]
fn it_never_holds_more_than_its_capacity() {
    let (cache, _) = cache(50);
    for number in 0..5_000 {
        store(&cache, &number.to_string(), NOW.plus(60));
        assert!(cache.len() <= 50);
    }
    assert!(!cache.is_empty());
    let (none, _) = self::cache(0);
    store(&none, "a", NOW.plus(60));
    assert!(none.is_empty() && !is_cached(&none, "a", NOW), "a capacity of zero turns it off");
}

#[test]
fn many_threads_find_their_own_callers_only() {
    let (cache, generation) = cache(100);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (cache, generation) = (&cache, &generation);
            scope.spawn(move || {
                for round in 0..2_000 {
                    let token = ((round * 7 + thread) % 150).to_string();
                    match cache.look_up(&token, NOW) {
                        Lookup::Found(found) => assert_eq!(found.subject.client.as_deref(), Some(&*token)),
                        Lookup::Missing(slot) => drop(cache.store(slot, verified(&token, NOW.plus(60)), NOW)),
                    }
                    if round % 500 == 0 {
                        generation.bump();
                    }
                }
            });
        }
    });
    assert_eq!(cache.hits() + cache.misses(), 8_000);
    assert!(cache.hits() > 0);
}
