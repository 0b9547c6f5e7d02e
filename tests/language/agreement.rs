//! The program and the reference evaluator agree on many policies and many more questions.

use std::collections::BTreeMap;

use crate::generator::{self, PARTS};
use crate::questions::QuestionSet;
use crate::reference;
use crate::seed::seeds;
use crate::{printing, program};

/// The number of compared pairs of a policy and a question, unless `PORTCULLIS_PAIRS` sets another one.
const PAIRS: u64 = 1_000_000;

/// The reasons that a policy can give (a gate's without its name), and the additions to a permit.
const REASONS: [&str; 19] = [
    "granted",
    "public",
    "service-app",
    "bad-request",
    "unauthenticated",
    "no-route",
    "no-method",
    "nobody",
    "condition",
    "no-group",
    "not-one-role",
    "wrong-type",
    "not-a-member",
    "not-granted",
    "out-of-scope",
    "taken-away",
    "gate",
    "asks",
    "masks",
];

#[test]
fn the_program_answers_as_the_reference_evaluator() {
    let pairs = std::env::var("PORTCULLIS_PAIRS").map_or(PAIRS, |text| text.parse().unwrap());
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let mut counts = ComparisonCounts::default();
    for first in seeds() {
        std::thread::scope(|scope| {
            let work = |worker| move || compare_from(first + worker, workers, pairs.div_ceil(2 * workers));
            let running: Vec<_> = (0..workers).map(|worker| scope.spawn(work(worker))).collect();
            for worker in running {
                counts.join(worker.join().unwrap_or_else(|failure| std::panic::resume_unwind(failure)));
            }
        });
    }
    println!("{} pairs over {} policies: {:#?}", counts.pairs, counts.policies, counts.answers);
    if pairs < PAIRS {
        return;
    }
    for reason in REASONS {
        assert!(counts.answers.contains_key(reason), "no question was answered `{reason}`: {:#?}", counts.answers);
    }
}

/// ComparisonCounts: the number of comparisons, and how often each answer occurred.
#[derive(Default)]
struct ComparisonCounts {
    policies: u64,
    pairs: u64,
    answers: BTreeMap<String, u64>,
}

impl ComparisonCounts {
    fn join(&mut self, other: Self) {
        self.policies += other.policies;
        self.pairs += other.pairs;
        other.answers.into_iter().for_each(|(answer, count)| *self.answers.entry(answer).or_default() += count);
    }

    fn count(&mut self, answer: &reference::Answer) {
        self.pairs += 1;
        let reason = answer.reason.split(':').next().unwrap_or_default();
        let extras = [(!answer.masks.is_empty(), "masks"), (!answer.asks.is_empty(), "asks")];
        for word in [reason].into_iter().chain(extras.into_iter().filter(|(has, _)| *has).map(|(_, word)| word)) {
            match self.answers.get_mut(word) {
                Some(count) => *count += 1,
                None => drop(self.answers.insert(word.to_owned(), 1)),
            }
        }
    }
}

/// Compares the policies of every `step`th seed from `seed` on, until `pairs` are done.
fn compare_from(mut seed: u64, step: u64, pairs: u64) -> ComparisonCounts {
    let mut counts = ComparisonCounts::default();
    while counts.pairs < pairs {
        compare(seed, &mut counts);
        seed += step;
    }
    counts
}

fn compare(seed: u64, counts: &mut ComparisonCounts) {
    let model = generator::generate_policy(seed, &PARTS);
    let yaml = printing::yaml(&model);
    let policy = program::load(&yaml);
    let QuestionSet { callers, requests, now } = QuestionSet::new(seed, &model);
    let subjects: Vec<_> = callers.iter().map(program::subject).collect();
    counts.policies += 1;
    for request in &requests {
        let answers = program::answers(&policy, request, &subjects, now);
        for (caller, found) in callers.iter().zip(answers) {
            let expected = reference::decide(&model, caller, request, now);
            assert!(
                found == expected,
                "PORTCULLIS_SEED={seed} at {now}\n{yaml}\n{caller:#?}\n{} {} {:?}\nthe program says {found:?}\nthe page says {expected:?}",
                request.method,
                request.target(),
                request.response,
            );
            counts.count(&expected);
        }
    }
}
