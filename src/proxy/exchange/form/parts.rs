//! PartScanner: the names of the parts of a multipart form.

use super::override_name::{LONGEST_NAME, is_override};

/// PartScanner: the end of the bytes so far, from the position where an unfinished name may begin.
#[derive(Debug, Default)]
pub(in crate::proxy::exchange) struct PartScanner {
    tail: Vec<u8>,
    block: PartHeaderBlock,
}

impl PartScanner {
    pub(super) fn finds_override(&mut self, chunk: &[u8]) -> bool {
        if chunk.iter().any(|&byte| self.block.is_broken_by(byte)) {
            return true;
        }
        self.tail.extend_from_slice(chunk);
        let mut keep = self.tail.len().saturating_sub(KEY.len() - 1);
        for (at, window) in self.tail.windows(KEY.len()).enumerate() {
            if !window.eq_ignore_ascii_case(KEY) {
                continue;
            }
            match NameParameter::read(self.tail.get(at + KEY.len()..).unwrap_or_default()) {
                NameParameter::Name(name) if is_override(name) => return true,
                // `filename*` is another parameter, which is allowed.
                NameParameter::Extended if !ends_longer_word(&self.tail, at) => return true,
                NameParameter::Open => keep = keep.min(at),
                NameParameter::Name(_) | NameParameter::Extended | NameParameter::Other => {}
            }
        }
        self.tail.drain(..keep);
        // No client sends that much white space: it would push a name beyond the limit.
        self.tail.len() > LINE
    }
}

/// PartHeaderBlock: the header lines of a part, from its `Content-Disposition` to the empty line.
///
/// PHP joins a line that is no field to the line before it: it alone reads a name from two lines.
#[derive(Debug, Default)]
struct PartHeaderBlock {
    open: bool,
    /// The bytes of the line so far.
    length: usize,
    first: u8,
    has_colon: bool,
    /// The letters of [`DISPOSITION`] at the end of the line so far.
    shown: usize,
}

/// The field that names a part.
const DISPOSITION: &[u8] = b"content-disposition:";

/// The length from which a reader may take the rest of a line for a new line; PHP does so at 5 KiB.
const LONG: usize = 1 << 10;

impl PartHeaderBlock {
    /// Takes a byte; returns whether a line ends that is no field, not empty, and no continuation.
    fn is_broken_by(&mut self, byte: u8) -> bool {
        if byte == b'\n' {
            let empty = self.length == 0 || (self.length == 1 && self.first == b'\r');
            let fine = empty || self.has_colon || matches!(self.first, b' ' | b'\t' | b'\r' | 0x0b | 0x0c);
            let broken = self.open && !fine;
            *self = Self { open: self.open && !empty, ..Self::default() };
            return broken;
        }
        if self.length == 0 {
            self.first = byte;
        }
        self.length = self.length.saturating_add(1);
        self.has_colon |= byte == b':' && self.length < LONG;
        self.shown = match DISPOSITION.get(self.shown) {
            Some(next) if byte.eq_ignore_ascii_case(next) => self.shown + 1,
            // None of its other letters is a `c`.
            _ => usize::from(byte.eq_ignore_ascii_case(&b'c')),
        };
        if self.shown == DISPOSITION.len() && (self.length == self.shown || self.length > LONG) {
            self.open = true;
            self.has_colon = true;
        }
        // For a reader in C, a line ends at NUL.
        self.open && byte == 0
    }
}

/// The parameter of a part that names its field.
const KEY: &[u8] = b"name";

/// The longest distance to the end of such a parameter.
const LINE: usize = 2 << 10;

/// NameParameter: what follows the word `name`.
enum NameParameter<'a> {
    /// The name of a field, cut where it is longer than every override.
    Name(&'a [u8]),
    /// A name in several parameters (RFC 2231, section 3), or in a charset of its own (RFC 8187).
    ///
    /// No form may hold either (RFC 7578, section 4.2), but some readers accept both.
    Extended,
    /// The bytes so far do not decide it.
    Open,
    /// Something else.
    Other,
}

impl<'a> NameParameter<'a> {
    fn read(rest: &'a [u8]) -> Self {
        let rest_length = rest.len();
        let starred = rest.strip_prefix(b"*").unwrap_or(rest);
        let digits = starred.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let continued = starred.len() < rest_length && digits > 0;
        let rest = if continued { starred.get(digits..).unwrap_or_default() } else { starred };
        let rest = rest.strip_prefix(b"*").filter(|_| continued).unwrap_or(rest).trim_ascii_start();
        let rest = match rest.split_first() {
            Some((b'=', rest)) => rest.trim_ascii_start(),
            Some(_) => return Self::Other,
            None => return Self::Open,
        };
        if continued {
            return Self::Extended;
        }
        if starred.len() < rest_length {
            let line = rest.iter().take(LONGEST_NAME).take_while(|byte| !matches!(byte, b'\r' | b'\n'));
            if line.filter(|byte| **byte == b'\'').count() > 1 {
                return Self::Extended;
            }
        }
        let (rest, quote) = match rest.split_first() {
            Some((&quote @ (b'"' | b'\''), rest)) => (rest, Some(quote)),
            Some(_) => (rest, None),
            None => return Self::Open,
        };
        // PHP joins a quoted name that spans two lines.
        let begin = rest.iter().position(|byte| match byte {
            b'\r' | b'\n' => quote.is_none(),
            other => !matches!(other, b' ' | b'\t' | b'+' | b'[' | b']'),
        });
        let Some(rest) = begin.and_then(|begin| rest.get(begin..)) else { return Self::Open };
        let mut escaped = false;
        let end = rest.iter().take(LONGEST_NAME).position(|&byte| {
            let ends = match (byte, quote) {
                // Where the closing quote is missing, PHP takes the rest of the line.
                (b'\r' | b'\n', _) => true,
                (_, Some(quote)) => byte == quote && !escaped,
                (_, None) => matches!(byte, b';' | b' ' | b'\t'),
            };
            escaped = byte == b'\\' && !escaped;
            ends
        });
        match end {
            Some(end) => Self::Name(rest.get(..end).unwrap_or_default()),
            None if rest.len() < LONGEST_NAME => Self::Open,
            None => Self::Name(rest.get(..LONGEST_NAME).unwrap_or_default()),
        }
    }
}

/// Whether a longer word, such as `filename`, ends at `at`.
fn ends_longer_word(text: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(u8::is_ascii_alphanumeric)
}
