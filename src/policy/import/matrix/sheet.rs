//! Sheet: the fields of a CSV file, each with its span; the only file that uses csv-core.

use std::collections::BTreeMap;

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};

use crate::document::{Finding, FindingCode, Findings, Span};
use crate::policy::import::yaml::join_lines;

/// Sheet: the lines of a table that are not empty.
#[derive(Debug)]
pub(super) struct Sheet {
    delimiter: u8,
    pub(super) lines: Vec<Vec<SheetField>>,
}

/// SheetField: a trimmed text on one line, and its span.
#[derive(Debug, Clone)]
pub(super) struct SheetField {
    pub(super) text: String,
    pub(super) span: Span,
}

const DELIMITERS: [(u8, &str); 4] = [(b',', "commas"), (b';', "semicolons"), (b'\t', "tabs"), (b'|', "bars")];

/// The most fields of a table.
const MAX_FIELDS: usize = 1_000_000;

/// The size of the sample that the delimiter is detected in.
const SAMPLE: usize = 64 * 1024;

impl Sheet {
    /// Reads the sheet in `text`; a finding where there is none.
    pub(super) fn read(file: u32, text: &str, findings: &mut Findings) -> Option<Self> {
        let refuse = |span: Option<Span>, message: &str| Finding::error(FindingCode::BadValue, span, message);
        // Excel writes and reads a first line that names the delimiter.
        let named = text.lines().next().and_then(|line| line.strip_prefix("sep=")).and_then(|rest| rest.bytes().next());
        let skipped = if named.is_some() { text.find('\n').map_or(text.len(), |at| at + 1) } else { 0 };
        let delimiter = named.unwrap_or_else(|| guess_delimiter(text));
        let mut fields = FieldSplitter::new(file, text, skipped, delimiter);
        let mut lines = Vec::new();
        let mut line = Vec::new();
        let mut count = 0;
        while let Some((field, ends)) = fields.next_field() {
            count += 1;
            if count > MAX_FIELDS {
                findings.push(refuse(Some(field.span), "the table has too many cells"));
                return None;
            }
            line.push(field);
            if ends {
                lines.push(std::mem::take(&mut line));
            }
        }
        if let Some(span) = fields.open_quote {
            let finding = refuse(Some(span), "this quote is not closed, so the rest of the file is one cell");
            findings.push(finding);
            return None;
        }
        lines.push(line);
        lines.retain(|line| line.iter().any(|field| !field.text.is_empty()));
        if lines.is_empty() {
            findings.push(refuse(Some(Span { file, start: 0, end: 0 }), "the table is empty"));
            return None;
        }
        Some(Self { delimiter, lines })
    }

    pub(super) fn delimiter_name(&self) -> String {
        let known = DELIMITERS.iter().find(|(delimiter, _)| *delimiter == self.delimiter);
        known.map_or_else(|| format!("`{}`", char::from(self.delimiter)), |(_, word)| (*word).to_owned())
    }
}

/// Guesses the delimiter that splits the most lines into the same number of columns, and into the most columns.
fn guess_delimiter(text: &str) -> u8 {
    let mut end = text.len().min(SAMPLE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let sample = text.get(..end).unwrap_or_default();
    let split_score = |delimiter: u8| {
        let mut fields = FieldSplitter::new(0, sample, 0, delimiter);
        let mut lines: BTreeMap<usize, usize> = BTreeMap::new();
        let mut width = 0;
        while let Some((_, ends)) = fields.next_field() {
            width += 1;
            if ends {
                *lines.entry(width).or_default() += 1;
                width = 0;
            }
        }
        lines.into_iter().map(|(width, count)| (width - 1) * count).max().unwrap_or(0)
    };
    let ranked = DELIMITERS.iter().rev().map(|(delimiter, _)| *delimiter);
    // Among equals `max_by_key` returns the last one, which is the comma.
    ranked.max_by_key(|delimiter| split_score(*delimiter)).unwrap_or(b',')
}

struct FieldSplitter<'t> {
    file: u32,
    text: &'t str,
    at: usize,
    delimiter: u8,
    reader: Reader,
    open_quote: Option<Span>,
}

impl<'t> FieldSplitter<'t> {
    fn new(file: u32, text: &'t str, at: usize, delimiter: u8) -> Self {
        let reader = ReaderBuilder::new().delimiter(delimiter).build();
        Self { file, text, at, delimiter, reader, open_quote: None }
    }

    /// Reads the next field, and whether it ends its line.
    fn next_field(&mut self) -> Option<(SheetField, bool)> {
        let start = self.at;
        let mut bytes = Vec::new();
        let mut buffer = [0; 512];
        loop {
            let input = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let (result, read, written) = self.reader.read_field(input, &mut buffer);
            self.at += read;
            bytes.extend_from_slice(buffer.get(..written).unwrap_or_default());
            match result {
                // At the end of the input, the next call ends the last field.
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                ReadFieldResult::End => return None,
                ReadFieldResult::Field { record_end } => {
                    let span = self.span(start);
                    let text = join_lines(&String::from_utf8_lossy(&bytes));
                    return Some((SheetField { text, span }, record_end));
                }
            }
        }
    }

    /// The span of the field that began at `start`, without its delimiter.
    fn span(&mut self, start: usize) -> Span {
        let raw = self.text.get(start..self.at).unwrap_or_default();
        let from = start + (raw.len() - raw.trim_start_matches(['\r', '\n']).len());
        let raw = self.text.get(from..self.at).unwrap_or_default().trim_end_matches(['\r', '\n']);
        let ends_early = self.at < self.text.len();
        let raw = raw.strip_suffix(char::from(self.delimiter)).unwrap_or(raw);
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let span = Span { file: self.file, start: offset(from), end: offset(from + raw.len()) };
        if !ends_early && raw.starts_with('"') && (raw.len() == 1 || !raw.trim_end().ends_with('"')) {
            self.open_quote = Some(Span { end: span.start.saturating_add(1), ..span });
        }
        span
    }
}

#[cfg(test)]
mod tests;
