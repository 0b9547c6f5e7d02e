//! Chain: the hash that ties each line of the audit to the one before it.
//!
//! A line ends in `,"seq":N,"chain":"HEX"}`. `N` counts the lines of the whole chain from 1 on. `HEX` is the SHA-256,
//! as 64 small hexadecimal digits, over the 64 digits of the line before and then the bytes of this line without its
//! `,"chain":"HEX"` (so that they end in the number and `}`), the line feed apart. Before the first line stand 64 zeros.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

/// Hash: a SHA-256 as it is written, 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 64]);

impl Hash {
    /// What stands before the first line of all.
    pub const ZERO: Self = Self([b'0'; 64]);

    /// The hash of these pieces, one after the other.
    pub fn of(pieces: &[&[u8]]) -> Self {
        let mut hashing = IncrementalHash::default();
        pieces.iter().for_each(|piece| hashing.add(piece));
        hashing.end()
    }

    /// The hash that these digits spell.
    pub fn read(digits: &[u8]) -> Option<Self> {
        let digits: [u8; 64] = digits.try_into().ok()?;
        digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(digits))
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        // Every way here writes digits.
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

/// IncrementalHash: a hash over bytes that come piece by piece.
#[derive(Clone)]
pub struct IncrementalHash(Context);

impl Default for IncrementalHash {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl IncrementalHash {
    /// Takes the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all that it took.
    pub fn end(self) -> Hash {
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

/// ChainPosition: how far a chain has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainPosition {
    /// The number of its last line.
    pub seq: u64,
    /// The hash of its last line.
    pub hash: Hash,
}

impl ChainPosition {
    /// The beginning of a chain.
    pub const BEGIN: Self = Self { seq: 0, hash: Hash::ZERO };

    /// Appends `object`, a JSON object, to `out` as the chain's next line.
    pub fn append(&mut self, object: &[u8], out: &mut Vec<u8>) {
        let begin = out.len();
        self.seq = self.seq.saturating_add(1);
        out.extend_from_slice(object.strip_suffix(b"}").unwrap_or(object));
        out.extend_from_slice(b",\"seq\":");
        out.extend_from_slice(self.seq.to_string().as_bytes());
        self.hash = Hash::of(&[&self.hash.0, out.get(begin..).unwrap_or_default(), b"}"]);
        out.extend_from_slice(CHAIN);
        out.extend_from_slice(&self.hash.0);
        out.extend_from_slice(b"\"}\n");
    }
}

/// SealedLine: a line whose form is whole; whether its hash is right is another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedLine<'l> {
    /// The line from its first byte to its number.
    body: &'l [u8],
    /// Where the line says that it stands in the chain.
    pub link: ChainPosition,
}

/// The greatest number of a line or a segment: nobody writes so many, and every reader of JSON can hold it.
pub(crate) const MOST: u64 = 1 << 53;

const CHAIN: &[u8] = b",\"chain\":\"";

impl<'l> SealedLine<'l> {
    /// The sealed line that `line` is, its line feed apart; `None` where it is torn or no line of a chain.
    ///
    /// The end decides alone: text in a record cannot look like it, because its quotes are escaped, and a scope's
    /// value is no number.
    pub fn read(line: &'l [u8]) -> Option<Self> {
        let (body, tail) = line.split_at_checked(line.len().checked_sub(CHAIN.len() + 66)?)?;
        let hash = Hash::read(tail.strip_prefix(CHAIN)?.strip_suffix(b"\"}")?)?;
        let digits = body.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (head, seq) = body.split_at_checked(body.len().checked_sub(digits)?)?;
        let seq = std::str::from_utf8(seq).ok()?.parse().ok().filter(|&seq| seq <= MOST)?;
        (head.ends_with(b",\"seq\":") && head.starts_with(b"{\"record\":\""))
            .then_some(Self { body, link: ChainPosition { seq, hash } })
    }

    /// Whether it is the line that follows `before`.
    pub fn follows(&self, before: Hash) -> bool {
        Hash::of(&[&before.0, self.body, b"}"]) == self.link.hash
    }

    /// The word of its field `record`.
    pub fn record(&self) -> &'l [u8] {
        let rest = self.body.strip_prefix(b"{\"record\":\"").unwrap_or_default();
        rest.split(|&byte| byte == b'"').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
