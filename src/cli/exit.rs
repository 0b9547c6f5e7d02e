//! Exit: how the program ends, and what it says when it ends badly.

use std::io::{self, ErrorKind, Write};

/// Exit: the codes that the program ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or permitted: 0.
    Done,
    /// Findings that are errors, or a failure: 1.
    Findings,
    /// Wrong usage: 2.
    Usage,
    /// The request in question is refused: 3.
    Refused,
}

impl Exit {
    /// The code that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Refused => 3,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// CommandError: why a command came to no result; its message goes to the error stream.
#[derive(Debug)]
pub(super) struct CommandError {
    pub(super) exit: Exit,
    pub(super) message: String,
}

impl CommandError {
    /// The command cannot mean what was written.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// The command is fine, but something that it needs is not.
    pub(super) fn failure(message: impl Into<String>) -> Self {
        Self { exit: Exit::Findings, message: message.into() }
    }
}

/// The result of a command that has written: `exit`, also when the reader of the output went away (`| head`).
pub(super) fn written(result: io::Result<()>, exit: Exit) -> Result<Exit, CommandError> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CommandError::failure(format!("the output cannot be written: {error}")))
        }
        _ => Ok(exit),
    }
}

/// Writes a command's whole text.
pub(super) fn print(out: &mut dyn Write, text: &str, exit: Exit) -> Result<Exit, CommandError> {
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()), exit)
}
