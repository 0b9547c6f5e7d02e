//! Tests of the invariants of the dialect table.

use super::Treatment::{Either, Exact, Folded, Refused};
use super::{Dialect, DialectTraits, Treatment};

/// A trait's name and accessor.
type Column = (&'static str, fn(&DialectTraits) -> Treatment);

const COLUMNS: [Column; 10] = [
    ("case", |traits| traits.case),
    ("trailing_slash", |traits| traits.trailing_slash),
    ("path_parameters", |traits| traits.path_parameters),
    ("trailing_dots", |traits| traits.trailing_dots),
    ("extensions", |traits| traits.extensions),
    ("encoded_slashes", |traits| traits.encoded_slashes),
    ("windows_names", |traits| traits.windows_names),
    ("ntfs_streams", |traits| traits.ntfs_streams),
    ("script_path_info", |traits| traits.script_path_info),
    ("index_files", |traits| traits.index_files),
];

#[test]
fn a_word_names_its_dialect() {
    for (keyword, dialect) in Dialect::KEYWORDS {
        assert_eq!(dialect.as_str(), keyword);
        assert_eq!(format!("{dialect:?}").to_lowercase(), keyword);
    }
}

#[test]
fn strict_sees_whatever_another_dialect_gives_a_meaning() {
    let strict = Dialect::Strict.traits();
    for (keyword, dialect) in Dialect::KEYWORDS {
        let traits = dialect.traits();
        for (name, column) in COLUMNS {
            let fine = match column(traits) {
                Exact => true,
                Folded | Either => column(strict) != Exact,
                Refused => column(strict) == Refused,
            };
            assert!(fine, "{keyword}: {name}");
        }
        assert!(traits.appended_suffixes.iter().all(|ending| strict.appended_suffixes.contains(ending)), "{keyword}");
        assert!(strict.reads_forms || !traits.reads_forms, "{keyword}");
        assert!(strict.reads_json || !traits.reads_json, "{keyword}");
    }
}

#[test]
fn no_dialect_folds_what_the_gateway_does_not() {
    // Folding forwards the policy's spelling, which exists for the case of literals and the trailing slash only.
    for (keyword, dialect) in Dialect::KEYWORDS {
        for (name, column) in COLUMNS.into_iter().filter(|(name, _)| !["case", "trailing_slash"].contains(name)) {
            assert_ne!(column(dialect.traits()), Folded, "{keyword}: {name}");
        }
        for (name, column) in COLUMNS.into_iter().filter(|(name, _)| {
            ["case", "extensions", "encoded_slashes", "ntfs_streams", "script_path_info", "index_files"].contains(name)
        }) {
            assert_ne!(column(dialect.traits()), Refused, "{keyword}: {name}");
        }
    }
}
