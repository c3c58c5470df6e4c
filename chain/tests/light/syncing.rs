//! Catching up with sources, honest and not.

use crate::common::*;
use chain::address::Address;
use chain::amount::Amount;
use chain::block::Block;
use chain::header::BlockId;
use chain::ledger::{self, MemoryNodes};
use chain::light::source::{Progress, balance};
use chain::light::{LightError, Nowhere, Source, Switch, SyncError, sync};
use chain::rpc::Proved;
use std::ops::ControlFlow;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the line is cut")]
struct Cut;

/// A chain in memory.
struct Node {
    blocks: Vec<Block>,
    genesis: BlockId,
    /// Answers that are given.
    answers: usize,
    /// Ignores what it is asked for, and begins here.
    stuck: Option<usize>,
    limit: Option<usize>,
    proved: Option<Proved>,
}

impl Node {
    fn of(branch: &Branch<'_>) -> Self {
        let genesis = branch.spec.id().genesis();
        Node { blocks: branch.blocks.clone(), genesis, answers: usize::MAX, stuck: None, limit: None, proved: None }
    }
}

impl Source for Node {
    type Error = Cut;

    fn tip(&mut self) -> Result<(BlockId, u64), Cut> {
        Ok((self.blocks.last().map_or(self.genesis, Block::id), self.blocks.len() as u64))
    }

    fn blocks_after(&mut self, locator: &[BlockId], limit: usize) -> Result<Vec<Block>, Cut> {
        self.answers = self.answers.checked_sub(1).ok_or(Cut)?;
        let after = |id: &BlockId| match *id == self.genesis {
            true => Some(0),
            false => self.blocks.iter().position(|block| block.id() == *id).map(|at| at + 1),
        };
        let from = self.stuck.or_else(|| locator.iter().find_map(after)).unwrap_or(0);
        Ok(self.blocks[from..].iter().take(self.limit.unwrap_or(limit)).cloned().collect())
    }

    fn account(&mut self, _: &Address) -> Result<Proved, Cut> {
        self.proved.clone().ok_or(Cut)
    }
}

fn on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn clock() -> Duration {
    Duration::from_secs(NOW)
}

#[test]
fn from_nothing_to_the_tip_and_on() {
    let branch = Branch::new(&SPEC).grow(140, 1);
    let (mut client, mut kept) = (client(&SPEC), Kept::default());
    let mut seen = vec![];
    let mut progress = |p: Progress| {
        seen.push(p);
        ControlFlow::Continue(())
    };
    let report = sync(&mut client, &mut kept, &mut Node::of(&branch), &clock, &mut progress).unwrap();
    assert_eq!((report.blocks, report.batches, report.switch, report.agrees), (140, 0, None, true));
    assert_eq!(report.bytes, kept.blocks.iter().map(|block| block.len() as u64).sum::<u64>());
    let at = |height| Progress { height, of: 140, blocks: height };
    assert_eq!(seen, [at(64), at(128), at(140)]);
    assert_eq!(kept.ids(), ids_of(&branch.blocks));
    // Nothing new.
    let report = sync(&mut client, &mut kept, &mut Node::of(&branch), &clock, &mut on).unwrap();
    assert_eq!((report.blocks, report.agrees), (0, true));
    // A little more.
    let more = branch.clone().grow(3, 1);
    let report = sync(&mut client, &mut kept, &mut Node::of(&more), &clock, &mut on).unwrap();
    assert_eq!((report.blocks, client.tip().id), (3, more.id()));
}

#[test]
fn over_to_another_branch_that_takes_more_than_one_window() {
    let spec = spec(|genesis| genesis.rules.reorg_limit = 200);
    let trunk = Branch::new(&spec).grow(10, 1);
    let (ours, theirs) = (trunk.clone().grow(100, 1), trunk.clone().grow(101, 2));
    let (mut client, mut kept) = (client(&spec), Kept::default());
    sync(&mut client, &mut kept, &mut Node::of(&ours), &clock, &mut on).unwrap();
    // Less work: taken, but on a side branch.
    let shorter = theirs.up_to(100);
    for blocks in [90, 0] {
        let report = sync(&mut client, &mut kept, &mut Node::of(&shorter), &clock, &mut on).unwrap();
        assert_eq!((report.blocks, report.switch, report.agrees), (blocks, None, false));
        assert_eq!(client.tip().id, ours.id());
    }
    let report = sync(&mut client, &mut kept, &mut Node::of(&theirs), &clock, &mut on).unwrap();
    assert_eq!((report.blocks, report.switch), (11, Some(Switch { fork: 10, removed: 100 })));
    assert_eq!(kept.ids(), ids_of(&theirs.blocks));
}

#[test]
fn sources_that_fail_or_cheat() {
    let branch = Branch::new(&SPEC).grow(140, 1);
    let fails = |node: &mut Node, progress: &mut dyn FnMut(Progress) -> ControlFlow<()>| {
        let mut client = client(&SPEC);
        let error = sync(&mut client, &mut Nowhere, node, &clock, progress).unwrap_err();
        (error, client.tip().height())
    };
    // What was verified before the line was cut is kept.
    let (error, height) = fails(&mut Node { answers: 2, ..Node::of(&branch) }, &mut on);
    assert!(matches!(error, SyncError::Source(Cut)));
    assert_eq!(height, 128);
    let (error, height) = fails(&mut Node { stuck: Some(0), ..Node::of(&branch) }, &mut on);
    assert!(matches!(error, SyncError::Stalled { height: 64 }), "{error}");
    assert_eq!(height, 64);
    let (error, height) = fails(&mut Node { limit: Some(65), ..Node::of(&branch) }, &mut on);
    assert!(matches!(error, SyncError::TooMany { found: 65, limit: 64 }), "{error}");
    assert_eq!(height, 0);
    let (error, height) = fails(&mut Node::of(&branch), &mut |_| ControlFlow::Break(()));
    assert!(matches!(error, SyncError::Stopped));
    assert_eq!(height, 64);
    // A gap.
    let (error, _) = fails(&mut Node { stuck: Some(5), ..Node::of(&branch) }, &mut on);
    assert!(matches!(error, SyncError::Light(LightError::UnknownParent { .. })), "{error}");
    // Another chain.
    let elsewhere = spec(|genesis| genesis.name = "elsewhere".into());
    let (error, height) = fails(&mut Node::of(&Branch::new(&elsewhere).grow(3, 1)), &mut on);
    assert!(matches!(error, SyncError::Light(LightError::UnknownParent { .. })), "{error}");
    assert_eq!(height, 0);
}

#[test]
fn a_balance_is_of_a_block_on_the_chain() {
    let mut nodes = MemoryNodes::default();
    let (root, batch) = ledger::update(&nodes, 0, &SPEC.genesis().accounts()).unwrap();
    nodes.insert(batch);
    let address = contributor().address();
    let proof = ledger::prove(&nodes, 0, &address).unwrap();
    let mut branch = Branch::new(&SPEC).grow(1, 1);
    let mut parts = branch.parts(1);
    parts.ledger = root;
    let block = branch.mine(parts);
    branch.push(block.clone());
    let mut client = client(&SPEC);
    let mut node = Node::of(&branch);
    sync(&mut client, &mut Nowhere, &mut node, &clock, &mut on).unwrap();
    let account = proof.account.unwrap_or_default();
    let proved = Proved { account, proof, block: block.id(), height: 2 };
    let mut ask = |proved: Proved| {
        node.proved = Some(proved);
        balance(&client, &mut node, &address)
    };
    let (height, found) = ask(proved.clone()).unwrap();
    assert_eq!((height, found.unwrap().balance), (2, Amount::from_grains(5).unwrap()));
    let wrong = ask(Proved { height: 1, ..proved.clone() }).unwrap_err();
    assert!(matches!(wrong, SyncError::OffChain { height: 1 }));
    let wrong = ask(Proved { block: BlockId::from_bytes([3; 32]), ..proved.clone() }).unwrap_err();
    assert!(matches!(wrong, SyncError::OffChain { height: 2 }));
    let wrong = ask(Proved { height: 1, block: branch.blocks[0].id(), ..proved }).unwrap_err();
    assert!(matches!(wrong, SyncError::Light(LightError::Balance(_))));
}
