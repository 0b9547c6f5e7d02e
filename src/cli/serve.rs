//! `serve`: runs the gateway.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Trouble};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The settings: listeners, upstreams, issuers, policies
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    config: PathBuf,
}

/// Runs until a signal ends it.
pub(super) fn run_serve(args: &ServeArgs) -> Result<Exit, Trouble> {
    if !args.config.is_file() {
        return Err(Trouble::failure(format!("there is no file `{}`", args.config.display())));
    }
    Err(Trouble::failure("this build has no gateway to run"))
}
