//! `demo`: an embedded upstream, an issuer and the gateway between them.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Trouble};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// The policy to enforce: edit it while the demo runs, and the next request is judged by it
    #[arg(long, value_name = "POLICY", default_value = "policies/noah-es.yaml", value_hint = clap::ValueHint::AnyPath)]
    policy: PathBuf,
}

/// Runs until Ctrl-C.
pub(super) fn run_demo(args: &DemoArgs) -> Result<Exit, Trouble> {
    if !args.policy.exists() {
        return Err(Trouble::failure(format!("there is no policy `{}`", args.policy.display())));
    }
    Err(Trouble::failure("this build has no demo to run"))
}
