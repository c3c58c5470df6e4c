//! Many proofs, over several keys, ending in one multi-scalar multiplication.
//!
//! # Argument
//!
//! A claim is a sum of points that must be zero; its *error* is what it is instead. A batch holds one accumulated error
//! `E`, 0 at first. A claim of error `e` is added as `E + r·e`, where the scalar `r` is a hash of everything added so far,
//! this claim included: the key's digest, the instances and the proof fix `e` (all of the verifier is a function of them),
//! and what was hashed before fixes `E`. A batch of error `e` is merged in the same way: its own hash fixes its error and
//! enters this one's before `r` is drawn.
//!
//! So `(E, e)` is fixed by the query that `r` answers. If it is not `(0, 0)`, then `E + r·e = 0` for no `r` where `e = 0`,
//! and for exactly one where `e ≠ 0`, as the group's order is prime. By induction over additions and merges, a batch that
//! holds any claim with an error has `E ≠ 0`, but with probability at most `q/|F|` for a forger who makes `q` queries.
//! It does not matter that early scalars are known before later claims are chosen: what must not be known is the scalar
//! of the claim itself. Whoever changes a claim after the fact changes its scalar and all later ones.
//!
//! Merged sums are scaled although their claims already are: those scalars depend on their own batch alone, and a forger who
//! tries many batches would find some whose errors cancel, the sooner the more batches are merged.
//!
//! *Settling* evaluates `E` and goes on from 0, which the argument covers from there on: a batch is valid if every
//! value that was settled, and the last one, is 0.

use crate::error::{BatchError, VerifyError};
use crate::proof::{Ports, check};
use backend::curve::{ENCODED, F, Msm, Params};
use backend::keys::{Item, VerifyingKey};
use ff::{FromUniformBytes, PrimeField};

/// Points beside the parameters' own that a folding batch gathers before it settles: some megabytes, and eight times
/// those of 2^12 parameters, so that settling again and again costs little more than settling once.
pub const SETTLE_AT: usize = 1 << 15;

/// Proofs that are checked together. All keys share the parameters.
///
/// Each claim is scaled by a scalar of its own when it is added (see the module's argument) and joins one sum at once, so
/// that errors of different proofs cannot cancel. The result is the same on every machine.
#[derive(Clone)]
pub struct Batch<'params> {
    params: &'params Params,
    hash: blake2b_simd::State,
    total: Msm<'params>,
    claims: usize,
    /// Points in `total` beside the parameters' own and the keys', at most.
    points: usize,
    /// Whether some settled sum was not zero.
    failed: bool,
    /// The scaled claims by themselves, if culprits are to be named.
    named: Option<Vec<Msm<'params>>>,
}

impl<'params> Batch<'params> {
    /// An empty batch that names culprits. It keeps every claim for that, 2^k scalars each.
    pub fn new(params: &'params Params) -> Self {
        Batch { named: Some(vec![]), ..Self::folding(params) }
    }

    /// An empty batch whose memory does not grow with what is added, and which therefore names no culprits. Now and then
    /// it settles, see [`SETTLE_AT`].
    pub fn folding(params: &'params Params) -> Self {
        let hash = blake2b_simd::Params::new().hash_length(64).personal(b"GradCoin-a-batch").to_state();
        Batch { params, hash, total: Msm::new(params), claims: 0, points: 0, failed: false, named: None }
    }

    /// Checks all of a proof but its final multi-scalar multiplication, which is left for [`Batch::finish`]. The ports
    /// mean nothing before that. A refused proof is not in the batch.
    pub fn add(
        &mut self,
        key: &VerifyingKey,
        expected: usize,
        proof: &[u8],
        instances: &[Vec<F>],
    ) -> Result<Ports, VerifyError> {
        let claim = check(self.params, key, expected, proof, instances)?;
        self.absorb(b"proof");
        self.absorb(&key.digest);
        self.absorb(&(instances.len() as u64).to_le_bytes());
        for instance in instances {
            self.absorb(&instance.iter().flat_map(PrimeField::to_repr).collect::<Vec<u8>>());
        }
        self.absorb(proof);
        let of_proof = key.shape.items(expected).iter().filter(|(kind, _)| *kind == Item::Point).map(|(_, n)| n).sum();
        self.fold(claim.msm, of_proof);
        Ok(claim.ports)
    }

    /// Adds a claim of another kind, an opening for instance. `bytes` must hold all that determines `msm`, and `msm` must
    /// be over this batch's parameters.
    pub fn add_claim(&mut self, bytes: &[u8], msm: Msm<'params>) {
        self.absorb(b"claim");
        self.absorb(bytes);
        self.fold(msm, bytes.len().div_ceil(ENCODED));
    }

    /// Adds all claims of another batch, numbered on from this one's, so that batches can be filled side by side and end
    /// in one multi-scalar multiplication. Culprits are named if both batches name them. A batch over other parameters
    /// shares no multiplication with this one: it is evaluated here and now.
    pub fn merge(&mut self, other: Batch<'params>) {
        self.absorb(b"batch");
        self.absorb(other.hash.finalize().as_bytes());
        self.absorb(&(other.claims as u64).to_le_bytes());
        self.claims += other.claims;
        self.failed |= other.failed;
        let scalar = self.scalar();
        match (&mut self.named, other.named) {
            (Some(named), Some(mut others)) => {
                // As they stand in the sum, or errors of different batches could cancel in a half.
                others.iter_mut().for_each(|claim| claim.scale(scalar));
                named.extend(others);
            }
            (named, _) => *named = None,
        }
        if std::ptr::eq(self.params, other.params) {
            self.join(other.total, other.points);
        } else {
            self.failed |= !other.total.eval();
        }
    }

    pub(crate) fn params(&self) -> &'params Params {
        self.params
    }

    /// Proofs and claims in the batch.
    pub fn len(&self) -> usize {
        self.claims
    }

    /// Whether nothing is in the batch.
    pub fn is_empty(&self) -> bool {
        self.claims == 0
    }

    /// Whether a sum that was settled is not zero, so that nothing can make the batch valid. If not, nothing is known yet.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Checks all claims at once. If that fails, a batch that names culprits checks halves, and halves of those that fail,
    /// and names the claims at fault by their number in the order in which they were added. By the module's argument
    /// errors in a half do not cancel either: its last claim's scalar was drawn after all others.
    pub fn finish(mut self) -> Result<(), BatchError> {
        if self.is_empty() {
            return Err(BatchError::Empty);
        }
        self.settle();
        if !self.failed {
            return Ok(());
        }
        let mut left: Vec<(usize, Msm<'_>)> = self.named.unwrap_or_default().into_iter().enumerate().collect();
        let mut found = vec![];
        while let Some((_, first)) = left.first() {
            // Sums over different parameters do not add.
            let params: *const Params = first.params();
            let (own, others): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|(_, claim)| std::ptr::eq(claim.params(), params));
            found.extend(culprits(&own, &mut |claims| !sum(claims).eval()));
            left = others;
        }
        found.sort_unstable();
        Err(BatchError::Invalid(found))
    }

    /// Adds a claim that has been absorbed.
    fn fold(&mut self, claim: Msm<'params>, points: usize) {
        self.claims += 1;
        let scaled = self.join(claim, points);
        if let Some(named) = &mut self.named {
            named.push(scaled);
        }
    }

    /// Adds a sum that has been absorbed, and gives it back scaled.
    fn join(&mut self, mut sum: Msm<'params>, points: usize) -> Msm<'params> {
        sum.scale(self.scalar());
        self.total.add_msm(&sum);
        self.points += points;
        if self.named.is_none() && self.points > SETTLE_AT {
            self.settle();
        }
        sum
    }

    fn settle(&mut self) {
        let total = std::mem::replace(&mut self.total, Msm::new(self.params));
        self.points = 0;
        self.failed |= !total.eval();
    }

    fn absorb(&mut self, bytes: &[u8]) {
        self.hash.update(&(bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }

    /// The scalar of what was absorbed last.
    fn scalar(&self) -> F {
        let hash = blake2b_simd::Params::new()
            .hash_length(64)
            .personal(b"GradCoin-scaling")
            .to_state()
            .update(self.hash.finalize().as_bytes())
            .finalize();
        F::from_uniform_bytes(hash.as_array())
    }
}

fn sum<'p>(claims: &[(usize, Msm<'p>)]) -> Msm<'p> {
    let mut sum = claims[0].1.clone();
    claims[1..].iter().for_each(|(_, claim)| sum.add_msm(claim));
    sum
}

/// The numbers of the items that make a list fail, asking only of what part of it fails: for one among n, about
/// 1 + log₂ n times.
fn culprits<T>(items: &[(usize, T)], fails: &mut impl FnMut(&[(usize, T)]) -> bool) -> Vec<usize> {
    /// Of a list that is known to fail.
    fn halve<T>(items: &[(usize, T)], fails: &mut impl FnMut(&[(usize, T)]) -> bool, found: &mut Vec<usize>) {
        if let [(number, _)] = items {
            found.push(*number);
            return;
        }
        let (low, high) = items.split_at(items.len() / 2);
        let low_fails = fails(low);
        if low_fails {
            halve(low, fails, found);
        }
        if !low_fails || fails(high) {
            halve(high, fails, found);
        }
    }
    let mut found = vec![];
    if !items.is_empty() && fails(items) {
        halve(items, fails, &mut found);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use ff::Field;

    /// A claim whose error is `error` times a fixed point.
    fn claim(params: &Params, error: F) -> ([u8; ENCODED], Msm<'_>) {
        let mut msm = Msm::new(params);
        msm.add_to_w_scalar(error);
        (error.to_repr(), msm)
    }

    fn with<'p>(mut batch: Batch<'p>, errors: &[F]) -> Batch<'p> {
        for &error in errors {
            let (bytes, msm) = claim(batch.params, error);
            batch.add_claim(&bytes, msm);
        }
        batch
    }

    const FAILED: Result<(), BatchError> = Err(BatchError::Invalid(vec![]));

    #[test]
    fn a_claim_that_is_made_to_fit_the_scalar_of_its_draft() {
        let params = Params::new(3);
        let first = || with(Batch::folding(&params), &[F::ONE]);
        let known = first().scalar();
        let draft = with(first(), &[F::ONE]).scalar();
        let fitted = -known * draft.invert().unwrap();
        assert_eq!(known + draft * fitted, F::ZERO);
        let forged = with(first(), &[fitted]);
        assert_ne!(forged.scalar(), draft);
        assert_eq!(forged.finish(), FAILED);
        // Nor is the scalar of a claim known before the claim.
        let before = Batch::folding(&params).scalar();
        for (first_scalar, second_scalar) in [(known, known), (before, known), (before, draft)] {
            let fitted = -first_scalar * second_scalar.invert().unwrap();
            assert_eq!(with(first(), &[fitted]).finish(), FAILED);
        }

        // A forger of many batches finds some whose errors cancel as they stand (generalised birthdays): give him one.
        let mut opposite = with(Batch::folding(&params), &[F::ONE]);
        opposite.total = claim(&params, -known).1;
        let mut merged = first();
        merged.merge(opposite);
        assert_eq!(merged.finish(), FAILED);
    }

    /// All ways in which five claims are valid or not, under several trees of batches.
    #[test]
    fn a_batch_is_valid_if_all_of_its_claims_are() {
        let params = Params::new(3);
        let other_params = Params::new(2);
        for pattern in 0..32u32 {
            // Errors that cancel wherever two of them meet unscaled.
            let errors: Vec<F> = (0..5)
                .map(|i| match pattern >> i & 1 {
                    0 => F::ZERO,
                    _ if (pattern & ((1 << i) - 1)).count_ones() % 2 == 0 => F::ONE,
                    _ => -F::ONE,
                })
                .collect();
            let culprits: Vec<usize> = (0..5).filter(|i| pattern >> i & 1 == 1).collect();
            let verdict = |culprits: Vec<usize>| if pattern == 0 { Ok(()) } else { Err(BatchError::Invalid(culprits)) };
            for names in [false, true] {
                let empty = |params| if names { Batch::new(params) } else { Batch::folding(params) };
                let expected = || verdict(if names { culprits.clone() } else { vec![] });
                assert_eq!(with(empty(&params), &errors).finish(), expected());

                let mut merged = with(empty(&params), &errors[..2]);
                merged.merge(with(empty(&params), &errors[2..4]));
                assert_eq!(with(merged, &errors[4..]).finish(), expected());

                let mut inner = with(empty(&params), &errors[1..2]);
                inner.merge(with(empty(&params), &errors[2..3]));
                inner.merge(empty(&params));
                let mut outer = with(empty(&params), &errors[..1]);
                outer.merge(inner);
                outer.merge(with(empty(&params), &errors[3..]));
                assert_eq!(outer.len(), 5);
                assert_eq!(outer.finish(), expected());

                let mut mixed = with(empty(&params), &errors[..3]);
                mixed.merge(with(empty(&other_params), &errors[3..]));
                assert_eq!(mixed.finish(), expected());
            }
            // Names are lost where one of two batches has none.
            for (mut into, from) in
                [(Batch::new(&params), Batch::folding(&params)), (Batch::folding(&params), Batch::new(&params))]
            {
                into.merge(with(from, &errors));
                assert_eq!(into.finish(), verdict(vec![]));
            }
        }
    }

    #[test]
    fn what_is_settled_stays_settled() {
        let params = Params::new(3);
        let many = vec![0; ENCODED * (SETTLE_AT + 1)];
        let filler = || Msm::new(&params);
        for (errors, verdict) in
            [([F::ZERO, F::ZERO], Ok(())), ([F::ONE, F::ZERO], FAILED), ([F::ZERO, F::ONE], FAILED)]
        {
            let mut batch = with(Batch::folding(&params), &errors[..1]);
            assert!(batch.points == 1 && !batch.failed());
            batch.add_claim(&many, filler());
            assert_eq!(batch.points, 0, "not settled");
            assert_eq!(batch.failed(), errors[0] == F::ONE);
            let batch = with(batch, &errors[1..]);
            let mut merged = with(Batch::folding(&params), &[F::ZERO]);
            merged.merge(batch);
            assert_eq!(merged.finish(), verdict);
        }
        // Nothing is left to evaluate, and a batch that names culprits keeps everything.
        let mut batch = with(Batch::folding(&params), &[F::ZERO]);
        batch.add_claim(&many, filler());
        assert_eq!(batch.finish(), Ok(()));
        let mut batch = with(Batch::new(&params), &[F::ZERO, F::ONE]);
        batch.add_claim(&many, filler());
        assert_eq!(batch.finish(), Err(BatchError::Invalid(vec![1])));
    }

    /// Errors that cancel as they stand in batches of their own are named after merging.
    #[test]
    fn culprits_of_merged_batches_are_named() {
        let params = Params::new(3);
        let mut batches = [Batch::new(&params), Batch::new(&params)];
        for (batch, error) in batches.iter_mut().zip([F::ONE, -F::ONE]) {
            // Drawn so that the scaled errors are opposite.
            let (bytes, msm) = claim(&params, F::ONE);
            batch.add_claim(&bytes, msm);
            batch.total = claim(&params, error).1;
            batch.named = Some(vec![claim(&params, error).1]);
        }
        let [mut merged, second] = batches;
        merged.merge(second);
        assert_eq!(merged.finish(), Err(BatchError::Invalid(vec![0, 1])));
    }

    /// Culprits are found by halving: which of up to 9 items fail, and how often is asked.
    #[test]
    fn culprits_are_found_by_halving() {
        let asked = |n: usize, pattern: u32| {
            let items: Vec<(usize, bool)> = (0..n).map(|i| (i + 10, pattern >> i & 1 == 1)).collect();
            let mut asked = 0;
            let found = culprits(&items, &mut |items| {
                asked += 1;
                items.iter().any(|item| item.1)
            });
            let expected: Vec<usize> = items.iter().filter(|item| item.1).map(|item| item.0).collect();
            assert_eq!(found, expected);
            asked
        };
        for n in 0..10 {
            (0..1 << n).for_each(|pattern| assert!(asked(n, pattern) <= 2 * n.max(1)));
        }
        // One among 32: all, then a half of each size, and the other half where the first one fails.
        assert_eq!(asked(32, 1 << 31), 1 + 5);
        assert_eq!(asked(32, 1), 1 + 2 * 5);
        assert!(asked(32, 1 << 17 | 1 << 5) < 32 / 2 + 5);
    }

    #[test]
    fn nothing_makes_an_empty_batch_valid() {
        let params = Params::new(3);
        for mut batch in [Batch::new(&params), Batch::folding(&params)] {
            batch.merge(Batch::new(&params));
            batch.merge(Batch::folding(&params));
            assert!(batch.is_empty());
            assert_eq!(batch.finish(), Err(BatchError::Empty));
        }
    }
}
