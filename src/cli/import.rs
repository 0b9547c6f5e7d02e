//! `import`: creates policies, or parts of them, from documents that vendors publish.

mod files;
mod matrix;
mod openapi;

use std::io::Write;

use clap::{Args, Subcommand};

use super::exit::{CommandError, Exit};

pub(super) const EXAMPLE: &str = "Example: portcullis import openapi api.yaml > policy.yaml\n\n\
    A folder of both is one policy:\n  \
    portcullis import openapi api.yaml --out clinic/routes.yaml --resources-elsewhere\n  \
    portcullis import matrix table.csv --out clinic/table.yaml\n  \
    portcullis check clinic";

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    from: ImportFormat,
}

#[derive(Debug, Subcommand)]
enum ImportFormat {
    /// Write the routes of an OpenAPI 3 or Swagger 2.0 document, with a guess of each request's operation
    #[command(after_help = openapi::EXAMPLE)]
    Openapi(openapi::OpenapiArgs),
    /// Write the columns, rows and roles of a vendor's tables, saved as CSV
    #[command(after_help = matrix::EXAMPLE)]
    Matrix(matrix::MatrixArgs),
}

pub(super) fn run(args: &ImportArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    match &args.from {
        ImportFormat::Openapi(args) => openapi::run(args, out, err),
        ImportFormat::Matrix(args) => matrix::run(args, out, err),
    }
}

#[cfg(test)]
mod tests;
