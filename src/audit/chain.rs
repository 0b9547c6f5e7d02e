//! Hash chain: each line of the audit contains a hash over itself and the previous line's hash.
//!
//! A line ends in `,"seq":N,"chain":"HEX"}`. `N` counts the lines of the whole chain, starting at 1. `HEX` is a SHA-256
//! in 64 lower-case hexadecimal digits. It covers the 64 digits of the previous line, then the bytes of this line.
//! Those bytes exclude `,"chain":"HEX"` and the line feed, so that they end in the number and `}`. For the first line
//! the previous digits are 64 zeros.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

/// Hash: a SHA-256 in its written form, 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 64]);

impl Hash {
    /// The hash before the first line of a chain.
    pub const ZERO: Self = Self([b'0'; 64]);

    /// The hash of the concatenated pieces.
    pub fn of(pieces: &[&[u8]]) -> Self {
        let mut hashing = IncrementalHash::default();
        pieces.iter().for_each(|piece| hashing.update(piece));
        hashing.finish()
    }

    /// Parses 64 lower-case hexadecimal digits.
    pub fn read(digits: &[u8]) -> Option<Self> {
        let digits: [u8; 64] = digits.try_into().ok()?;
        digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(digits))
    }

    /// The digits of the hash.
    pub fn as_str(&self) -> &str {
        // Every constructor writes ASCII digits.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// IncrementalHash: a hash over bytes that arrive in pieces.
#[derive(Clone)]
pub struct IncrementalHash(Context);

impl Default for IncrementalHash {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl IncrementalHash {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the hash of all added bytes.
    pub fn finish(self) -> Hash {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [b'0'; 64];
        let digest = self.0.finish();
        let nibbles = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
        for (digit, nibble) in digits.iter_mut().zip(nibbles) {
            *digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        }
        Hash(digits)
    }
}

/// ChainPosition: the number and hash of a line of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainPosition {
    /// The line's number.
    pub seq: u64,
    /// The line's hash.
    pub hash: Hash,
}

impl ChainPosition {
    /// The position before the first line of a chain.
    pub const BEGIN: Self = Self { seq: 0, hash: Hash::ZERO };

    /// Appends `object`, a JSON object, to `out` as the chain's next line.
    pub fn append(&mut self, object: &[u8], out: &mut Vec<u8>) {
        let begin = out.len();
        self.seq = self.seq.saturating_add(1);
        out.extend_from_slice(object.strip_suffix(b"}").unwrap_or(object));
        out.extend_from_slice(b",\"seq\":");
        out.extend_from_slice(self.seq.to_string().as_bytes());
        self.hash = Hash::of(&[&self.hash.0, out.get(begin..).unwrap_or_default(), b"}"]);
        out.extend_from_slice(CHAIN_FIELD);
        out.extend_from_slice(&self.hash.0);
        out.extend_from_slice(b"\"}\n");
    }
}

/// SealedLine: a line in the form of a chain's line; its hash is not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedLine<'l> {
    /// The line from its first byte to its number.
    body: &'l [u8],
    /// The position in the chain that the line claims.
    pub position: ChainPosition,
}

/// The greatest number of a line or a segment: no chain grows so long, and every JSON reader can represent it.
pub(crate) const MAX_NUMBER: u64 = 1 << 53;

const CHAIN_FIELD: &[u8] = b",\"chain\":\"";

impl<'l> SealedLine<'l> {
    /// Parses a line without its line feed; `None` if the line is torn or not a line of a chain.
    ///
    /// Only the end of the line decides. Text in a record cannot imitate that end, because its quotes are escaped and a
    /// scope's value is never a number.
    pub fn read(line: &'l [u8]) -> Option<Self> {
        let (body, tail) = line.split_at_checked(line.len().checked_sub(CHAIN_FIELD.len() + 66)?)?;
        let hash = Hash::read(tail.strip_prefix(CHAIN_FIELD)?.strip_suffix(b"\"}")?)?;
        let digits = body.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (head, seq) = body.split_at_checked(body.len().checked_sub(digits)?)?;
        let seq = std::str::from_utf8(seq).ok()?.parse().ok().filter(|&seq| seq <= MAX_NUMBER)?;
        (head.ends_with(b",\"seq\":") && head.starts_with(b"{\"record\":\""))
            .then_some(Self { body, position: ChainPosition { seq, hash } })
    }

    /// Whether the line's hash proves that it follows the line with the hash `before`.
    pub fn follows(&self, before: Hash) -> bool {
        Hash::of(&[&before.0, self.body, b"}"]) == self.position.hash
    }

    /// The value of the field `record`.
    pub fn record_kind(&self) -> &'l [u8] {
        let rest = self.body.strip_prefix(b"{\"record\":\"").unwrap_or_default();
        rest.split(|&byte| byte == b'"').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
