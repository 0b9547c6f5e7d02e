//! Keys: the names in a JSON text, one of which may ask for another method.

use crate::request::query;

/// The longest name that is looked at: any override is shorter.
const NAME: usize = 64;

/// Keys: the string that is being read, or that has ended last.
#[derive(Debug, Default)]
pub(in crate::edge) struct Keys {
    at: At,
    name: String,
}

/// At: where in a JSON text (RFC 8259) the scan stands.
#[derive(Debug, Default)]
enum At {
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

impl Keys {
    /// Takes a byte; whether it tells that a name has ended that is an override.
    pub(super) fn ends_override(&mut self, byte: u8) -> bool {
        self.at = match (&self.at, byte) {
            (At::Outside | At::Behind, b'"') => {
                self.name.clear();
                At::Inside
            }
            (At::Behind, b':') => {
                self.at = At::Outside;
                return self.name.len() <= NAME && query::is_method_override(&self.name);
            }
            (At::Behind, b' ' | b'\t' | b'\r' | b'\n') => At::Behind,
            (At::Outside | At::Behind, _) => At::Outside,
            (At::Inside, b'"') => At::Behind,
            (At::Inside, b'\\') => At::Escape,
            (At::Inside, other) => self.take(char::from(other)),
            (At::Escape, b'u') => At::Unicode { digits: 0, value: 0 },
            (At::Escape, b't' | b'n' | b'r' | b'b' | b'f') => self.take(' '),
            (At::Escape, other) => self.take(char::from(other)),
            (&At::Unicode { digits, value }, byte) => {
                // What is no digit is no JSON either, and nobody reads it.
                let value = value << 4 | char::from(byte).to_digit(16).unwrap_or_default();
                if digits == 3 {
                    self.take(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER))
                } else {
                    At::Unicode { digits: digits + 1, value }
                }
            }
        };
        false
    }

    fn take(&mut self, letter: char) -> At {
        // Blanks before a name must not push it out of sight.
        let blank = self.name.is_empty() && (letter.is_whitespace() || matches!(letter, '[' | ']'));
        if !blank && self.name.len() <= NAME {
            self.name.push(letter);
        }
        At::Inside
    }
}

#[cfg(test)]
mod tests;
