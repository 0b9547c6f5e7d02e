//! Frame: a WebSocket frame (RFC 6455, section 5.2).

/// The longest payload, in bytes.
pub(super) const MAX_PAYLOAD: usize = 64 * 1024;

/// Opcode: the kind of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    /// A continuation of the previous message.
    Continuation,
    /// A text message, or its first fragment.
    Text,
    /// A binary message, or its first fragment.
    Binary,
    /// The end of the connection.
    Close,
    /// A check whether the peer is alive.
    Ping,
    /// The reply to a ping.
    Pong,
}

impl Opcode {
    /// Whether it is a control frame, which may occur between the fragments of a message.
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    fn from_number(number: u8) -> Option<Self> {
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

/// FrameError: the reason why a frame is refused; its number is the close code of RFC 6455, section 7.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameError {
    /// It violates the protocol.
    Protocol = 1002,
    /// It is longer than [`MAX_PAYLOAD`].
    TooLarge = 1009,
}

/// Frame: one frame, unmasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Whether it is the last fragment of its message.
    pub(super) last: bool,
    /// The kind of the frame.
    pub(super) opcode: Opcode,
    /// The payload.
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// Decodes the first frame in `bytes` from a client, with its length in bytes; `None` while it is incomplete.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
        // Section 5.1: a client masks every frame. The reserved bits are zero, because no extension is negotiated.
        if first & 0x70 != 0 || second & 0x80 == 0 {
            return Err(FrameError::Protocol);
        }
        let last = first & 0x80 != 0;
        let opcode = Opcode::from_number(first & 0x0f).ok_or(FrameError::Protocol)?;
        let Some((length, rest)) = read_length(second & 0x7f, rest) else { return Ok(None) };
        // Section 5.5: control frames are short and not fragmented.
        if opcode.is_control() && (!last || length > 125) {
            return Err(FrameError::Protocol);
        }
        let length =
            usize::try_from(length).ok().filter(|length| *length <= MAX_PAYLOAD).ok_or(FrameError::TooLarge)?;
        let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let Some(masked) = rest.get(..length) else { return Ok(None) };
        let payload = masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        Ok(Some((Self { last, opcode, payload }, bytes.len() - rest.len() + length)))
    }

    /// Encodes the frame as a server sends it, without a mask.
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

fn read_length(short: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    match short {
        126 => rest.split_first_chunk::<2>().map(|(long, rest)| (u64::from(u16::from_be_bytes(*long)), rest)),
        127 => rest.split_first_chunk::<8>().map(|(long, rest)| (u64::from_be_bytes(*long), rest)),
        short => Some((u64::from(short), rest)),
    }
}

#[cfg(test)]
mod tests;
