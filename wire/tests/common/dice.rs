//! Where sample values come from: bytes of a property test, or a count.

/// Draws leaf values.
pub enum Dice<'a> {
    /// From bytes, zeros when they run out; shrinks as the bytes shrink.
    Random(&'a [u8]),
    /// The n-th leaf of a value is made of the number n, from 1. Arrays are
    /// filled with the byte n, numbers are 0x0101 x n, flags say whether n is
    /// odd, texts are `text-n`, lists and blobs have two elements, options are
    /// present.
    Counting(u8),
}

impl Dice<'_> {
    fn next(&mut self) -> u8 {
        match self {
            Dice::Random(bytes) => match bytes.split_first() {
                Some((first, rest)) => {
                    *bytes = rest;
                    *first
                }
                None => 0,
            },
            Dice::Counting(n) => {
                *n += 1;
                *n
            }
        }
    }

    /// A number up to `max`, of any size of encoding.
    pub fn number(&mut self, max: u64) -> u64 {
        match self {
            Dice::Counting(_) => (u64::from(self.next()) * 0x0101).min(max),
            Dice::Random(_) => {
                let bytes: [u8; 8] = self.array();
                let shift = self.next() % 64;
                (u64::from_be_bytes(bytes) >> shift).min(max)
            }
        }
    }

    /// `N` bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        match self {
            Dice::Counting(_) => [self.next(); N],
            Dice::Random(_) => std::array::from_fn(|_| self.next()),
        }
    }

    /// Yes or no.
    pub fn flag(&mut self) -> bool {
        self.next() % 2 == 1
    }

    /// Whether an option is present.
    pub fn present(&mut self) -> bool {
        matches!(self, Dice::Counting(_)) || self.flag()
    }

    /// One of `count`.
    pub fn choice(&mut self, count: usize) -> usize {
        usize::from(self.next()) % count
    }

    /// How many elements a list of at most `max` has: few, so that the bytes
    /// suffice for what follows.
    pub fn length(&mut self, max: usize) -> usize {
        match self {
            Dice::Counting(_) => 2.min(max),
            Dice::Random(_) => usize::from(self.next() % 5).min(max),
        }
    }

    /// Text of at most `max` bytes without control characters.
    pub fn text(&mut self, max: usize) -> String {
        if let Dice::Counting(_) = self {
            return format!("text-{}", self.next());
        }
        let letters = [
            'a', 'Z', '0', ' ', ':', '&', 'é', '水', '🙂', '"', '<', '\u{200e}',
        ];
        let wanted = self.choice(16);
        let mut text = String::new();
        for _ in 0..wanted {
            let letter = letters[self.choice(letters.len())];
            if text.len() + letter.len_utf8() <= max {
                text.push(letter);
            }
        }
        text
    }
}
