//! The command line: parses the arguments, runs the command and returns its exit code. Each command has its own file.

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

use clap::{CommandFactory, Parser, Subcommand};

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
    /// Check policies, or gateway.yaml with every policy it names, without running the gateway
    #[command(after_help = "Example: portcullis check policies/noah-es.yaml\n\n\
        Ends with 1 where a finding is an error. Notes never fail.")]
    Check(check::CheckArgs),
    /// Run the cases beside policies
    #[command(after_help = test::EXAMPLE)]
    Test(test::TestArgs),
    /// Explain why a request is permitted or refused, with every step of the decision
    #[command(after_help = explain::EXAMPLE)]
    Explain(explain::ExplainArgs),
    /// List every role, group and user that may make a request
    #[command(after_help = who_can::EXAMPLE)]
    WhoCan(who_can::WhoCanArgs),
    /// Print a policy's permissions × resources as the vendor does, or one caller's permissions
    #[command(after_help = matrix::EXAMPLE)]
    Matrix(matrix::MatrixArgs),
    /// Replay recorded requests against a policy, one JSON line each
    #[command(after_help = decide::EXAMPLE)]
    Decide(decide::DecideArgs),
    /// Create a policy from an OpenAPI document and the vendor's tables
    #[command(after_help = import::EXAMPLE)]
    Import(import::ImportArgs),
    /// Create, revoke and list API keys
    #[command(after_help = key::EXAMPLE)]
    Key(key::KeyArgs),
    /// Verify audit files
    #[command(after_help = audit::EXAMPLE)]
    Audit(audit::AuditArgs),
    /// Compare the decisions of two policy versions: who gains and who loses which access
    #[command(after_help = diff::EXAMPLE)]
    Diff(diff::DiffArgs),
    /// Run an embedded upstream, an issuer and the gateway with the Noah ES policy; stores nothing
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

/// Runs the command of `args`, which begin with the program's name, and returns the exit code.
pub fn run(args: impl Iterator<Item = OsString>, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let result = match Cli::try_parse_from(args) {
        Ok(cli) => dispatch(cli.command, out, err),
        Err(error) if error.use_stderr() => {
            // A failure of the error stream is ignored: the exit code reports the result.
            let _ = write!(err, "{error}");
            return Exit::Usage;
        }
        Err(help) => exit::print(out, &help.to_string(), Exit::Done),
    };
    result.unwrap_or_else(|error: CommandError| {
        let end = if error.message.ends_with('\n') { "" } else { "\n" };
        let _ = write!(err, "{}{end}", error.message);
        error.exit
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
        Command::Completions(args) => completions::run(&args, Cli::command(), out),
        Command::Serve(args) => serve::run_serve(&args),
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run_demo(&args, out),
    }
}

#[cfg(test)]
mod tests;
