//! Tests of the log queue with an output that is stuck.

use super::*;
use crate::audit::log::tests::MemoryOutput;

#[test]
fn a_stuck_output_costs_lines_and_no_time_and_the_rest_is_written_at_the_end() {
    static DROPPED: AtomicU64 = AtomicU64::new(0);
    let output = MemoryOutput::default();
    let (mut queue, flush) = LogQueue::spawn(output.clone(), &DROPPED).unwrap();
    // While this lock is held, the output accepts nothing.
    let held = output.0.lock().unwrap();
    for _ in 0..2 * MAX_WAITING_LINES {
        queue.write_all(b"line\n").unwrap();
    }
    let dropped = usize::try_from(DROPPED.load(Ordering::Relaxed)).unwrap();
    assert!((MAX_WAITING_LINES - 1..=MAX_WAITING_LINES).contains(&dropped), "{dropped}");
    drop(held);
    drop(flush);
    assert_eq!(output.0.lock().unwrap().len(), (2 * MAX_WAITING_LINES - dropped) * "line\n".len());
}
