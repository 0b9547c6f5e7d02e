//! Frame: a WebSocket frame as RFC 6455, section 5.2, lays it out.

/// The longest payload, in bytes.
pub(super) const PAYLOAD: usize = 64 * 1024;

/// Opcode: what a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    /// More of the message before it.
    Continuation,
    /// A text, or its beginning.
    Text,
    /// Bytes, or their beginning.
    Binary,
    /// The end of the connection.
    Close,
    /// A question whether the other side is there.
    Ping,
    /// The answer to it.
    Pong,
}

impl Opcode {
    /// Whether frames of this kind may stand between the fragments of a message.
    pub(super) fn controls(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    fn of(number: u8) -> Option<Self> {
        Some(match number {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    fn number(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }
}

/// FrameError: why a frame is not read; its number is the close code of RFC 6455, section 7.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameError {
    /// It breaks the protocol.
    Protocol = 1002,
    /// It is longer than [`PAYLOAD`].
    TooLarge = 1009,
}

/// Frame: one frame, unmasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Whether it ends its message.
    pub(super) last: bool,
    /// What it is.
    pub(super) opcode: Opcode,
    /// What it carries.
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// The first frame in `bytes` from a client, and how many bytes it took; `None` while it is not all there.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
        // Section 5.1: a client masks every frame; no extension was agreed on, so the reserved bits are zero.
        if first & 0x70 != 0 || second & 0x80 == 0 {
            return Err(FrameError::Protocol);
        }
        let last = first & 0x80 != 0;
        let opcode = Opcode::of(first & 0x0f).ok_or(FrameError::Protocol)?;
        let Some((length, rest)) = length(second & 0x7f, rest) else { return Ok(None) };
        // Section 5.5: control frames are short and whole.
        if opcode.controls() && (!last || length > 125) {
            return Err(FrameError::Protocol);
        }
        let length = usize::try_from(length).ok().filter(|length| *length <= PAYLOAD).ok_or(FrameError::TooLarge)?;
        let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let Some(masked) = rest.get(..length) else { return Ok(None) };
        let payload = masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        Ok(Some((Self { last, opcode, payload }, bytes.len() - rest.len() + length)))
    }

    /// The bytes of the frame as a server sends it: never masked.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.payload.len() + 10);
        bytes.push(if self.last { 0x80 } else { 0 } | self.opcode.number());
        match (u8::try_from(self.payload.len()), u16::try_from(self.payload.len())) {
            (Ok(short), _) if short < 126 => bytes.push(short),
            (_, Ok(middle)) => {
                bytes.push(126);
                bytes.extend(middle.to_be_bytes());
            }
            _ => {
                bytes.push(127);
                bytes.extend((self.payload.len() as u64).to_be_bytes());
            }
        }
        bytes.extend(&self.payload);
        bytes
    }
}

fn length(short: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    match short {
        126 => rest.split_first_chunk::<2>().map(|(long, rest)| (u64::from(u16::from_be_bytes(*long)), rest)),
        127 => rest.split_first_chunk::<8>().map(|(long, rest)| (u64::from_be_bytes(*long), rest)),
        short => Some((u64::from(short), rest)),
    }
}

#[cfg(test)]
mod tests;
