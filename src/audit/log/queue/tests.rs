//! A queue before an output that is stuck.

use super::*;
use crate::audit::log::tests::Written;

#[test]
fn a_stuck_output_costs_lines_and_no_time_and_the_rest_is_written_at_the_end() {
    static DROPPED: AtomicU64 = AtomicU64::new(0);
    let output = Written::default();
    let (mut queue, flush) = LogQueue::before(output.clone(), &DROPPED).unwrap();
    // Whoever holds its lock keeps the output from taking anything.
    let stuck = output.0.lock().unwrap();
    for _ in 0..2 * LINES {
        queue.write_all(b"line\n").unwrap();
    }
    let dropped = usize::try_from(DROPPED.load(Ordering::Relaxed)).unwrap();
    assert!((LINES - 1..=LINES).contains(&dropped), "{dropped}");
    drop(stuck);
    drop(flush);
    assert_eq!(output.0.lock().unwrap().len(), (2 * LINES - dropped) * "line\n".len());
}
