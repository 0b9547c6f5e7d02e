//! The program: hands its arguments to the library and ends with the code that comes back.

use std::process::ExitCode;

fn main() -> ExitCode {
    portcullis::cli::run(std::env::args_os(), &mut std::io::stdout().lock(), &mut std::io::stderr().lock()).into()
}
