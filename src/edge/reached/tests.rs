//! Tests of `reached`: every time counts, and the log hears of each limit once a minute.

use super::*;

#[test]
fn a_limit_is_told_once_a_minute_and_counted_each_time() {
    let metrics = Arc::new(Metrics::new());
    let mut reached = LimitCounters::new(Arc::clone(&metrics));
    for _ in 0..1000 {
        reached.count(Limit::Connections, None);
    }
    assert!(!reached.is_to_be_told(Limit::Connections));
    assert!(reached.is_to_be_told(Limit::Http2Resets), "another limit is another matter");
    reached.since -= std::time::Duration::from_secs(60);
    assert!(reached.is_to_be_told(Limit::Connections));
    assert!(!reached.is_to_be_told(Limit::Connections));
    let text = metrics.render();
    assert!(text.contains("portcullis_limits_reached_total{limit=\"connections\"} 1000\n"), "{text}");
}
