//! Random trees of blocks, in random orders, against a model of the rule of most work.

use crate::support::*;
use chain::chain_state::{ChainError, Inserted};
use chain::header::BlockId;
use chain::work::Work;
use proptest::prelude::*;
use std::collections::HashSet;

/// A block: which of the blocks so far it is on, how late it is, and payments.
type Shape = (prop::sample::Index, u64, Vec<(u8, u8, u64)>);

fn shape() -> impl Strategy<Value = Shape> {
    let payment = (3u8..=5, 3u8..=5, 1u64..30_000);
    // Late blocks make the target easier, early ones harder: height is not work.
    let seconds = prop_oneof![Just(1u64), Just(10), Just(40)];
    (any::<prop::sample::Index>(), seconds, prop::collection::vec(payment, 0..3))
}

fn tree(shapes: &[Shape], limit: u64) -> (Tree, Vec<BlockId>) {
    let mut tree = Tree::new(|genesis| {
        genesis.rules.reorg_limit = limit;
        genesis.rules.retarget_interval = 3;
    });
    let mut ids = vec![tree.genesis()];
    for (i, (on, seconds, payments)) in shapes.iter().enumerate() {
        // The later half of the blocks, so that there are long branches.
        let from = ids.len() / 2;
        let parent = ids[from + on.index(ids.len() - from)];
        let mut at = parent;
        let mut transactions = vec![];
        for &(from, to, amount) in payments {
            // One from each sender, so that the nonce is the next; as much as there is.
            let balance = tree.blocks[&at].accounts.get(&address(from)).map_or(0, |a| a.balance.grains());
            let first = transactions.iter().all(|t: &chain::transaction::Transaction| t.body.sender != address(from));
            if first && balance > amount {
                transactions.push(tree.pay(&at, from, to, amount));
            }
        }
        let plan = Plan { transactions, producer: 10 + i as u8, seconds: *seconds, ..Plan::default() };
        at = tree.add(&at, plan);
        ids.push(at);
    }
    (tree, ids)
}

/// What a node should do, by blocks alone.
struct Model<'a> {
    tree: &'a Tree,
    known: HashSet<BlockId>,
    tip: BlockId,
    finalised: u64,
    limit: u64,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Unknown,
    TooDeep,
    Side,
    Moved,
}

impl Model<'_> {
    fn work(&self, id: &BlockId) -> Work {
        self.tree.blocks[id].record.work
    }

    fn insert(&mut self, id: &BlockId) -> Expected {
        let parent = self.tree.parent(id);
        if !self.known.contains(&parent) {
            return Expected::Unknown;
        }
        let genesis = self.tree.genesis();
        let chain: HashSet<BlockId> = self.tree.path(&self.tip).into_iter().chain([genesis]).collect();
        let branch = self.tree.path(&parent);
        let fork = branch.iter().rev().find(|id| chain.contains(*id)).map_or(0, |id| self.tree.height(id));
        if fork < self.finalised {
            return Expected::TooDeep;
        }
        self.known.insert(*id);
        if self.work(id) <= self.work(&self.tip) {
            return Expected::Side;
        }
        self.tip = *id;
        self.finalised = self.finalised.max(self.tree.height(id).saturating_sub(self.limit));
        Expected::Moved
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_chain_is_that_of_most_work_whatever_the_order(
        shapes in prop::collection::vec(shape(), 1..16),
        limit in 1u64..20,
        keys in prop::collection::vec(any::<u32>(), 16),
    ) {
        let (tree, ids) = tree(&shapes, limit);
        let mut order: Vec<(u32, BlockId)> = keys.into_iter().zip(ids[1..].iter().copied()).collect();
        order.sort_unstable();
        let mut node = tree.node();
        let known = HashSet::from([tree.genesis()]);
        let mut model = Model { tree: &tree, known, tip: tree.genesis(), finalised: 0, limit };
        let mut highest = 0;
        // Those whose parents come later are given again.
        for (_, id) in (0..ids.len()).flat_map(|_| order.iter()) {
            if model.known.contains(id) {
                prop_assert!(matches!(tree.insert(&mut node, id), Err(ChainError::Known)));
                continue;
            }
            let expected = model.insert(id);
            let found = match tree.insert(&mut node, id) {
                Ok(Inserted::Side) => Expected::Side,
                Ok(Inserted::Moved(_)) => Expected::Moved,
                Err(ChainError::UnknownParent(_)) => Expected::Unknown,
                Err(ChainError::TooDeep { finalised }) if finalised == model.finalised => Expected::TooDeep,
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(node.tip().header.id(), model.tip);
            prop_assert_eq!(node.store().view().unwrap().finalised().unwrap(), model.finalised);
            if found == Expected::Moved {
                tree.check(&node);
                highest = highest.max(node.tip().summary.height);
            }
        }
        if limit >= 16 {
            let most = ids.iter().map(|id| tree.blocks[id].record.work).max();
            prop_assert_eq!(Some(node.tip().work), most);
        }
        // Where the chain has been higher than it is, more was dropped.
        if node.tip().summary.height == highest || limit >= 16 {
            same_as_undisturbed(&tree, &node);
        }
    }
}
