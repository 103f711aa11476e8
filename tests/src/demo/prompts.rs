//! What the people of the evening answer when they are asked for a round.

/// How far the evening has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A, B and C come; there is room for all.
    Gathering,
    /// D has come, and there is no room.
    Overload,
    /// B's relay is there, and nobody else believes it.
    Doubt,
    /// The evening is over.
    Farewell,
}

/// An answer, as a viewer's standard input takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// I buy.
    Accept,
    /// I do not.
    Decline,
}

impl Answer {
    /// The line that gives this answer to `ask`.
    #[must_use]
    pub fn line(self, ask: u64) -> String {
        match self {
            // The evening shows who bought a round.
            Self::Accept => format!("accept {ask} named"),
            Self::Decline => format!("decline {ask}"),
        }
    }
}

/// What `who` answers; none is to let the deadline pass. B buys when friends
/// find no place, D when the relay has died, and nobody at another time.
#[must_use]
pub fn answer(who: &str, act: Act, cause: &str) -> Option<Answer> {
    match (who, act, cause) {
        ("C", ..) => None,
        ("B", Act::Overload, "join") | ("D", Act::Overload, "leave") => Some(Answer::Accept),
        _ => Some(Answer::Decline),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_and_d_buy_one_round_each_and_c_never_answers() {
        let (accept, decline) = (Some(Answer::Accept), Some(Answer::Decline));
        for (who, act, cause, expected) in [
            ("D", Act::Overload, "join", decline),
            ("A", Act::Overload, "join", decline),
            ("C", Act::Overload, "join", None),
            ("B", Act::Overload, "join", accept),
            ("D", Act::Overload, "leave", accept),
            ("E", Act::Overload, "leave", decline),
            ("B", Act::Overload, "leave", decline),
            ("B", Act::Gathering, "join", decline),
            ("D", Act::Farewell, "leave", decline),
            ("B", Act::Doubt, "join", decline),
            ("C", Act::Doubt, "leave", None),
        ] {
            assert_eq!(answer(who, act, cause), expected, "{who} {act:?} {cause}");
        }
        assert_eq!(Answer::Accept.line(7), "accept 7 named");
    }
}
