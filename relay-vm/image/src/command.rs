//! Running the programs that the tool needs.

use crate::Error;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

/// Of a failed program's last words, in characters.
const DETAIL_CHARS_MAX: usize = 600;

/// Runs a program to its end and returns its standard output. `package` is
/// the Debian package that has it.
pub(crate) fn run(
    step: &'static str,
    package: &'static str,
    command: &mut Command,
) -> Result<String, Error> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = match command.stdin(Stdio::null()).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::ToolMissing { tool, package });
        }
        Err(error) => {
            return Err(Error::ToolFailed {
                step,
                tool,
                detail: error.to_string(),
            });
        }
        Ok(output) => output,
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let words = words.trim();
    let skipped = words.chars().count().saturating_sub(DETAIL_CHARS_MAX);
    let detail = words.chars().skip(skipped).collect();
    Err(Error::ToolFailed { step, tool, detail })
}
