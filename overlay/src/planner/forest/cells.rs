//! What a node has in each stripe: its place in the tree and in the lists. One
//! event touches all of it, and in memory nothing is near that is not beside.

use super::{Ix, NONE, UNROOTED};

/// One node in one stripe.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vertex {
    pub(super) parent: Ix,
    pub(super) first_child: Ix,
    pub(super) next: Ix,
    pub(super) prev: Ix,
    /// Edges to the station, or [`UNROOTED`].
    pub(super) depth: u16,
    /// Its parent changed since [`super::Forest::take_moved`].
    pub(super) moved: bool,
}

pub(super) const BARE: Vertex = Vertex {
    parent: NONE,
    first_child: NONE,
    next: NONE,
    prev: NONE,
    depth: UNROOTED,
    moved: false,
};

/// In no bucket.
pub(super) const NOWHERE: u32 = u32::MAX;

/// A node's place in a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) prev: Ix,
    pub(super) next: Ix,
    /// depth x [`super::lists::RANKS`] + rank, or [`NOWHERE`].
    pub(super) bucket: u32,
}

pub(super) const LOOSE: Link = Link {
    prev: NONE,
    next: NONE,
    bucket: NOWHERE,
};

/// The list of free edges.
pub(super) const FREE: usize = 0;
/// The list of places worth taking.
pub(super) const PLACES: usize = 1;

#[derive(Debug, Clone, Copy)]
struct Cell {
    vertex: Vertex,
    /// By list: [`FREE`], [`PLACES`].
    links: [Link; 2],
}

const EMPTY: Cell = Cell {
    vertex: BARE,
    links: [LOOSE; 2],
};

/// All of them, by node, then stripe.
#[derive(Debug, Clone)]
pub(super) struct Cells {
    stripes: usize,
    all: Vec<Cell>,
}

impl Cells {
    pub(super) fn new(stripes: usize) -> Self {
        Self {
            stripes,
            all: Vec::new(),
        }
    }

    /// Makes room for one node more.
    pub(super) fn grow(&mut self) {
        let len = self.all.len().saturating_add(self.stripes);
        self.all.resize(len, EMPTY);
    }

    pub(super) fn vertex(&self, node: Ix, s: u8) -> Vertex {
        self.cell(node, s).map_or(BARE, |cell| cell.vertex)
    }

    pub(super) fn edit(&mut self, node: Ix, s: u8, change: impl FnOnce(&mut Vertex)) {
        if let Some(cell) = self.cell_mut(node, s) {
            change(&mut cell.vertex);
        }
    }

    pub(super) fn link<const LIST: usize>(&self, node: Ix, s: u8) -> Link {
        let link = self.cell(node, s).and_then(|cell| cell.links.get(LIST));
        link.copied().unwrap_or(LOOSE)
    }

    pub(super) fn edit_link<const LIST: usize>(
        &mut self,
        node: Ix,
        s: u8,
        change: impl FnOnce(&mut Link),
    ) {
        let cell = self.cell_mut(node, s);
        if let Some(link) = cell.and_then(|cell| cell.links.get_mut(LIST)) {
            change(link);
        }
    }

    fn cell(&self, node: Ix, s: u8) -> Option<&Cell> {
        self.all.get(self.at(node, s)?)
    }

    fn cell_mut(&mut self, node: Ix, s: u8) -> Option<&mut Cell> {
        let at = self.at(node, s)?;
        self.all.get_mut(at)
    }

    fn at(&self, node: Ix, s: u8) -> Option<usize> {
        (node as usize)
            .checked_mul(self.stripes)?
            .checked_add(usize::from(s))
    }
}
