//! Tests of the table's bound with concurrent threads.

use super::*;

#[test]
fn one_key_has_one_entry_and_a_full_table_only_counts() {
    let slots: Slots<String> = Slots::new(3);
    let enter = |name: &str| slots.get_or_insert(name, |known| known == name, || name.to_owned()).cloned();
    for name in ["a", "b", "a", "c", "b"] {
        assert_eq!(enter(name).as_deref(), Some(name));
    }
    assert_eq!((enter("d"), enter("e")), (None, None));
    assert_eq!(enter("c").as_deref(), Some("c"));
    assert_eq!((slots.iter().count(), slots.left_out()), (3, 2));
    assert_eq!(Slots::<u8>::new(0).get_or_insert("a", |_| true, || 1), None);
}

#[test]
fn threads_that_bring_the_same_keys_at_once_share_the_entries() {
    let slots: Slots<(u64, AtomicU64)> = Slots::new(64);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for key in (0..64).cycle().take(6400) {
                    let entry =
                        slots.get_or_insert(key, |(known, _)| *known == key, || (key, AtomicU64::new(0))).unwrap();
                    entry.1.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(slots.iter().count(), 64);
    assert!(slots.iter().all(|(_, count)| count.load(Ordering::Relaxed) == 800));
}
