//! Signed transactions, each for one chain and one nonce of its sender, so that none can be replayed.

use crate::address::{Address, SecretKey, Signature, SignatureError};
use crate::amount::{Amount, AmountError};
use crate::hash::hashes;
use crate::header::ChainId;
use circuits::statements::codec::{self, CodecError, Encoded};
use serde::{Deserialize, Serialize};

/// Most bytes of an encoded transaction.
pub const MAX_BYTES: usize = 200;

hashes! {
    /// Identity of a transaction: the digest of its body, so that no one can change it by changing the signature.
    TransactionId;
}

/// Where a transaction is; ascending in the order of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// Height of its block.
    pub height: u64,
    /// Its number in the block.
    pub index: u32,
}

/// What a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Moves coins.
    Transfer {
        /// Receiver.
        to: Address,
        /// More than nothing.
        amount: Amount,
    },
    /// Locks the bond and makes the sender a contributor, who may contribute once matured.
    Register,
    /// Returns the bond: the sender is a contributor no more.
    Retire,
}

/// What the sender signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// Identity of the chain.
    pub chain: ChainId,
    /// Sender, who signs.
    pub sender: Address,
    /// How many transactions of the sender the chain has executed before.
    pub nonce: u64,
    /// What the block's producer gets.
    pub fee: Amount,
    /// What it does.
    pub action: Action,
}

impl Encoded for Body {
    const MAGIC: [u8; 8] = *b"GRADTXBD";
    const VERSION: u32 = 1;
    const NAME: &'static str = "transaction's body";
}

/// A signed transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// What is signed.
    pub body: Body,
    /// The sender's, of the transaction's identity.
    pub signature: Signature,
}

impl Encoded for Transaction {
    const MAGIC: [u8; 8] = *b"GRADTRAN";
    const VERSION: u32 = 1;
    const NAME: &'static str = "transaction";
}

/// Why a transaction is refused, whatever the state of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Of another chain.
    #[error("the transaction belongs to another chain")]
    OtherChain,
    /// Moves nothing.
    #[error("the transaction moves nothing")]
    Nothing,
    /// Amount and fee exceed the supply.
    #[error("amount and fee: {0}")]
    Total(AmountError),
    /// The signature is refused.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The body has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl Body {
    /// Digest of the body: what is signed, and the transaction's identity.
    pub fn id(&self) -> Result<TransactionId, CodecError> {
        Ok(TransactionId(codec::digest(b"gradcoin-tx", &codec::encode(self)?)))
    }

    /// Whom it concerns: the sender, and the receiver of a transfer if that is somebody else.
    pub fn parties(&self) -> impl Iterator<Item = Address> {
        let receiver = match self.action {
            Action::Transfer { to, .. } if to != self.sender => Some(to),
            _ => None,
        };
        [self.sender].into_iter().chain(receiver)
    }

    /// What the sender gives away, bonds apart: amount and fee.
    pub fn spent(&self) -> Result<Amount, AmountError> {
        match self.action {
            Action::Transfer { amount, .. } => amount.checked_add(self.fee),
            Action::Register | Action::Retire => Ok(self.fee),
        }
    }
}

impl Transaction {
    /// Signs a body with its sender's key.
    pub fn sign(body: Body, key: &SecretKey) -> Result<Self, CodecError> {
        Ok(Transaction { body, signature: key.sign(body.id()?.as_bytes()) })
    }

    /// Identity.
    pub fn id(&self) -> Result<TransactionId, CodecError> {
        self.body.id()
    }

    /// Requires the sender's signature.
    pub fn check_signature(&self) -> Result<(), TransactionError> {
        Ok(self.body.sender.verify(self.id()?.as_bytes(), &self.signature)?)
    }

    /// Everything that can be checked without the ledger; the signature last, which costs most.
    pub fn check(&self, chain: &ChainId) -> Result<(), TransactionError> {
        if self.body.chain != *chain {
            return Err(TransactionError::OtherChain);
        }
        if let Action::Transfer { amount, .. } = self.body.action
            && amount.is_zero()
        {
            return Err(TransactionError::Nothing);
        }
        self.body.spent().map_err(TransactionError::Total)?;
        self.check_signature()
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::address::testing::secret_key;
    use crate::amount::testing::amount;
    use proptest::prelude::*;

    /// Any action.
    pub fn action() -> impl Strategy<Value = Action> {
        let transfer =
            (any::<[u8; 32]>(), amount()).prop_map(|(to, amount)| Action::Transfer { to: Address(to), amount });
        prop_oneof![4 => transfer, 1 => Just(Action::Register), 1 => Just(Action::Retire)]
    }

    /// Any signed transaction, sensible or not, and its key.
    pub fn transaction() -> impl Strategy<Value = (Transaction, SecretKey)> {
        (any::<[u8; 32]>(), secret_key(), any::<u64>(), amount(), action()).prop_map(
            |(chain, key, nonce, fee, action)| {
                let chain = ChainId::from_bytes(chain);
                let body = Body { chain, sender: key.address(), nonce, fee, action };
                (Transaction::sign(body, &key).unwrap(), key)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::*, *};
    use crate::address::testing::key;
    use crate::amount::MAX_SUPPLY;
    use proptest::prelude::*;

    const CHAIN: ChainId = ChainId::from_bytes([9; 32]);

    fn grains(grains: u64) -> Amount {
        Amount::from_grains(grains).unwrap()
    }

    fn transfer(amount: Amount, fee: Amount) -> Transaction {
        let action = Action::Transfer { to: key(2).address(), amount };
        let body = Body { chain: CHAIN, sender: key(1).address(), nonce: 3, fee, action };
        Transaction::sign(body, &key(1)).unwrap()
    }

    #[test]
    fn each_rule() {
        assert_eq!(transfer(grains(1), Amount::ZERO).check(&CHAIN), Ok(()));
        assert_eq!(
            transfer(grains(1), grains(1)).check(&ChainId::from_bytes([8; 32])),
            Err(TransactionError::OtherChain)
        );
        assert_eq!(transfer(Amount::ZERO, grains(1)).check(&CHAIN), Err(TransactionError::Nothing));
        let above = AmountError::AboveSupply(u128::from(MAX_SUPPLY.grains()) + 1);
        assert_eq!(transfer(MAX_SUPPLY, grains(1)).check(&CHAIN), Err(TransactionError::Total(above)));
        let body = transfer(grains(1), grains(1)).body;
        let forged = Transaction::sign(body, &key(2)).unwrap();
        assert_eq!(forged.check(&CHAIN), Err(TransactionError::Signature(SignatureError::Invalid)));
    }

    #[test]
    fn the_bound_on_bytes_is_reached_and_not_exceeded() {
        let action = Action::Transfer { to: key(2).address(), amount: MAX_SUPPLY };
        let body = Body { chain: CHAIN, sender: key(1).address(), nonce: u64::MAX, fee: MAX_SUPPLY, action };
        let transaction = Transaction::sign(body, &key(1)).unwrap();
        assert_eq!(codec::encode(&transaction).unwrap().len(), MAX_BYTES);
    }

    #[test]
    fn amounts_above_the_supply_do_not_decode() {
        let mut bytes = codec::encode(&transfer(MAX_SUPPLY, Amount::ZERO)).unwrap();
        let field = [&[253][..], &MAX_SUPPLY.grains().to_le_bytes()].concat();
        let at = bytes.windows(9).position(|w| w == field).unwrap();
        bytes[at + 1] += 1;
        assert!(matches!(codec::decode::<Transaction>(&bytes), Err(CodecError::Malformed { .. })));
    }

    proptest! {
        #[test]
        fn decodes_to_itself((transaction, _) in transaction()) {
            let bytes = codec::encode(&transaction).unwrap();
            prop_assert!(bytes.len() <= MAX_BYTES);
            prop_assert_eq!(codec::decode(&bytes), Ok(transaction));
        }

        #[test]
        fn the_signature_is_no_part_of_the_identity((transaction, key) in transaction(), bytes in any::<[u8; 32]>()) {
            prop_assert_eq!(transaction.check_signature(), Ok(()));
            let other = Transaction { signature: Signature::from([bytes, bytes]), ..transaction };
            prop_assert_eq!(other.id(), transaction.id());
            prop_assert_eq!(other.check_signature(), Err(TransactionError::Signature(SignatureError::Invalid)));
            prop_assert_eq!(Transaction::sign(transaction.body, &key), Ok(transaction));
        }

        #[test]
        fn no_byte_can_be_changed((transaction, _) in transaction(), at in any::<prop::sample::Index>(), by in 1u8..) {
            let mut bytes = codec::encode(&transaction).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            if let Ok(changed) = codec::decode::<Transaction>(&bytes) {
                prop_assert!(changed.check_signature().is_err());
            }
        }

        #[test]
        fn never_panics_on_bytes(bytes in prop::collection::vec(any::<u8>(), 0..MAX_BYTES)) {
            let header = [&Transaction::MAGIC[..], &Transaction::VERSION.to_le_bytes(), &bytes].concat();
            let _ = codec::decode::<Transaction>(&bytes);
            let _ = codec::decode::<Transaction>(&header);
        }
    }
}
