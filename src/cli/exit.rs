//! Exit: the program's exit codes, and the errors of its commands.

use std::io::{self, ErrorKind, Write};

/// Exit: the exit codes of the program.
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
    /// The exit code of the process.
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

/// CommandError: the failure of a command; its message is printed to the error stream.
#[derive(Debug)]
pub(super) struct CommandError {
    pub(super) exit: Exit,
    pub(super) message: String,
}

impl CommandError {
    /// The arguments are wrong.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// The arguments are valid, but something that the command needs is not.
    pub(super) fn failure(message: impl Into<String>) -> Self {
        Self { exit: Exit::Findings, message: message.into() }
    }
}

/// The result of a command after its output: `exit`, also where the reader has closed the output (`| head`).
pub(super) fn finish_output(result: io::Result<()>, exit: Exit) -> Result<Exit, CommandError> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CommandError::failure(format!("the output cannot be written: {error}")))
        }
        _ => Ok(exit),
    }
}

/// Writes a command's whole text.
pub(super) fn print(out: &mut dyn Write, text: &str, exit: Exit) -> Result<Exit, CommandError> {
    finish_output(out.write_all(text.as_bytes()).and_then(|()| out.flush()), exit)
}
