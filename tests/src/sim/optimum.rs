//! The shallowest trees that the same capacities allow.

/// Depth of the deepest viewer if every level were filled before the next,
/// the strongest first. `nodes` are edges and whether it is a relay, of
/// everybody but the station. With `width` stripes each has a tree of all
/// nodes: the station and relays are inner in each, and a peer gives all its
/// edges to one, which for this bound are dealt evenly.
pub(super) fn optimal_depth(station_edges: u32, nodes: &[(u32, bool)], width: u8) -> u32 {
    let width = usize::from(width.max(1));
    let share = |edges: u32| edges as usize / width;
    let mut relays: Vec<usize> = Vec::new();
    let mut peers: Vec<usize> = Vec::new();
    for (edges, relay) in nodes {
        if *relay {
            relays.push(share(*edges));
        } else {
            peers.push(*edges as usize);
        }
    }
    peers.sort_unstable_by(|a, b| b.cmp(a));
    // Every width-th peer, and in the other trees the node is a leaf.
    let dealt = peers.iter().step_by(width).copied();
    let mut inner: Vec<usize> = relays.into_iter().chain(dealt).collect();
    inner.sort_unstable_by(|a, b| b.cmp(a));
    let (mut placed, mut next) = (0, 0);
    let mut free = share(station_edges);
    let mut depth = 0;
    while placed < nodes.len() && free > 0 {
        depth += 1;
        let level = free.min(nodes.len() - placed);
        placed += level;
        let strong = inner.iter().skip(next).take(level);
        free = strong.sum();
        next += level;
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_are_on_top() {
        // 2 at the station; 3 + 1 below them; the rest below those.
        let nodes = [
            (0, false),
            (1, false),
            (3, false),
            (0, false),
            (0, false),
            (0, false),
        ];
        assert_eq!(optimal_depth(2, &nodes, 1), 2);
        assert_eq!(optimal_depth(1, &nodes, 1), 3);
        assert_eq!(optimal_depth(0, &nodes, 1), 0, "nobody can be reached");
    }

    #[test]
    fn each_stripe_has_a_tree_of_its_own() {
        let peers = vec![(4, false); 20];
        assert_eq!(optimal_depth(8, &peers, 1), 2);
        assert_eq!(optimal_depth(8, &peers, 4), 3);
    }
}
