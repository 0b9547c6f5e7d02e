//! The count, its limit, and the wait for zero.

use std::time::Duration;

use tokio::time::timeout;

use super::*;

#[tokio::test]
async fn idle_comes_when_the_last_guard_is_dropped() {
    let in_flight = InFlight::default();
    in_flight.idle().await;
    let (one, two) = (in_flight.enter(), in_flight.enter());
    assert_eq!(in_flight.count(), 2);
    let waiting = tokio::spawn({
        let in_flight = in_flight.clone();
        async move { in_flight.idle().await }
    });
    drop(one);
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(two);
    timeout(Duration::from_secs(1), waiting).await.unwrap().unwrap();
}

#[test]
fn no_more_enter_than_the_limit() {
    let in_flight = InFlight::default();
    let one = in_flight.enter_below(1).unwrap();
    assert!(in_flight.enter_below(1).is_none());
    drop(one);
    assert!(in_flight.enter_below(1).is_some());
    assert!(in_flight.enter_below(0).is_none());
}
