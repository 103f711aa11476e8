//! What a person, or a program, types while the stream runs. An answer can
//! spend money: what is not understood is refused, never guessed.

use crate::Error;
use crate::sponsor::Choice;

/// The words that are understood.
const WORDS: &str = "accept [ID] [named], decline [ID], never [ID], stop, quit; ID is the number \
                     of the ask, `named` shows your name on the round";

/// One line, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    /// An answer to an ask; to the newest one, if none is named.
    Answer {
        ask: Option<u64>,
        choice: Choice,
        show_name: bool,
    },
    /// End the relays that this viewer holds.
    Stop,
    /// Leave.
    Quit,
    /// An empty line.
    Nothing,
}

/// Reads a line.
///
/// # Errors
/// [`Error::Usage`] with the words that are understood.
pub(super) fn parse(line: &str) -> Result<Typed, Error> {
    let mut words = line.split_whitespace();
    let choice = match words.next() {
        None => return Ok(Typed::Nothing),
        Some("stop") => return alone(words, Typed::Stop),
        Some("quit") => return alone(words, Typed::Quit),
        Some("accept") => Choice::Accept,
        Some("decline") => Choice::Decline,
        Some("never") => Choice::Never,
        Some(_) => return Err(Error::Usage(WORDS)),
    };
    let mut rest: Vec<&str> = words.collect();
    let show_name = choice == Choice::Accept && rest.last() == Some(&"named");
    if show_name {
        rest.pop();
    }
    let ask = match rest.as_slice() {
        [] => None,
        [id] => Some(ask_id(id)?),
        _ => return Err(Error::Usage(WORDS)),
    };
    Ok(Typed::Answer {
        ask,
        choice,
        show_name,
    })
}

/// The number of an ask, as it is shown.
///
/// # Errors
/// [`Error::Usage`] for anything but decimal digits.
pub(super) fn ask_id(text: &str) -> Result<u64, Error> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(id) if digits => Ok(id),
        _ => Err(Error::Usage(WORDS)),
    }
}

fn alone<'a>(mut rest: impl Iterator<Item = &'a str>, typed: Typed) -> Result<Typed, Error> {
    match rest.next() {
        None => Ok(typed),
        Some(_) => Err(Error::Usage(WORDS)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn accept(ask: Option<u64>, show_name: bool) -> Typed {
        Typed::Answer {
            ask,
            choice: Choice::Accept,
            show_name,
        }
    }

    #[test]
    fn a_name_is_shown_only_to_who_says_so() {
        assert_eq!(parse("accept").unwrap(), accept(None, false));
        assert_eq!(parse("accept 7").unwrap(), accept(Some(7), false));
        assert_eq!(parse("accept named").unwrap(), accept(None, true));
        assert_eq!(parse(" accept  7 named ").unwrap(), accept(Some(7), true));
    }

    #[test]
    fn what_does_not_parse_answers_no_ask_at_all() {
        for line in [
            "accept 1x",
            "accept -1",
            "accept +1",
            "accept 7 8",
            "accept 7 name",
            "accept 18446744073709551616",
            "decline named",
            "never 1x",
            "yes",
            "stop 1",
            "quit now",
        ] {
            let refused = parse(line).unwrap_err();
            assert_eq!(refused.reason(), "usage", "{line}");
            assert!(refused.to_string().contains("accept [ID]"), "{line}");
        }
        assert_eq!(parse("").unwrap(), Typed::Nothing);
        assert_eq!(parse("stop").unwrap(), Typed::Stop);
        assert_eq!(parse("quit").unwrap(), Typed::Quit);
    }
}
