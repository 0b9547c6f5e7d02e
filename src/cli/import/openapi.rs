//! `import openapi`: creates routes from an OpenAPI document.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::{CommandError, Exit};
use crate::document::Sources;
use crate::policy::import::openapi::{OpenapiOptions, import};

use super::files::{ImportDestination, parse_name, read_source, write_policy};

pub(super) const EXAMPLE: &str = "Example: portcullis import openapi api.yaml --scope tenant > policy.yaml\n\n\
    Every path and method becomes a line; its operation and resource are a guess, marked `guessed`, from the\n\
    method, the first tag and the path. The policy permits no request until you add permissions and roles.\n\n\
    Ends with 1 where a part could not be imported; the other parts are still written. Notes never fail.";

/// The most bytes of a document.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct OpenapiArgs {
    /// The document: OpenAPI 3 or Swagger 2.0, in YAML or JSON
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// The prefix of every path, instead of the document's server paths; `/` for none
    #[arg(long, value_name = "PATH", value_parser = parse_base)]
    base: Option<String>,
    /// A parameter that is a scope; may be repeated: the first holds the caller's tenants, others bound grants
    #[arg(long = "scope", value_name = "PARAMETER")]
    scopes: Vec<String>,
    /// Import only operations with this tag; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// The policy's name, instead of the document's title
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<String>,
    /// Leave `resources:` to another file of the policy, such as one that `import matrix` wrote
    #[arg(long)]
    resources_elsewhere: bool,
    #[command(flatten)]
    to: ImportDestination,
}

pub(super) fn run(args: &OpenapiArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    let mut sources = Sources::default();
    let file = read_source(&args.file, MAX_BYTES, &mut sources)?;
    let options = OpenapiOptions {
        name: args.name.clone(),
        base: args.base.clone(),
        scopes: args.scopes.clone(),
        tags: args.tags.clone(),
        resources_elsewhere: args.resources_elsewhere,
    };
    write_policy(&import(&sources, file, &options), &sources, &args.to, out, err)
}

fn parse_base(text: &str) -> Result<String, String> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err("a path begins with `/`".to_owned()) }
}
