//! `serve`: runs the gateway.

use std::path::PathBuf;

use clap::Args;

use crate::audit::log;
use crate::document::report;
use crate::gateway::Gateway;
use crate::settings::{Level, LogFormat, Settings};

use super::exit::{Exit, Trouble};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The settings: listeners, upstreams, issuers, policies
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    config: PathBuf,
}

/// Runs until a signal ends it.
pub(super) fn run_serve(args: &ServeArgs) -> Result<Exit, Trouble> {
    let settings = Settings::load(&args.config).map_err(|(findings, sources)| {
        Trouble::failure(format!("{}\n{}", report::human(&findings, &sources), report::summary(&findings)))
    })?;
    log::init(log_format(settings.log.format), log_level(settings.log.level)).map_err(Trouble::failure)?;
    for note in &settings.notes {
        tracing::warn!("{note}");
    }
    let gateway = Gateway::open(&settings, true).map_err(Trouble::failure)?;
    gateway.run();
    Ok(Exit::Done)
}

pub(super) fn log_format(format: LogFormat) -> log::Format {
    match format {
        LogFormat::Json => log::Format::Json,
        LogFormat::Text => log::Format::Text,
    }
}

pub(super) fn log_level(level: Level) -> log::Level {
    match level {
        Level::Error => log::Level::Error,
        Level::Warn => log::Level::Warn,
        Level::Info => log::Level::Info,
        Level::Debug => log::Level::Debug,
        Level::Trace => log::Level::Trace,
    }
}
