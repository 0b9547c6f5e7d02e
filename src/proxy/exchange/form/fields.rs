//! FieldScanner: the names of the fields in a body that may be url-encoded.

use super::override_name::{LONGEST_NAME, is_override};

/// What frameworks skip before a name, encoded.
const SKIPPED: [&[u8]; 3] = [b"%20", b"%5b", b"%5d"];

/// FieldScanner: the name of the current field.
#[derive(Debug, Default)]
pub(in crate::proxy::exchange) struct FieldScanner {
    name: Vec<u8>,
    in_value: bool,
}

impl FieldScanner {
    /// Takes a byte; returns whether the name of an override ends with it.
    pub(super) fn ends_override(&mut self, byte: u8) -> bool {
        match byte {
            b'&' | b';' => {
                self.in_value = false;
                self.name.clear();
                false
            }
            _ if self.in_value => false,
            b'=' => {
                self.in_value = true;
                spells_utf16(&self.name) || is_override(&self.name)
            }
            // What frameworks skip before a name must not push it beyond the limit.
            b'[' | b']' | b' ' | b'+' if self.name.is_empty() => false,
            _ => {
                if self.name.len() < LONGEST_NAME {
                    self.name.push(byte);
                }
                if SKIPPED.iter().any(|skipped| self.name.eq_ignore_ascii_case(skipped)) {
                    self.name.clear();
                }
                false
            }
        }
    }
}

/// Whether a name holds an escape such as `%u0041`, which System.Web decodes.
fn spells_utf16(name: &[u8]) -> bool {
    name.windows(6).any(|window| match window {
        [b'%', b'u' | b'U', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        _ => false,
    })
}
