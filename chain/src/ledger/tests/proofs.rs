//! Balance proofs: what holds, and that nothing else does.

use super::*;
use crate::header::LedgerRoot;
use crate::ledger::{BalanceProof, EMPTY_ROOT, ProofError, prove};
use circuits::statements::codec::{self, CodecError, Encoded};

/// A tree of the first accounts, its root.
fn tree(accounts: u8) -> (MemoryNodes, LedgerRoot) {
    let mut nodes = MemoryNodes::default();
    let account = |index: u64| Account { balance: grains(1 << index), nonce: index, ..Account::default() };
    let map = (0..accounts).map(|index| (address(index), account(index.into()))).collect();
    let root = push(&mut nodes, 0, &map);
    (nodes, root)
}

fn refused(result: Result<Option<Account>, ProofError>) -> bool {
    matches!(result, Err(ProofError::Path(_)))
}

#[test]
fn accounts_and_their_absence_are_shown() {
    for accounts in [0, 1, 2, 40] {
        let (nodes, root) = tree(accounts);
        assert_eq!(root == EMPTY_ROOT, accounts == 0);
        for index in 0..50 {
            let proof = prove(&nodes, 0, &address(index)).unwrap();
            let bytes = codec::encode(&proof).unwrap();
            assert!(bytes.len() < BalanceProof::MAX_BYTES);
            let proof = BalanceProof::decode(&bytes).unwrap();
            let account = proof.verify(&root, &address(index)).unwrap();
            assert_eq!(account.map(|a| a.nonce), (index < accounts).then_some(index.into()));
        }
    }
}

#[test]
fn no_proof_holds_for_another_root_address_or_account() {
    let (nodes, root) = tree(40);
    let (_, other_root) = tree(39);
    for index in [3, 45] {
        let proof = prove(&nodes, 0, &address(index)).unwrap();
        assert!(refused(proof.verify(&other_root, &address(index))));
        assert!(refused(proof.verify(&EMPTY_ROOT, &address(index))));
        for other in 0..50u8 {
            // A proof of absence may hold for another absent address at the same place.
            let verified = proof.verify(&root, &address(other));
            assert!(
                other == index || refused(verified.clone()) || (index == 45 && other >= 40 && verified == Ok(None))
            );
        }
        let mut forged = proof.clone();
        for account in [None, Some(Account::default()), Some(Account { balance: grains(9), ..Account::default() })] {
            if account != proof.account {
                forged.account = account;
                assert!(refused(forged.verify(&root, &address(index))), "{index}: {account:?}");
            }
        }
    }
}

#[test]
fn no_byte_of_a_proof_can_be_changed() {
    let (nodes, root) = tree(40);
    for index in [0, 3, 40, 45] {
        let bytes = codec::encode(&prove(&nodes, 0, &address(index)).unwrap()).unwrap();
        for at in 0..bytes.len() {
            for flip in [1, 2, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                if let Ok(proof) = BalanceProof::decode(&changed) {
                    assert!(refused(proof.verify(&root, &address(index))), "byte {at} of {index}'s proof");
                }
            }
        }
    }
}

#[test]
fn too_many_bytes_are_refused_unread() {
    let found = BalanceProof::MAX_BYTES + 1;
    assert_eq!(BalanceProof::decode(&vec![0; found]), Err(ProofError::TooLong { found }));
    let magic = CodecError::Magic(BalanceProof::NAME);
    assert_eq!(BalanceProof::decode(&vec![0; found - 1]), Err(ProofError::Codec(magic)));
}

/// A proof of absence with any siblings, as a forger may write it.
fn written(siblings: &[u8], leaf: Option<[u8; 64]>) -> Vec<u8> {
    let mut bytes = [&BalanceProof::MAGIC[..], &BalanceProof::VERSION.to_le_bytes(), &[0]].concat();
    bytes.push(leaf.is_some().into());
    bytes.extend(leaf.into_iter().flatten());
    match u8::try_from(siblings.len()) {
        Ok(short) if short < 251 => bytes.push(short),
        _ => bytes.extend([&[251][..], &(siblings.len() as u16).to_le_bytes()].concat()),
    }
    for &kind in siblings {
        bytes.push(kind);
        bytes.extend(vec![kind; if kind == 0 { 0 } else { 64 }]);
    }
    bytes
}

#[test]
fn as_many_siblings_as_bits_and_no_more() {
    for (siblings, reason) in [(256, "Root hashes do not match"), (257, "more than 256")] {
        let proof = BalanceProof::decode(&written(&vec![0; siblings], None)).unwrap();
        let ProofError::Path(found) = proof.verify(&EMPTY_ROOT, &address(1)).unwrap_err() else { panic!() };
        assert!(found.contains(reason), "{found}");
    }
    // The largest proof fits.
    let bytes = written(&[1; 256], Some([0; 64]));
    assert!(bytes.len() + 64 <= BalanceProof::MAX_BYTES && BalanceProof::decode(&bytes).is_ok());
}

proptest! {
    #[test]
    fn any_siblings_are_refused_without_a_panic(
        siblings in proptest::collection::vec(0u8..3, 0..600),
        leaf in proptest::option::of(any::<[[u8; 32]; 2]>()),
        index in any::<u8>(),
    ) {
        let (_, root) = tree(3);
        let bytes = written(&siblings, leaf.map(|l| l.as_flattened().try_into().unwrap()));
        match BalanceProof::decode(&bytes) {
            Ok(proof) => prop_assert!(refused(proof.verify(&root, &address(index)))),
            Err(e) => prop_assert_eq!(e, ProofError::TooLong { found: bytes.len() }),
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let header = [&BalanceProof::MAGIC[..], &BalanceProof::VERSION.to_le_bytes(), &bytes].concat();
        for bytes in [bytes, header] {
            if let Ok(proof) = BalanceProof::decode(&bytes) {
                prop_assert!(refused(proof.verify(&LedgerRoot::from_bytes([7; 32]), &address(1))));
            }
        }
    }
}
