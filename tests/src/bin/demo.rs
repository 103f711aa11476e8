//! `demo`: see `tests::demo`. Exits with 0 if everything was as it has to be.

use clap::Parser;
use std::process::ExitCode;
use tests::demo::{self, arguments::Arguments};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match demo::run(&arguments).await {
        Ok(report) => {
            if arguments.json {
                match serde_json::to_string_pretty(&report) {
                    Ok(text) => println!("{text}"),
                    Err(error) => eprintln!("demo: print the report: {error}"),
                }
            }
            ExitCode::from(u8::from(!report.ok))
        }
        Err(error) => {
            eprintln!("demo: {error} [{}]", error.reason());
            ExitCode::from(1)
        }
    }
}
