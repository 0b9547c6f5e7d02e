//! Sources: the texts that are read, and spans in them.

/// Sources: the texts that are read, with the names that messages use for them.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Source>);

/// Source: one text and its name.
#[derive(Debug, Clone)]
pub struct Source {
    /// The path that messages show.
    pub name: String,
    /// The text, without a byte order mark.
    pub text: String,
}

impl Sources {
    /// Adds a text and returns its number, which the spans in it carry.
    pub fn add(&mut self, name: impl Into<String>, text: &str) -> u32 {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        self.0.push(Source { name: name.into(), text });
        u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX)
    }

    /// The text with that number.
    pub fn source(&self, file: u32) -> Option<&Source> {
        self.0.get(usize::try_from(file).ok()?)
    }

    /// All texts with their numbers, in the order of their addition.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Source)> {
        (0..).zip(&self.0)
    }

    /// The file, line and column of a span's start, counted from one; columns in characters.
    pub fn locate(&self, span: Span) -> Option<Location<'_>> {
        let source = self.source(span.file)?;
        let start = usize::try_from(span.start).ok()?.min(source.text.len());
        let before = source.text.get(..start)?;
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        Some(Location { file: &source.name, line, column })
    }
}

/// Location: a position as messages show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'a> {
    /// The file's name.
    pub file: &'a str,
    /// The line, from one.
    pub line: usize,
    /// The column in characters, from one.
    pub column: usize,
}

impl std::fmt::Display for Location<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Span: a range of bytes in one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The number of the source.
    pub file: u32,
    /// The first byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}
