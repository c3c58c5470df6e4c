//! Branches: most work wins, within the limit.

use crate::common::*;
use chain::block::Block;
use chain::genesis::ChainSpec;
use chain::header::BlockId;
use chain::light::{FileError, LightClient, LightError, Nowhere, Switch};
use proptest::prelude::*;
use std::sync::LazyLock;

fn spec_of(reorg_limit: u64) -> ChainSpec {
    spec(|genesis| genesis.rules.reorg_limit = reorg_limit)
}

#[test]
fn the_branch_of_more_work_wins_and_the_first_of_equals() {
    let trunk = Branch::new(&SPEC).grow(4, 1);
    let (ours, theirs) = (trunk.clone().grow(3, 1), trunk.clone().grow(5, 2));
    let (mut client, mut kept) = (client(&SPEC), Kept::default());
    client.extend(ours.blocks.clone(), NOW, &mut kept).unwrap();

    // As much work: a side branch.
    let report = client.extend(theirs.up_to(7).above(4), NOW, &mut kept).unwrap();
    assert_eq!((report.taken, report.switch), (3, None));
    assert_eq!((client.tip().id, kept.writes), (ours.id(), 1));
    let side = theirs.records[7].header.id();
    assert!(client.get(&side).is_some() && !client.on_chain(&side));

    // One more block, and all of the branch is written, although only its end was given now.
    let report = client.extend(theirs.up_to(8).above(7), NOW, &mut kept).unwrap();
    assert_eq!((report.taken, report.switch), (1, Some(Switch { fork: 4, removed: 3 })));
    assert_eq!(ids(&client), ids_of(&theirs.up_to(8).blocks));
    assert_eq!(kept.ids(), ids(&client));
    // What lost is forgotten, and can be told again.
    assert!(client.get(&ours.id()).is_none());
    let longer = ours.clone().grow(3, 1);
    let unknown = client.extend(longer.above(7), NOW, &mut kept).unwrap_err();
    assert!(matches!(unknown, LightError::UnknownParent { parent, .. } if parent == ours.id()));
    let report = client.extend(longer.above(4), NOW, &mut kept).unwrap();
    assert_eq!(report.switch, Some(Switch { fork: 4, removed: 4 }));
    assert_eq!(kept.ids(), ids_of(&longer.blocks));
}

#[test]
fn fewer_blocks_of_more_work_win() {
    let trunk = Branch::new(&SPEC).grow(INTERVAL as usize - 2, 1);
    let slow = trunk.grow(6, 1);
    // After the retarget each of its blocks is worth more.
    let mut early = Branch::new(&SPEC);
    early.spacing = 1;
    let early = early.grow(INTERVAL as usize + 2, 2);
    assert!(early.tip().work > slow.tip().work && early.records.len() < slow.records.len());
    let (mut client, mut kept) = (client(&SPEC), Kept::default());
    client.extend(slow.blocks.clone(), NOW, &mut kept).unwrap();
    let report = client.extend(early.blocks.clone(), NOW, &mut kept).unwrap();
    assert_eq!(report.switch, Some(Switch { fork: 0, removed: slow.blocks.len() as u64 }));
    assert_eq!(kept.ids(), ids_of(&early.blocks));
    assert_eq!(client.tip().work, early.tip().work);
}

#[test]
fn nothing_below_the_limit_is_taken_back() {
    let spec = spec_of(5);
    let trunk = Branch::new(&spec).grow(12, 1);
    let mut client = client(&spec);
    client.extend(trunk.blocks.clone(), NOW, &mut Nowhere).unwrap();
    assert_eq!(client.finalised(), 7);
    let deep = trunk.up_to(6).grow(20, 2);
    let error = client.extend(deep.above(6), NOW, &mut Nowhere).unwrap_err();
    assert!(matches!(error, LightError::TooDeep { fork: 6, finalised: 7 }), "{error}");
    assert_eq!(client.tip().id, trunk.id());
    let just = trunk.up_to(7).grow(6, 2);
    let report = client.extend(just.above(7), NOW, &mut Nowhere).unwrap();
    assert_eq!(report.switch, Some(Switch { fork: 7, removed: 5 }));

    // A side branch that is overtaken by the limit is forgotten.
    let side = just.up_to(12).grow(1, 3);
    client.extend(side.above(12), NOW, &mut Nowhere).unwrap();
    assert!(client.get(&side.id()).is_some());
    client.extend(just.clone().grow(5, 2).above(13), NOW, &mut Nowhere).unwrap();
    assert_eq!(client.finalised(), 13);
    assert!(client.get(&side.id()).is_none());
}

#[test]
fn a_branch_of_a_branch() {
    let trunk = Branch::new(&SPEC).grow(3, 1);
    let ours = trunk.clone().grow(6, 1);
    let theirs = trunk.clone().grow(3, 2);
    let of_theirs = theirs.up_to(5).grow(2, 3);
    let (mut client, mut kept) = (client(&SPEC), Kept::default());
    client.extend(ours.blocks.clone(), NOW, &mut kept).unwrap();
    client.extend(theirs.above(3), NOW, &mut kept).unwrap();
    client.extend(of_theirs.above(5), NOW, &mut kept).unwrap();
    // The first branch wins; what forks off it is a side branch still, now from height 5.
    let won = theirs.clone().grow(4, 2);
    let report = client.extend(won.above(6), NOW, &mut kept).unwrap();
    assert_eq!(report.switch, Some(Switch { fork: 3, removed: 6 }));
    let back = of_theirs.clone().grow(4, 3);
    let report = client.extend(back.above(7), NOW, &mut kept).unwrap();
    assert_eq!(report.switch, Some(Switch { fork: 5, removed: 5 }));
    assert_eq!(kept.ids(), ids_of(&back.blocks));
}

#[test]
fn what_cannot_be_kept_is_not_taken() {
    let trunk = Branch::new(&SPEC).grow(4, 1);
    let (mut client, mut kept) = (client(&SPEC), Kept::default());
    client.extend(trunk.up_to(2).blocks, NOW, &mut kept).unwrap();
    kept.full = true;
    let error = client.extend(trunk.above(2), NOW, &mut kept).unwrap_err();
    assert!(matches!(error, LightError::Keep(FileError::Broken)));
    assert_eq!(client.tip().height(), 2);
    let theirs = trunk.up_to(1).grow(3, 2);
    assert!(matches!(client.extend(theirs.above(1), NOW, &mut kept), Err(LightError::Keep(FileError::Broken))));
    assert_eq!(client.tip().id, trunk.records[2].header.id());
    kept.full = false;
    client.extend(theirs.above(1), NOW, &mut kept).unwrap();
    assert_eq!(kept.ids(), ids_of(&theirs.blocks));
}

/// A tree of blocks on each other.
static TREE: LazyLock<(ChainSpec, Vec<Block>)> = LazyLock::new(|| {
    let spec = spec_of(100);
    let mut tree: Vec<Block> = vec![];
    let trunk = Branch::new(&spec).grow(6, 1);
    let branches = [trunk.clone(), trunk.up_to(2).grow(5, 2), trunk.up_to(4).grow(3, 3), trunk.up_to(0).grow(8, 4)];
    let more = branches[1].up_to(5).grow(4, 5);
    for branch in branches.iter().chain([&more]) {
        for block in &branch.blocks {
            if tree.iter().all(|other| other.id() != block.id()) {
                tree.push(block.clone());
            }
        }
    }
    drop(branches);
    (spec, tree)
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// In whatever order blocks come: the tip has the most work of all that was taken, and what is kept is the chain.
    #[test]
    fn any_order(order in proptest::collection::vec(any::<prop::sample::Index>(), 60)) {
        let (spec, tree) = &*TREE;
        let (mut client, mut kept): (LightClient<'_>, Kept) = (client(spec), Kept::default());
        let mut most = client.tip().work;
        for at in order {
            let block = at.get(tree);
            let known_parent = client.get(&block.header.parent).is_some();
            let before = client.tip().id;
            match client.extend(vec![block.clone()], NOW, &mut kept) {
                Ok(report) => {
                    prop_assert!(known_parent || report.known == 1);
                    let work = client.get(&block.id()).unwrap().work;
                    // The first of equals stays.
                    prop_assert_eq!(client.tip().id == before, report.known == 1 || work <= most);
                    most = most.max(work);
                }
                Err(LightError::UnknownParent { parent, .. }) => {
                    prop_assert!(!known_parent);
                    prop_assert_eq!(parent, block.header.parent);
                }
                Err(error) => prop_assert!(false, "{error}"),
            }
            prop_assert_eq!(client.tip().work, most);
            let chain: Vec<BlockId> = ids(&client);
            prop_assert_eq!(&kept.ids(), &chain);
            for pair in chain.windows(2) {
                prop_assert_eq!(client.get(&pair[1]).unwrap().header.parent, pair[0]);
            }
        }
    }
}
