//! `import openapi`: routes from an OpenAPI document.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::{CommandError, Exit};
use crate::document::Sources;
use crate::policy::import::openapi::{OpenapiOptions, import};

use super::{ImportDestination, finish, read};

pub(super) const EXAMPLE: &str = "Example: portcullis import openapi api.yaml --scope tenant > policy.yaml\n\n\
    Every path and method becomes a line; what it does to which resource is a guess, marked `guessed`, from the\n\
    method, the first tag and the path. The policy permits nobody anything until you add rows and roles.\n\n\
    Ends with 1 where something could not be taken over; what could is written all the same. Notes never fail.";

/// The most bytes of a document.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct OpenapiArgs {
    /// The document: OpenAPI 3 or Swagger 2.0, in YAML or JSON
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// Put this before every path, instead of what the document says of its servers; `/` for nothing
    #[arg(long, value_name = "PATH", value_parser = base)]
    base: Option<String>,
    /// A parameter that is a scope, again for more: the first holds the caller's tenants, others bound grants
    #[arg(long = "scope", value_name = "PARAMETER")]
    scopes: Vec<String>,
    /// Take only operations with this tag, again for more
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// The policy's name, instead of the document's title
    #[arg(long, value_name = "NAME", value_parser = super::name)]
    name: Option<String>,
    /// Leave `resources:` to another file of the policy, such as one that `import matrix` wrote
    #[arg(long)]
    resources_elsewhere: bool,
    #[command(flatten)]
    to: ImportDestination,
}

pub(super) fn run(args: &OpenapiArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    let mut sources = Sources::default();
    let file = read(&args.file, MOST_BYTES, &mut sources)?;
    let wanted = OpenapiOptions {
        name: args.name.clone(),
        base: args.base.clone(),
        scopes: args.scopes.clone(),
        tags: args.tags.clone(),
        resources_elsewhere: args.resources_elsewhere,
    };
    finish(&import(&sources, file, &wanted), &sources, &args.to, out, err)
}

fn base(written: &str) -> Result<String, String> {
    if written.starts_with('/') { Ok(written.to_owned()) } else { Err("a path begins with `/`".to_owned()) }
}
