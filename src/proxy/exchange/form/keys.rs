//! JsonKeyScanner: the names in a JSON text, one of which may ask for another method.

use crate::request::query;

/// The longest name that is looked at: any override is shorter.
const NAME: usize = 64;

/// JsonKeyScanner: the string that is being read, or that has ended last.
#[derive(Debug, Default)]
pub(in crate::proxy::exchange) struct JsonKeyScanner {
    at: JsonPosition,
    name: String,
}

/// JsonPosition: where in a JSON text (RFC 8259) the scan stands.
#[derive(Debug, Default)]
enum JsonPosition {
    /// Between strings.
    #[default]
    Outside,
    Inside,
    /// Behind a `\\`.
    Escape,
    /// Behind `\\u`, with the digits that have come.
    Unicode {
        digits: u8,
        value: u32,
    },
    /// Behind a string: before a `:` it was a name.
    Behind,
}

impl JsonKeyScanner {
    /// Takes a byte; whether it tells that a name has ended that is an override.
    pub(super) fn ends_override(&mut self, byte: u8) -> bool {
        self.at = match (&self.at, byte) {
            (JsonPosition::Outside | JsonPosition::Behind, b'"') => {
                self.name.clear();
                JsonPosition::Inside
            }
            (JsonPosition::Behind, b':') => {
                self.at = JsonPosition::Outside;
                return self.name.len() <= NAME && query::is_method_override(&self.name);
            }
            (JsonPosition::Behind, b' ' | b'\t' | b'\r' | b'\n') => JsonPosition::Behind,
            (JsonPosition::Outside | JsonPosition::Behind, _) => JsonPosition::Outside,
            (JsonPosition::Inside, b'"') => JsonPosition::Behind,
            (JsonPosition::Inside, b'\\') => JsonPosition::Escape,
            (JsonPosition::Inside, other) => self.take(char::from(other)),
            (JsonPosition::Escape, b'u') => JsonPosition::Unicode { digits: 0, value: 0 },
            (JsonPosition::Escape, b't' | b'n' | b'r' | b'b' | b'f') => self.take(' '),
            (JsonPosition::Escape, other) => self.take(char::from(other)),
            (&JsonPosition::Unicode { digits, value }, byte) => {
                // What is no digit is no JSON either, and nobody reads it.
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
        // Blanks before a name must not push it out of sight.
        let blank = self.name.is_empty() && (letter.is_whitespace() || matches!(letter, '[' | ']'));
        if !blank && self.name.len() <= NAME {
            self.name.push(letter);
        }
        JsonPosition::Inside
    }
}

#[cfg(test)]
mod tests;
