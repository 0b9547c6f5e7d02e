//! The program: hands its arguments to the library and ends with the code that comes back.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Not locked: while `serve` runs, other threads write records and logs to the same streams.
    portcullis::cli::run(std::env::args_os(), &mut std::io::stdout(), &mut std::io::stderr()).into()
}
