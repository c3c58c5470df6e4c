//! halo2's verifier and ours, on ten thousand proofs with something wrong: the same verdict, plain and in a batch. Where ours
//! refuses what halo2's accepts, it is by a rule on form that is named here.
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::{DEFAULT_K, ENCODED, F, Params, Point};
use backend::keys::{Item, VerifyingKey};
use backend::parameters;
use circuits::model::{Config, Hyper, Spec, State, Token};
use circuits::ops::sgd;
use circuits::segments::SegmentKind;
use circuits::statements::Domain;
use common::{KEY, ONE, ORACLE, PARAMS, THREE};
use ff::{Field, PrimeField};
use group::GroupEncoding;
use prover::engine::{Proof, prove};
use prover::{StepKeys, StepProver};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rayon::prelude::*;
use verifier::{Batch, BatchError, Oracle, VerifyError, verify};

/// Mutations of proofs of the small circuit, and of each of `nano`'s three.
const SMALL: usize = 7_000;
const NANO: usize = 1_000;

/// A proof with what is needed to verify it.
struct Subject<'a> {
    params: &'a Params,
    key: &'a VerifyingKey,
    oracle: &'a Oracle,
    proof: &'a Proof,
}

/// A proof and its instances, mutated, and what was done.
struct Mutated {
    proof: Vec<u8>,
    instances: Vec<Vec<F>>,
    what: String,
}

impl Subject<'_> {
    fn kinds(&self) -> Vec<Item> {
        let runs = self.key.shape.items(self.proof.instances.len());
        runs.into_iter().flat_map(|(kind, count)| vec![kind; count]).collect()
    }

    fn other_point(&self, number: usize) -> Point {
        let points = &self.params.generators().coefficients;
        points[number % points.len()]
    }

    /// The number-th mutation: each item of the proof and each value of the instances in turn, in one of several ways; now and
    /// then bytes or the length.
    fn mutation(&self, number: usize, rng: &mut ChaCha20Rng) -> Mutated {
        let kinds = self.kinds();
        let Proof { bytes, instances, .. } = self.proof;
        let mut mutated = Mutated { proof: bytes.clone(), instances: instances.clone(), what: String::new() };
        let values: usize = instances.iter().map(Vec::len).sum();
        let (turn, place) = (number / (kinds.len() + values), number % (kinds.len() + values));
        if let Some(value) = place.checked_sub(kinds.len()) {
            let (instance, row) = (value / instances[0].len(), value % instances[0].len());
            let column = &mut mutated.instances[instance];
            match (turn + value) % 4 {
                0 => column[row] += F::ONE,
                1 => column[row] = -column[row],
                2 => column[row] = F::random(&mut *rng),
                _ if turn % 2 == 0 => column.push(F::ZERO),
                _ => column.truncate(row),
            }
            mutated.what = format!("value {row} of instance {instance}, turn {turn}");
            return mutated;
        }
        let at = place * ENCODED;
        let item: &mut [u8] = &mut mutated.proof[at..at + ENCODED];
        let way = (turn + place) % 8;
        let new: [u8; ENCODED] = match (kinds[place], way) {
            (Item::Scalar, 0 | 1) => (scalar(item) + F::ONE).to_repr(),
            (Item::Scalar, 2) => (-scalar(item)).to_repr(),
            (Item::Scalar, 3) => F::random(&mut *rng).to_repr(),
            (Item::Scalar, 4) => [0; ENCODED],
            (Item::Scalar, 5) => [0xff; ENCODED],
            // The negative, another point of the proof, one of the parameters, none.
            (Item::Point, 0 | 1) => flipped(item, ENCODED - 1, 0x80),
            (Item::Point, 2 | 3) => bytes[..ENCODED].try_into().unwrap(),
            (Item::Point, 4) => self.other_point(place).to_bytes(),
            (Item::Point, 5) => [0; ENCODED],
            (_, 6) => flipped(item, rng.next_u32() as usize % ENCODED, 1 << (rng.next_u32() % 8)),
            _ => {
                match rng.next_u32() % 3 {
                    0 => mutated.proof.truncate(at),
                    1 => mutated.proof.extend([0; ENCODED]),
                    _ => drop(mutated.proof.drain(at..at + ENCODED)),
                }
                mutated.what = format!("length at item {place}, turn {turn}");
                return mutated;
            }
        };
        item.copy_from_slice(&new);
        mutated.what = format!("item {place}, way {way}, turn {turn}");
        mutated
    }

    /// Compares the verdicts on a mutation, and says whether it took the final multiplication to refuse it.
    fn compare(&self, mutated: &Mutated, honest_batch: &Batch<'_>) -> bool {
        let Mutated { proof, instances, what } = mutated;
        let n = self.proof.instances.len();
        let honest = *proof == self.proof.bytes && *instances == self.proof.instances;
        let stock = self.oracle.verify(self.params, proof, instances);
        let ours = verify(self.params, self.key, n, proof, instances).map(drop);
        // Beside an honest proof.
        let mut batch = honest_batch.clone();
        let added = batch.add(self.key, n, proof, instances).map(drop);
        match &ours {
            Ok(()) => {
                assert!(added.is_ok() && batch.finish().is_ok(), "{what}: {added:?}");
                assert!(stock.is_ok(), "{what}: ours alone accepts");
            }
            Err(VerifyError::Invalid) => {
                assert!(added.is_ok(), "{what}: {added:?}");
                assert_eq!(batch.finish(), Err(BatchError::Invalid(vec![])), "{what}");
                assert!(stock.is_err(), "{what}: halo2 accepts");
            }
            Err(error) => {
                // Then nothing of it is in the batch.
                assert_eq!(added.unwrap_err().to_string(), error.to_string(), "{what}");
                assert_eq!(batch.len(), 1, "{what}");
                let form = matches!(
                    error,
                    VerifyError::ProofLength { .. }
                        | VerifyError::InstanceLength { .. }
                        | VerifyError::Challenge { .. }
                );
                assert!(stock.is_err() || form, "{what}: halo2 accepts what ours refuses, as {error}");
            }
        }
        assert_eq!(ours.is_ok(), honest, "{what}");
        // The same question without the rule on challenges.
        if matches!(ours, Err(VerifyError::Challenge { .. })) {
            let ours = Oracle::ours(self.params, self.key, n, proof, instances);
            assert_eq!(ours.is_ok(), stock.is_ok(), "{what}: {ours:?}");
        }
        matches!(ours, Err(VerifyError::Invalid))
    }

    /// Of so many mutations, how many reach the final multiplication.
    fn compare_all(&self, count: usize) -> usize {
        let honest =
            Mutated { proof: self.proof.bytes.clone(), instances: self.proof.instances.clone(), what: "honest".into() };
        let mut batch = Batch::folding(self.params);
        batch.add(self.key, honest.instances.len(), &honest.proof, &honest.instances).unwrap();
        assert!(!self.compare(&honest, &batch));
        let compare = |&number: &usize| {
            let mut rng = ChaCha20Rng::seed_from_u64(number as u64);
            self.compare(&self.mutation(number, &mut rng), &batch)
        };
        (0..count).into_par_iter().filter(compare).count()
    }

    /// Exchanges each commitment of the key: the honest proof is refused.
    fn exchange_commitments(&self) {
        let (fixed, sigma) = (self.key.fixed.len(), self.key.sigma.len());
        (0..fixed + sigma).into_par_iter().for_each(|number| {
            let mut key = self.key.clone();
            let commitment = if number < fixed { &mut key.fixed[number] } else { &mut key.sigma[number - fixed] };
            *commitment = Point::from(*commitment + self.params.generators().w);
            let verdict =
                verify(self.params, &key, self.proof.instances.len(), &self.proof.bytes, &self.proof.instances);
            let read = number >= fixed || key.queries.fixed.contains(&number);
            assert_eq!(verdict.is_err(), read, "commitment {number}");
        });
        let mut key = self.key.clone();
        key.transcript += F::ONE;
        assert!(
            verify(self.params, &key, self.proof.instances.len(), &self.proof.bytes, &self.proof.instances).is_err()
        );
    }
}

fn scalar(bytes: &[u8]) -> F {
    F::from_repr(bytes.try_into().unwrap()).unwrap()
}

fn flipped(bytes: &[u8], at: usize, bits: u8) -> [u8; ENCODED] {
    let mut flipped: [u8; ENCODED] = bytes.try_into().unwrap();
    flipped[at] ^= bits;
    flipped
}

#[test]
fn mutated_proofs_of_the_small_circuit() {
    for (proof, count) in [(&*ONE, SMALL - 1_000), (&*THREE, 1_000)] {
        let subject = Subject { params: &PARAMS, key: &KEY.verifying, oracle: &ORACLE, proof };
        let invalid = subject.compare_all(count);
        assert!(invalid > count / 3, "{invalid} of {count} reach the final multiplication");
        subject.exchange_commitments();
    }
}

#[test]
fn mutated_proofs_of_nano() {
    let params = parameters::load(None, DEFAULT_K).unwrap().params;
    let spec = Spec::new(Config::NANO);
    let keys = StepKeys::generate(&params, &spec).unwrap();
    let prover = StepProver::new(&params, &keys, &spec);
    let (domain, state) = (Domain::new("a test", &[]), State::init(&spec.config, 3));
    let tokens: Vec<Token> = (0..=spec.config.context as Token).map(|t| t * 11 % 251).collect();
    let gradient = prover.gradient_tasks(&domain, &state, &[tokens]).unwrap();
    let hyper = Hyper::Sgd(sgd::Hyper { lambda: 1 << 28, mu: 1 << 35, omega: 1 << 20 });
    let update = prover.update_tasks(&domain, &state, &gradient.gradients, &hyper).unwrap();
    let of = |tasks: &[prover::task::Task], inputs, kind| {
        let task = tasks.iter().find(|task| task.segment == kind).unwrap();
        let instances = prover.fill(task, inputs).unwrap().into_iter().take(1).collect();
        prove(&params, keys.of(kind), instances, &mut |_| {}).unwrap()
    };
    for kind in SegmentKind::ALL {
        let proof = match kind {
            SegmentKind::Update => of(&update.tasks, &update.inputs, kind),
            _ => of(&gradient.tasks, &gradient.inputs, kind),
        };
        let oracle = Oracle::new(&params, keys.circuits.plan(kind)).unwrap();
        let key = keys.verifying.of(kind);
        let subject = Subject { params: &params, key, oracle: &oracle, proof: &proof };
        let invalid = subject.compare_all(NANO);
        assert!(invalid > NANO / 3, "{}: {invalid} of {NANO} reach the final multiplication", kind.name());
        subject.exchange_commitments();
    }
}
