//! `completions`: scripts that let a shell complete commands, options and paths.

use std::io::Write;

use clap::{Args, CommandFactory};

use super::Cli;
use super::exit::{CommandError, Exit, print};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &CompletionsArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "portcullis", &mut script);
    print(out, &String::from_utf8_lossy(&script), Exit::Done)
}
