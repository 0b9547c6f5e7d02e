//! The command line: what each command takes, and the code that it ends with; the commands are in files of their names.

mod audit;
mod caller;
mod check;
mod completions;
mod decide;
mod diff;
#[cfg(feature = "demo")]
mod demo;
mod exit;
mod explain;
mod import;
mod key;
mod matrix;
mod page;
mod policy_file;
mod schema;
mod serve;
mod test;
mod who_can;

use std::ffi::OsString;
use std::io::Write;

use clap::{Parser, Subcommand};

use exit::CommandError;
pub use exit::Exit;

/// A reverse-proxy authorization gateway whose policy is the vendor's permission matrix.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, arg_required_else_help = true, after_help = CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const CODES: &str = "Exit codes: 0 done or permitted, 1 findings or failure, 2 wrong usage, 3 refused.\n\n\
    Start here: portcullis check policies/noah-es.yaml";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    #[command(after_help = "Example: portcullis serve --config config/gateway.yaml")]
    Serve(serve::ServeArgs),
    /// Judge policies, or gateway.yaml with every policy it names, without running anything
    #[command(after_help = "Example: portcullis check policies/noah-es.yaml\n\n\
        Ends with 1 where a finding is an error. Notes never fail.")]
    Check(check::CheckArgs),
    /// Try the cases that stand beside policies
    #[command(after_help = test::EXAMPLE)]
    Test(test::TestArgs),
    /// Tell why a request is permitted or refused: the whole way of the decision
    #[command(after_help = explain::EXAMPLE)]
    Explain(explain::ExplainArgs),
    /// Name every role, group and user that may do what a request would
    #[command(after_help = who_can::EXAMPLE)]
    WhoCan(who_can::WhoCanArgs),
    /// Print a policy's permissions × resources as the vendor prints them, or what one caller may
    #[command(after_help = matrix::EXAMPLE)]
    Matrix(matrix::MatrixArgs),
    /// Replay recorded requests against a policy, one JSON line each
    #[command(after_help = decide::EXAMPLE)]
    Decide(decide::DecideArgs),
    /// Begin a policy from an OpenAPI document and the vendor's tables
    #[command(after_help = import::EXAMPLE)]
    Import(import::ImportArgs),
    /// Make, revoke and list API keys
    #[command(after_help = key::EXAMPLE)]
    Key(key::KeyArgs),
    /// Verify audit files
    #[command(after_help = audit::EXAMPLE)]
    Audit(audit::AuditArgs),
    /// Tell what two versions of a policy decide differently: who gained and who lost what
    #[command(after_help = diff::EXAMPLE)]
    Diff(diff::DiffArgs),
    /// Run an embedded upstream, an issuer and the gateway with the Noah ES policy; keeps nothing
    #[cfg(feature = "demo")]
    #[command(after_help = "Example: portcullis demo")]
    Demo(demo::DemoArgs),
    /// Print the JSON Schema of a file that people write, for editors
    #[command(after_help = schema::EXAMPLE)]
    Schema(schema::SchemaArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example: portcullis completions bash > /etc/bash_completion.d/portcullis")]
    Completions(completions::CompletionsArgs),
}

/// Runs the command that `args` spell (the program's name first) and says how to end.
pub fn run(args: impl Iterator<Item = OsString>, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let ended = match Cli::try_parse_from(args) {
        Ok(cli) => dispatch(cli.command, out, err),
        Err(error) if error.use_stderr() => {
            // Where nobody reads the error stream the code still tells.
            let _ = write!(err, "{error}");
            return Exit::Usage;
        }
        Err(help) => exit::print(out, &help.to_string(), Exit::Done),
    };
    ended.unwrap_or_else(|trouble: CommandError| {
        let end = if trouble.message.ends_with('\n') { "" } else { "\n" };
        let _ = write!(err, "{}{end}", trouble.message);
        trouble.exit
    })
}

fn dispatch(command: Command, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    match command {
        Command::Check(args) => check::run(&args, out, err),
        Command::Test(args) => test::run(&args, out),
        Command::Explain(args) => explain::run(&args, out),
        Command::Diff(args) => diff::run(&args, out),
        Command::WhoCan(args) => who_can::run(&args, out, err),
        Command::Matrix(args) => matrix::run(&args, out, err),
        Command::Decide(args) => decide::run(&args, out, err),
        Command::Import(args) => import::run(&args, out, err),
        Command::Key(args) => key::run(&args, out, err),
        Command::Audit(args) => audit::run(&args, out, err),
        Command::Schema(args) => schema::run(&args, out),
        Command::Completions(args) => completions::run(&args, out),
        Command::Serve(args) => serve::run_serve(&args),
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run_demo(&args, out),
    }
}

#[cfg(test)]
mod tests;
