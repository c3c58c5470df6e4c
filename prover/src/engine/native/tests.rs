use super::columns::Columns;
use super::key::NativeKey;
use super::proof::create_proof;
use crate::engine::Cancel;
use crate::engine::draws::Draws;
use crate::engine::script::ScriptedRng;
use backend::bases::Bases;
use backend::curve::PastaCurve;
use backend::generators::Generators;
use backend::halo2::{PlanCircuit, with_columns, with_plan};
use backend::keys::Shape;
use ff::{Field, FromUniformBytes};
use group::{Curve, Group};
use halo2_proofs::plonk::{SingleVerifier, VerifyingKey, keygen_pk, keygen_vk, verify_proof};
use halo2_proofs::poly::commitment::Params;
use halo2_proofs::transcript::{Blake2bRead, Blake2bWrite, Challenge255, Transcript, TranscriptWrite};
use pasta_curves::{EpAffine, EqAffine, Fp};
use plonkish::{Blinding, Builder, Challenge, Declared, Expr, Interval, Kind, LANES, Plan, Witness, field};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

const K: u32 = 8;

/// What a circuit of the tests has.
#[derive(Clone, Copy, Debug, Default)]
struct Has {
    /// Degree of a gate, its selector included.
    degree: i32,
    /// Rows that a gate looks back.
    back: i32,
    /// Columns that can be copied; with none nothing is copied.
    copyable: usize,
    ports: bool,
}

/// A circuit, filled.
struct Toy<F> {
    plan: Arc<Plan<F>>,
    witness: Witness<F>,
    publics: Vec<F>,
    /// Column and row of a cell that one gate determines.
    power: (usize, usize),
}

/// A circuit over any field: powers of a column, copies, a port, lookups. The public value is the last sum.
fn circuit<F: plonkish::Field>(has: Has) -> Toy<F> {
    let mut b = Builder::<F>::new(K);
    let block = b.block_at("powers", 0, 16);
    let x = if has.ports {
        let (open, secret) = (b.port("open", LANES, Blinding::Canonical), b.port("secret", LANES, Blinding::Shared));
        let lanes = b.port_lanes(block, open, 0, "x");
        for lane in lanes.iter().chain(&b.port_lanes(block, secret, 0, "y")) {
            b.declare(block, *lane, Declared::outside(Interval::unsigned(12), "the test"));
            (0..16).for_each(|row| b.set(block, *lane, row, i128::from(row as u32 * 7 % 5)));
            let copy = b.column(block, Kind::Unchecked, "read");
            b.define(block, "read", copy, lane.cur(), 0..16);
        }
        lanes[0]
    } else {
        b.column(block, Kind::Limb, "x")
    };
    if !has.ports {
        (0..16).for_each(|row| b.set(block, x, row, 3 + row as i128));
    }
    let power = b.column(block, Kind::Unchecked, "power");
    let powers = |n: i32| (1..n).fold(x.cur(), |product, _| product * x.cur());
    b.define(block, "power", power, powers(has.degree - 1) + Expr::int(5), 0..16);
    let sum = b.column(block, Kind::Copyable, "sum so far");
    b.define(block, "sum begins", sum, x.cur(), 0..1);
    b.define(block, "sum goes on", sum, sum.at(-1) + x.cur(), 1..16);
    let behind = b.column(block, Kind::Unchecked, "behind");
    let reach = has.back.max(1);
    b.define(block, "behind", behind, Expr::sum((0..=reach).map(|n| x.at(-n))), reach as usize..16);
    let mut cell = b.cell(block, sum, 15);
    for i in 1..has.copyable {
        let next = b.block("copy", 1);
        let column = b.column(next, Kind::Copyable, &format!("copy {i}"));
        let here = b.cell(next, column, 0);
        b.copy(cell, here);
        cell = here;
    }
    if has.copyable > 0 {
        b.public(cell, 7);
    } else {
        // Without a permutation: the value is the same on every row.
        let value = b.uniform(7, "last sum", Declared::outside(Interval::unsigned(16), "the test"));
        b.gate(block, "the last sum is public", sum.cur() - value, 15..16);
    }
    let power = b.cell(block, power, 3);
    let (plan, witness) = b.compile_filled();
    let ((column, row), power) = (plan.locate(cell), plan.locate(power));
    let publics = vec![witness.values[column][row]];
    Toy { plan: Arc::new(plan), witness, publics, power }
}

/// A transcript one of whose items is not what the prover wrote: challenges are drawn from what stands in the proof.
struct Tampering<C: PastaCurve>
where
    C::ScalarExt: FromUniformBytes<64>,
{
    inner: Blake2bWrite<Vec<u8>, C, Challenge255<C>>,
    written: usize,
    wrong: usize,
}

impl<C: PastaCurve> Tampering<C>
where
    C::ScalarExt: FromUniformBytes<64>,
{
    fn is_wrong(&mut self) -> bool {
        self.written += 1;
        self.written - 1 == self.wrong
    }
}

impl<C: PastaCurve> Transcript<C, Challenge255<C>> for Tampering<C>
where
    C::ScalarExt: FromUniformBytes<64>,
{
    fn squeeze_challenge(&mut self) -> Challenge255<C> {
        self.inner.squeeze_challenge()
    }

    fn common_point(&mut self, point: C) -> io::Result<()> {
        self.inner.common_point(point)
    }

    fn common_scalar(&mut self, scalar: C::ScalarExt) -> io::Result<()> {
        self.inner.common_scalar(scalar)
    }
}

impl<C: PastaCurve> TranscriptWrite<C, Challenge255<C>> for Tampering<C>
where
    C::ScalarExt: FromUniformBytes<64>,
{
    fn write_point(&mut self, point: C) -> io::Result<()> {
        let point = if self.is_wrong() { (point.to_curve() + C::CurveExt::generator()).to_affine() } else { point };
        self.inner.write_point(point)
    }

    fn write_scalar(&mut self, scalar: C::ScalarExt) -> io::Result<()> {
        let scalar = if self.is_wrong() { scalar + C::ScalarExt::ONE } else { scalar };
        self.inner.write_scalar(scalar)
    }
}

/// Rows that hide each column of an instance, and the blinds of their commitments.
type Hiding<F> = (Vec<Vec<F>>, Vec<F>);

struct Made<C: PastaCurve>
where
    C::ScalarExt: super::Scalar,
{
    params: Params<C>,
    plan: Arc<Plan<C::ScalarExt>>,
    vk: VerifyingKey<C>,
    shape: Shape,
    key: NativeKey<C::ScalarExt>,
    /// The same for any processor.
    plain: NativeKey<C::ScalarExt>,
}

impl<C: PastaCurve> Made<C>
where
    C::ScalarExt: super::Scalar,
{
    fn new(plan: Arc<Plan<C::ScalarExt>>) -> Self {
        let params = Params::<C>::new(K);
        let circuit = PlanCircuit { plan: plan.clone(), witness: None };
        let vk = with_plan(&plan, || keygen_vk(&params, &circuit)).unwrap();
        let shape = Shape::of(&plan).unwrap();
        let (key, plain) = (NativeKey::new(&plan, &shape), NativeKey::plain(&plan, &shape));
        Made { params, plan, vk, shape, key, plain }
    }

    fn prove(&self, witnesses: &[Witness<C::ScalarExt>], instances: &[Vec<C::ScalarExt>], seed: u64) -> Vec<u8> {
        let proof = self.prove_tampered(&self.key, witnesses, instances, seed, usize::MAX);
        // Whatever the processor has, proofs are the same.
        assert!(proof == self.prove_tampered(&self.plain, witnesses, instances, seed, usize::MAX));
        proof
    }

    /// For each instance, what hides its advice columns, and their blinds. Ports have zeros.
    fn hiding(&self, instances: usize, seed: u64) -> Vec<Hiding<C::ScalarExt>> {
        let (shape, mut rng) = (&self.shape, ChaCha20Rng::seed_from_u64(seed));
        let mut random = || C::ScalarExt::random(&mut rng);
        let ports = self.plan.port_rows.len();
        let mut row = |column: usize| if column < ports { C::ScalarExt::ZERO } else { random() };
        let mut rows = || (0..shape.advice).map(|c| (0..shape.blinding_rows).map(|_| row(c)).collect()).collect();
        let rows: Vec<Vec<Vec<C::ScalarExt>>> = (0..instances).map(|_| rows()).collect();
        let mut blinds = || (0..shape.advice).map(|_| random()).collect();
        rows.into_iter().map(|rows| (rows, blinds())).collect()
    }

    /// As a cheater proves who goes on honestly after one wrong item.
    fn prove_tampered(
        &self,
        key: &NativeKey<C::ScalarExt>,
        witnesses: &[Witness<C::ScalarExt>],
        instances: &[Vec<C::ScalarExt>],
        seed: u64,
        wrong: usize,
    ) -> Vec<u8> {
        let (bases, never) = (Bases::new(&Generators::of(&self.params)), Cancel::default());
        let columns = |((witness, instance), (rows, blinds)): ((&Witness<_>, &Vec<_>), (Vec<Vec<_>>, Vec<_>))| {
            let mut columns = Columns::<C>::new(blinds);
            columns.commit(&bases, &witness.values, &rows, &never).unwrap();
            columns.instance = instance.clone();
            columns.uniform = self.plan.uniform_values(instance);
            columns
        };
        let hiding = self.hiding(witnesses.len(), seed);
        let columns = witnesses.iter().zip(instances).zip(hiding).map(columns).collect();
        let mut transcript = Tampering::<C> { inner: Blake2bWrite::init(vec![]), written: 0, wrong };
        self.vk.hash_into(&mut transcript).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(seed + 1);
        create_proof(&bases, key, columns, &mut transcript, &mut rng, &never).unwrap();
        transcript.inner.finalize()
    }

    fn accepts(&self, proof: &[u8], instances: &[Vec<C::ScalarExt>]) -> bool {
        let mut transcript = Blake2bRead::<_, C, Challenge255<C>>::init(proof);
        with_columns((&self.plan.uniform, K), instances, |columns| {
            verify_proof(&self.params, &self.vk, SingleVerifier::new(&self.params), columns, &mut transcript).is_ok()
        })
    }
}

impl Made<EqAffine> {
    /// The stock prover, from the same randomness.
    fn stock(&self, witnesses: &[Witness<Fp>], instances: &[Vec<Fp>], seed: u64) -> Vec<u8> {
        let circuit = |witness: Option<&Witness<Fp>>| PlanCircuit {
            plan: self.plan.clone(),
            witness: witness.map(|witness| Arc::new(witness.clone())),
        };
        let draws = self.hiding(witnesses.len(), seed).into_iter().map(|(rows, blinds)| Draws { rows, blinds });
        let rng = ScriptedRng::new(&draws.collect::<Vec<_>>(), ChaCha20Rng::seed_from_u64(seed + 1));
        let circuits: Vec<PlanCircuit<Fp>> = witnesses.iter().map(|witness| circuit(Some(witness))).collect();
        let mut transcript = Blake2bWrite::<_, EqAffine, Challenge255<EqAffine>>::init(vec![]);
        with_plan(&self.plan, || {
            let key = keygen_pk(&self.params, self.vk.clone(), &circuit(None)).unwrap();
            with_columns((&self.plan.uniform, K), instances, |columns| {
                halo2_proofs::plonk::create_proof(&self.params, &key, &circuits, columns, rng, &mut transcript)
                    .unwrap();
            });
        });
        transcript.finalize()
    }
}

/// Instances with their challenges, and witnesses with phase 2.
fn filled<F: plonkish::Field>(toy: &Toy<F>, count: usize) -> (Vec<Witness<F>>, Vec<Vec<F>>) {
    let challenges: BTreeMap<Challenge, F> =
        Challenge::ALL.iter().zip(1..).map(|(&role, i)| (role, field::<F>(1_000_003 * i + 77))).collect();
    let mut witness = toy.witness.clone();
    assert!(witness.count_lookups(&toy.plan).is_empty());
    witness.fill_phase2(&toy.plan, &challenges);
    let slots = Challenge::ALL.iter().map(|role| challenges[role]);
    let instance: Vec<F> = slots.chain(toy.publics.iter().copied()).collect();
    (vec![witness; count], vec![instance; count])
}

fn proves<C: PastaCurve>(has: Has, count: usize)
where
    C::ScalarExt: super::Scalar,
{
    let toy = circuit::<C::ScalarExt>(has);
    let made = Made::<C>::new(toy.plan.clone());
    let (witnesses, instances) = filled(&toy, count);
    let proof = made.prove(&witnesses, &instances, 5);
    assert_eq!(proof.len(), made.shape.proof_length(count));
    assert!(made.accepts(&proof, &instances));
    // Another public value, and a witness that is wrong in one gate.
    let mut other = instances.clone();
    other[count - 1][7] += C::ScalarExt::ONE;
    assert!(!made.accepts(&proof, &other));
    let mut wrong = witnesses;
    wrong[count - 1].values[toy.power.0][toy.power.1] += C::ScalarExt::ONE;
    assert!(!made.accepts(&made.prove(&wrong, &instances, 6), &instances));
}

#[test]
fn circuits_of_every_kind_are_proven() {
    // Quotients of two to four pieces, no product, one and more, with and without ports.
    for (degree, copyable, ports) in
        [(2, 1, false), (3, 2, true), (4, 4, false), (5, 0, true), (5, 1, true), (5, 6, true), (5, 9, false)]
    {
        proves::<EqAffine>(Has { degree, copyable, ports, back: 1 }, 1);
    }
    proves::<EqAffine>(Has { degree: 5, back: 5, copyable: 3, ports: false }, 1);
    proves::<EqAffine>(Has { degree: 5, back: 2, copyable: 5, ports: true }, 3);
}

/// The other curve of the cycle, for proofs of proofs.
#[test]
fn the_engine_is_generic_in_the_curve() {
    proves::<EpAffine>(Has { degree: 5, back: 1, copyable: 5, ports: true }, 2);
}

/// SOUNDNESS 29: each wrong commitment, product, quotient piece, evaluation and opening.
#[test]
fn a_proof_with_one_wrong_item_is_refused() {
    let toy = circuit(Has { degree: 5, back: 1, copyable: 4, ports: true });
    let made = Made::<EqAffine>::new(toy.plan.clone());
    let (witnesses, instances) = filled(&toy, 1);
    let items = made.shape.proof_length(1) / 32;
    assert!(made.accepts(&made.prove_tampered(&made.key, &witnesses, &instances, 3, items), &instances));
    for wrong in 0..items {
        let proof = made.prove_tampered(&made.key, &witnesses, &instances, 3, wrong);
        assert!(!made.accepts(&proof, &instances), "item {wrong} of {items}");
    }
}

/// From the same randomness both engines make the same proof, to the byte: whatever is random there is random here.
#[test]
fn proofs_are_those_of_the_stock_prover() {
    let shapes = [
        (Has { degree: 2, back: 1, copyable: 3, ports: false }, 1),
        (Has { degree: 5, back: 1, copyable: 1, ports: true }, 3),
        (Has { degree: 3, back: 2, copyable: 2, ports: true }, 2),
        (Has { degree: 4, back: 12, copyable: 4, ports: false }, 1),
        (Has { degree: 5, back: 1, copyable: 9, ports: true }, 8),
        (Has { degree: 4, back: 1, copyable: 0, ports: true }, 2),
    ];
    for (has, count) in shapes {
        let toy = circuit(has);
        let made = Made::<EqAffine>::new(toy.plan.clone());
        let (witnesses, instances) = filled(&toy, count);
        let native = made.prove(&witnesses, &instances, 9);
        assert!(made.accepts(&native, &instances));
        assert!(native == made.stock(&witnesses, &instances, 9), "{has:?}");
    }
}
