//! What the table of dialects has to be.

use super::Treatment::{Either, Exact, Folded, Refused};
use super::{Dialect, DialectTraits, Treatment};

/// A trait and its name.
type Column = (&'static str, fn(&DialectTraits) -> Treatment);

const COLUMNS: [Column; 10] = [
    ("case", |traits| traits.case),
    ("end_slash", |traits| traits.end_slash),
    ("path_parameters", |traits| traits.path_parameters),
    ("end_dots", |traits| traits.end_dots),
    ("suffixes", |traits| traits.suffixes),
    ("encoded_slashes", |traits| traits.encoded_slashes),
    ("windows_names", |traits| traits.windows_names),
    ("streams", |traits| traits.streams),
    ("scripts", |traits| traits.scripts),
    ("index_files", |traits| traits.index_files),
];

#[test]
fn a_word_names_its_dialect() {
    for (word, dialect) in Dialect::WORDS {
        assert_eq!(dialect.word(), word);
        assert_eq!(format!("{dialect:?}").to_lowercase(), word);
    }
}

#[test]
fn strict_sees_whatever_another_dialect_gives_a_meaning() {
    let strict = Dialect::Strict.traits();
    for (word, dialect) in Dialect::WORDS {
        let traits = dialect.traits();
        for (name, column) in COLUMNS {
            let fine = match column(traits) {
                Exact => true,
                Folded | Either => column(strict) != Exact,
                Refused => column(strict) == Refused,
            };
            assert!(fine, "{word}: {name}");
        }
        assert!(traits.endings.iter().all(|ending| strict.endings.contains(ending)), "{word}");
        assert!(strict.reads_forms || !traits.reads_forms, "{word}");
        assert!(strict.reads_json || !traits.reads_json, "{word}");
    }
}

#[test]
fn no_dialect_folds_what_the_gateway_does_not() {
    // The one spelling is the policy's: for the case of literals and the slash at the end there is one.
    for (word, dialect) in Dialect::WORDS {
        for (name, column) in COLUMNS.into_iter().filter(|(name, _)| !["case", "end_slash"].contains(name)) {
            assert_ne!(column(dialect.traits()), Folded, "{word}: {name}");
        }
        for (name, column) in COLUMNS.into_iter().filter(|(name, _)| {
            ["case", "suffixes", "encoded_slashes", "streams", "scripts", "index_files"].contains(name)
        }) {
            assert_ne!(column(dialect.traits()), Refused, "{word}: {name}");
        }
    }
}
