//! Lines of a relay, bounded.

use crate::error::LaunchFailure;
use serde::Deserialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// A line, in bytes: the certificate with its evidence in hexadecimal.
const LINE_BYTES_MAX: usize = 2 * wire::limits::CERTIFICATE_BYTES_MAX + 1024;

/// Whether a line is a program event: other output is not passed on.
pub(in crate::provider) fn is_event(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    serde_json::from_str::<Head>(line).is_ok_and(|head| head.schema == "roundcast.event/1")
}

/// The next line without its end; `None` when the other end has closed.
pub(in crate::provider) async fn read_line<R: AsyncBufRead + Unpin>(
    from: &mut R,
) -> Result<Option<String>, LaunchFailure> {
    let mut line = Vec::new();
    loop {
        let available = from.fill_buf().await.map_err(|_| LaunchFailure::Ended)?;
        if available.is_empty() {
            return Ok(None);
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let (part, used) = match end {
            Some(at) => (available.get(..at), at + 1),
            None => (Some(available), available.len()),
        };
        line.extend_from_slice(part.unwrap_or_default());
        from.consume(used);
        if line.len() > LINE_BYTES_MAX {
            return Err(LaunchFailure::Protocol);
        }
        if end.is_some() {
            return String::from_utf8(line)
                .map(Some)
                .map_err(|_| LaunchFailure::Protocol);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn lines_are_bounded_and_told_from_the_end() {
        let mut input = &b"one\ntwo\nrest"[..];
        assert_eq!(read_line(&mut input).await.unwrap().unwrap(), "one");
        assert_eq!(read_line(&mut input).await.unwrap().unwrap(), "two");
        assert_eq!(read_line(&mut input).await.unwrap(), None);
        let long = vec![b'a'; LINE_BYTES_MAX + 2];
        assert_eq!(
            read_line(&mut long.as_slice()).await.unwrap_err(),
            LaunchFailure::Protocol
        );
    }

    #[test]
    fn only_program_events_are_passed_on() {
        assert!(is_event(r#"{"schema":"roundcast.event/1","kind":"x"}"#));
        assert!(!is_event(r#"{"schema":"other/1"}"#));
        assert!(!is_event("words"));
    }
}
