//! What the parent's end of a link of neighbours says: only what has changed.

use wire::Sequence;
use wire::codec::List;
use wire::message::mesh::Map;

/// What was said last on one link.
#[derive(Debug, Clone, Default)]
pub struct News {
    said: Option<Map>,
}

impl News {
    /// Of what is `held` now, the part from the first chunk on that has
    /// changed since the last call; none if nothing has.
    pub fn since(&mut self, held: Map) -> Option<Map> {
        let known = |at: Sequence| {
            let said = self.said.as_ref()?;
            let place = at.0.checked_sub(said.first.0)?;
            said.chunks.get(usize::try_from(place).ok()?)
        };
        let named = (held.first.0..).map(Sequence).zip(held.chunks.iter());
        let mut changed = named.filter(|(at, blocks)| known(*at) != Some(*blocks));
        let (first, _) = changed.next()?;
        let skip = usize::try_from(first.0.saturating_sub(held.first.0)).ok()?;
        let news = Map {
            rendition: held.rendition,
            start: held.start,
            first,
            chunks: List::new(held.chunks.iter().skip(skip).cloned().collect()).ok()?,
        };
        self.said = Some(held);
        Some(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{BlockMap, Rendition};

    fn held(first: u64, chunks: &[u16]) -> Map {
        let chunks = chunks.iter().map(|count| (0..*count).collect());
        Map {
            rendition: Rendition(0),
            start: None,
            first: Sequence(first),
            chunks: List::new(chunks.collect::<Vec<BlockMap>>()).unwrap_or_default(),
        }
    }

    #[test]
    fn only_what_has_changed_is_said_again() {
        let mut news = News::default();
        assert_eq!(news.since(held(3, &[2, 5])), Some(held(3, &[2, 5])));
        assert_eq!(news.since(held(3, &[2, 5])), None, "nothing is new");
        assert_eq!(news.since(held(3, &[2, 6])), Some(held(4, &[6])));
        // The window has moved, and a chunk came.
        assert_eq!(news.since(held(4, &[6, 1])), Some(held(5, &[1])));
    }
}
