//! Whether the name of a form's field overrides the method in some framework.

use crate::request::query;

/// The longest name that is read, encoded: the longest override takes a third of it.
pub(super) const LONGEST_NAME: usize = 256;

/// Whether some framework takes the value of a field with this name, as sent, for the method.
pub(super) fn is_override(written: &[u8]) -> bool {
    let plain: Vec<u8> = written.iter().copied().filter(|byte| *byte != b'\\').collect();
    let plain = String::from_utf8_lossy(&plain);
    // Java's readers decode encoded words (RFC 2047), which no client sends here.
    if plain.contains("=?") {
        return true;
    }
    // RFC 5987: charset and language precede two quotes.
    let plain = plain.rsplit_once("''").map_or(&*plain, |(_, name)| name);
    let name = query::decode(plain);
    // Characters that frameworks skip before a name must not push it beyond the limit, in any spelling.
    let hides =
        written.len() >= LONGEST_NAME && name.starts_with(|c: char| c.is_whitespace() || matches!(c, '[' | ']'));
    hides || query::is_method_override(&name)
}
