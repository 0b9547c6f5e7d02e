//! `demo`: runs an embedded upstream, an issuer and the gateway.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::audit::log;
use crate::demo::{self, Demo};
use crate::settings::{LogFormat, LogLevel};

use super::exit::{CommandError, Exit};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// The initial policy, of which the demo edits a copy. Default: the built-in Noah ES policy
    #[arg(long, value_name = "POLICY", value_hint = clap::ValueHint::FilePath)]
    policy: Option<PathBuf>,
}

/// Runs until Ctrl-C.
pub(super) fn run_demo(args: &DemoArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    let policy = match &args.policy {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| CommandError::failure(format!("`{}` cannot be read: {error}", path.display())))?,
        None => demo::POLICY.to_owned(),
    };
    let _flush = log::init(LogFormat::Text, LogLevel::Warn).map_err(CommandError::failure)?;
    let demo = Demo::start(&policy).map_err(CommandError::failure)?;
    super::exit::print(out, &demo.tour(), Exit::Done)?;
    let _ = out.flush();
    demo.run();
    Ok(Exit::Done)
}
