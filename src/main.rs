//! The program: passes its arguments to the library and exits with the returned code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The streams are not locked: while `serve` runs, other threads write records and logs to them.
    portcullis::cli::run(std::env::args_os(), &mut std::io::stdout(), &mut std::io::stderr()).into()
}
