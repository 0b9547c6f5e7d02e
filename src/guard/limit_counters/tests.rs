//! Every hit is counted, and each limit is logged once a minute.

use super::*;

#[test]
fn a_limit_is_logged_once_a_minute_and_counted_each_time() {
    let metrics = Arc::new(Metrics::new());
    let mut counters = LimitCounters::new(Arc::clone(&metrics));
    for _ in 0..1000 {
        counters.count(Limit::Connections, None);
    }
    assert!(!counters.admits_log_line(Limit::Connections));
    assert!(counters.admits_log_line(Limit::Http2Resets), "another limit is another matter");
    counters.since -= std::time::Duration::from_secs(60);
    assert!(counters.admits_log_line(Limit::Connections));
    assert!(!counters.admits_log_line(Limit::Connections));
    let text = metrics.render();
    assert!(text.contains("portcullis_limits_reached_total{limit=\"connections\"} 1000\n"), "{text}");
}
