//! `completions`: prints scripts with which a shell completes commands, options and paths.

use std::io::Write;

use clap::{Args, Command};

use super::exit::{CommandError, Exit, print};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

/// Prints the script for the commands of `cli`.
pub(super) fn run(args: &CompletionsArgs, mut cli: Command, out: &mut dyn Write) -> Result<Exit, CommandError> {
    // The script is generated in memory, because the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli, "portcullis", &mut script);
    print(out, &String::from_utf8_lossy(&script), Exit::Done)
}
