//! What is kept of a long chain.

use crate::support::*;
use chain::chain_state::SNAPSHOT_INTERVAL;

#[test]
fn rows_stay_bounded_and_all_that_a_reorganisation_needs_is_there() {
    let mut tree = Tree::new(|_| ());
    let mut node = tree.node();
    let mut at = tree.genesis();
    let mut most = 0;
    let length = LIMIT + SNAPSHOT_INTERVAL * 2 + 30;
    for height in 1..=length {
        let transactions = vec![tree.pay(&at, 3, 4, 1), tree.pay(&at, 4, 3, 1)];
        at = tree.add(&at, Plan { transactions, ..Plan::default() });
        tree.feed(&mut node, &[at]);

        let dump = node.store().dump().unwrap();
        let finalised = height.saturating_sub(LIMIT);
        let view = node.store().view().unwrap();
        assert_eq!(view.finalised().unwrap(), finalised);
        let heights = |table: &str| -> Vec<u64> {
            let mut heights: Vec<u64> =
                dump[table].keys().map(|key| u64::from_le_bytes(key.as_slice().try_into().unwrap())).collect();
            heights.sort_unstable();
            heights
        };
        assert_eq!(heights("stale"), (finalised + 1..=height).collect::<Vec<_>>());
        // The genesis, the last snapshot that the deepest reorganisation goes on from, those above, and the tip's.
        let oldest = finalised / SNAPSHOT_INTERVAL * SNAPSHOT_INTERVAL;
        let mut kept: Vec<u64> = (oldest..height).filter(|h| h.is_multiple_of(SNAPSHOT_INTERVAL)).collect();
        kept.extend([0, height]);
        kept.sort_unstable();
        kept.dedup();
        assert_eq!(heights("states"), kept);
        // Every account, at every height that can be gone back to.
        for height in finalised..=height {
            let record = view.record(&view.at_height(height).unwrap().unwrap()).unwrap().unwrap();
            let expected = &tree.blocks[&record.header.id()].accounts;
            for i in [1, 3, 4, 9, 30] {
                let proof = view.prove_account(&address(i), height).unwrap();
                let found = proof.verify(&record.summary.ledger, &address(i)).unwrap();
                assert_eq!(found, expected.get(&address(i)).copied());
            }
        }
        most = most.max(dump["ledger"].len());
    }
    // Five accounts; each of the heights that can be gone back to has rows of its own for three at most that change.
    let bound = 12 * (LIMIT as usize + 2);
    assert!(most <= bound, "{most} rows of the ledger, more than {bound}");
    same_as_undisturbed(&tree, &node);
}
