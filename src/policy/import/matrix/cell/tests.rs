//! Tests of `cell`: cells as vendors write them.

use super::*;

fn format_cell(text: &str) -> String {
    let content = read(text).unwrap_or_else(|why| panic!("{why}"));
    let words = content.operations.iter().map(|operation| match operation.letter() {
        Some(letter) => letter.to_string(),
        None => format!("<{operation}>"),
    });
    words.collect::<String>() + if content.approval { "!" } else { "" }
}

#[test]
fn letters_and_words_are_read_in_every_spelling() {
    for (text, expected) in [
        ("", ""),
        ("-", ""),
        ("No", ""),
        ("CRUD", "CRUD"),
        ("crud", "CRUD"),
        ("MR", "RM"),
        ("RR", "R"),
        ("C R U", "CRU"),
        ("C/R/U", "CRU"),
        ("C, R", "CR"),
        ("C+R&U|D", "CRUD"),
        ("read", "R"),
        ("Create, Read", "CR"),
        ("Read Update", "RU"),
        ("check-in", "<check-in>"),
        ("R, Check-In", "R<check-in>"),
        ("CRU Requires approval", "CRU!"),
        ("CRU (requires approval)", "CRU!"),
        ("C/R/U – needs approval", "CRU!"),
    ] {
        assert_eq!(format_cell(text), expected, "{text}");
    }
}

#[test]
fn what_could_mean_more_or_less_is_not_read() {
    for text in [
        "x",
        "✓",
        "Yes",
        "all",
        "R*",
        "R (own)",
        "RW",
        "V",
        "CRUX",
        "own R",
        "R own only",
        "Cr",
        "R¹",
        "?",
        "requires approval",
        "see note",
        "R/x",
    ] {
        assert!(read(text).is_err(), "{text}: {:?}", read(text));
    }
}
