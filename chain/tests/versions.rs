//! Files of the versions before this one are refused by name, before anything else of them is read.

use chain::block::Block;
use chain::consensus::contextual::Record;
use chain::genesis::Genesis;
use chain::light::Checkpoint;
use chain::message::Message;
use chain::rpc::Answer;
use circuits::model::file::ModelState;
use circuits::statements::codec::{CodecError, Encoded, decode};
use circuits::statements::{Bundle, GenesisProof, Run, StateCommitments};

fn refused<T: Encoded>() -> String {
    let before = T::VERSION - 1;
    let bytes = [&T::MAGIC[..], &before.to_le_bytes(), &[0; 64]].concat();
    match decode::<T>(&bytes).map(drop) {
        Err(error @ CodecError::Version { .. }) => error.to_string(),
        other => panic!("{}: {other:?}", T::NAME),
    }
}

/// Optimizers by name, named slots and instances per proof changed most of these; a state whose momentum is its last
/// movement, with the second half of the genesis proof that shows it, changed two once more; data sets changed runs and bundles;
/// clipping changed what says its sums.
#[test]
fn the_version_before_is_refused_by_name() {
    let found = [
        refused::<Run>(),
        refused::<Bundle>(),
        refused::<GenesisProof>(),
        refused::<StateCommitments>(),
        refused::<ModelState>(),
        refused::<Genesis>(),
        refused::<Block>(),
        refused::<Record>(),
        refused::<Checkpoint>(),
        refused::<Message>(),
        refused::<Answer>(),
    ];
    let expected = [
        "the run has version 4; this program supports 5",
        "the bundle has version 4; this program supports 5",
        "the genesis proof has version 2; this program supports 3",
        "the set of state commitments has version 1; this program supports 2",
        "the model state has version 4; this program supports 5",
        "the genesis has version 4; this program supports 5",
        "the block has version 2; this program supports 3",
        "the block record has version 1; this program supports 2",
        "the checkpoint has version 1; this program supports 2",
        "the message has version 2; this program supports 3",
        "the answer has version 3; this program supports 4",
    ];
    assert_eq!(found, expected);
}
