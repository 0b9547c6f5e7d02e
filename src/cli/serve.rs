//! `serve`: runs the gateway.

use std::path::PathBuf;

use clap::Args;

use crate::audit::log;
use crate::document::report;
use crate::gateway::Gateway;
use crate::proxy::lifecycle;
use crate::settings::Settings;

use super::exit::{CommandError, Exit};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The settings: listeners, upstreams, issuers, policies
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    config: PathBuf,
    /// Take over the running process's listeners: load everything, wait until it receives SIGQUIT, serve, let it drain
    #[arg(long)]
    upgrade: bool,
}

/// Runs until a signal ends it.
pub(super) fn run_serve(args: &ServeArgs) -> Result<Exit, CommandError> {
    let settings = Settings::load(&args.config).map_err(|(findings, sources)| {
        CommandError::failure(format!("{}\n{}", report::human(&findings, &sources), report::summary(&findings)))
    })?;
    lifecycle::survive_file_limits()
        .map_err(|error| CommandError::failure(format!("signals cannot be handled: {error}")))?;
    let _flush = log::init(settings.log.format, settings.log.level).map_err(CommandError::failure)?;
    for note in &settings.notes {
        tracing::warn!("{note}");
    }
    let opened = if args.upgrade { Gateway::take_over(&settings) } else { Gateway::open(&settings) };
    let gateway = opened.map_err(CommandError::failure)?;
    gateway.run();
    Ok(Exit::Done)
}
