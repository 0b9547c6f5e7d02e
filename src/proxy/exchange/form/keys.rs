//! JsonKeyScanner: the names in a JSON text, one of which may override the method.

use crate::request::query;

/// The longest name that is read: every override is shorter.
const NAME: usize = 64;

/// JsonKeyScanner: the current string, or the last one that has ended.
#[derive(Debug, Default)]
pub(in crate::proxy::exchange) struct JsonKeyScanner {
    at: JsonPosition,
    name: String,
}

/// JsonPosition: the position of the scan in a JSON text (RFC 8259).
#[derive(Debug, Default)]
enum JsonPosition {
    /// Between strings.
    #[default]
    Outside,
    Inside,
    /// After a `\\`.
    Escape,
    /// After `\\u`, with the digits so far.
    Unicode {
        digits: u8,
        value: u32,
    },
    /// After a string, which a `:` shows to be a name.
    AfterString,
}

impl JsonKeyScanner {
    /// Takes a byte; returns whether the name of an override ends with it.
    pub(super) fn ends_override(&mut self, byte: u8) -> bool {
        self.at = match (&self.at, byte) {
            (JsonPosition::Outside | JsonPosition::AfterString, b'"') => {
                self.name.clear();
                JsonPosition::Inside
            }
            (JsonPosition::AfterString, b':') => {
                self.at = JsonPosition::Outside;
                return self.name.len() <= NAME && query::is_method_override(&self.name);
            }
            (JsonPosition::AfterString, b' ' | b'\t' | b'\r' | b'\n') => JsonPosition::AfterString,
            (JsonPosition::Outside | JsonPosition::AfterString, _) => JsonPosition::Outside,
            (JsonPosition::Inside, b'"') => JsonPosition::AfterString,
            (JsonPosition::Inside, b'\\') => JsonPosition::Escape,
            (JsonPosition::Inside, other) => self.take(char::from(other)),
            (JsonPosition::Escape, b'u') => JsonPosition::Unicode { digits: 0, value: 0 },
            (JsonPosition::Escape, b't' | b'n' | b'r' | b'b' | b'f') => self.take(' '),
            (JsonPosition::Escape, other) => self.take(char::from(other)),
            (&JsonPosition::Unicode { digits, value }, byte) => {
                // Without a digit it is no JSON, which no upstream reads.
                let value = value << 4 | char::from(byte).to_digit(16).unwrap_or_default();
                if digits == 3 {
                    self.take(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER))
                } else {
                    JsonPosition::Unicode { digits: digits + 1, value }
                }
            }
        };
        false
    }

    fn take(&mut self, letter: char) -> JsonPosition {
        // What frameworks skip before a name must not push it beyond the limit.
        let is_skipped = self.name.is_empty() && (letter.is_whitespace() || matches!(letter, '[' | ']'));
        if !is_skipped && self.name.len() <= NAME {
            self.name.push(letter);
        }
        JsonPosition::Inside
    }
}

#[cfg(test)]
mod tests;
