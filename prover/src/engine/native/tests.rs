use super::columns::Columns;
use super::key::NativeKey;
use super::proof::create_proof;
use crate::engine::Cancel;
use backend::bases::Bases;
use backend::halo2::{PlanCircuit, with_columns, with_plan};
use backend::keys::Shape;
use ff::{Field, FromUniformBytes};
use halo2_proofs::plonk::{SingleVerifier, VerifyingKey, keygen_vk, verify_proof};
use halo2_proofs::poly::commitment::Params;
use halo2_proofs::transcript::{Blake2bRead, Blake2bWrite, Challenge255};
use pasta_curves::arithmetic::CurveAffine;
use pasta_curves::{EpAffine, EqAffine};
use plonkish::{Builder, Challenge, Declared, Expr, Interval, Kind, LANES, Plan, Witness, field};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeMap;
use std::sync::Arc;

const K: u32 = 8;

/// What a circuit of the tests has.
#[derive(Clone, Copy, Default)]
struct Has {
    /// Degree of a gate, its selector included.
    degree: i32,
    /// Rows that a gate looks back.
    back: i32,
    /// Columns that can be copied.
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
    let mut b = Builder::<F>::new();
    let block = b.block_at("powers", 0, 16);
    let x = if has.ports {
        let (open, secret) = (b.port("open", LANES, true), b.port("secret", LANES, false));
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
    b.public(cell, 7);
    let power = b.cell(block, power, 3);
    let (plan, witness) = b.compile_filled(K);
    let ((column, row), power) = (plan.locate(cell), plan.locate(power));
    let publics = vec![witness.values[column][row]];
    Toy { plan: Arc::new(plan), witness, publics, power }
}

struct Made<C: CurveAffine> {
    params: Params<C>,
    plan: Arc<Plan<C::ScalarExt>>,
    vk: VerifyingKey<C>,
    shape: Shape,
    key: NativeKey<C::ScalarExt>,
}

impl<C: CurveAffine> Made<C>
where
    C::ScalarExt: super::Scalar + FromUniformBytes<64>,
{
    fn new(plan: Arc<Plan<C::ScalarExt>>) -> Self {
        let params = Params::<C>::new(K);
        let circuit = PlanCircuit { plan: plan.clone(), witness: None };
        let vk = with_plan(&plan, || keygen_vk(&params, &circuit)).unwrap();
        let shape = Shape::of(&plan).unwrap();
        let key = NativeKey::new(&plan, &shape);
        Made { params, plan, vk, shape, key }
    }

    fn prove(&self, witnesses: &[Witness<C::ScalarExt>], instances: &[Vec<C::ScalarExt>], seed: u64) -> Vec<u8> {
        let (bases, mut rng) = (Bases::new(&self.params), ChaCha20Rng::seed_from_u64(seed));
        let never = Cancel::default();
        let columns = |(witness, instance): (&Witness<C::ScalarExt>, &Vec<C::ScalarExt>)| {
            let mut random = || C::ScalarExt::random(&mut rng);
            let port_columns = self.plan.port_rows.len();
            let row = |column: usize, x: C::ScalarExt| if column < port_columns { C::ScalarExt::ZERO } else { x };
            let hiding: Vec<Vec<C::ScalarExt>> = (0..self.shape.advice)
                .map(|column| (0..self.shape.blinding_rows).map(|_| row(column, random())).collect())
                .collect();
            let mut columns = Columns::<C>::new((0..self.shape.advice).map(|_| random()).collect());
            columns.commit(&bases, &witness.values, &hiding, &never).unwrap();
            columns.instance = instance.clone();
            columns
        };
        let columns = witnesses.iter().zip(instances).map(columns).collect();
        let mut transcript = Blake2bWrite::<_, C, Challenge255<C>>::init(vec![]);
        self.vk.hash_into(&mut transcript).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(seed + 1);
        create_proof(&bases, &self.key, columns, &mut transcript, &mut rng, &never).unwrap();
        transcript.finalize()
    }

    fn accepts(&self, proof: &[u8], instances: &[Vec<C::ScalarExt>]) -> bool {
        let mut transcript = Blake2bRead::<_, C, Challenge255<C>>::init(proof);
        with_columns(instances, |columns| {
            verify_proof(&self.params, &self.vk, SingleVerifier::new(&self.params), columns, &mut transcript).is_ok()
        })
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

fn proves<C: CurveAffine>(has: Has, count: usize)
where
    C::ScalarExt: super::Scalar + FromUniformBytes<64>,
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
    // Quotients of two to four pieces, one product and more, with and without ports.
    for (degree, copyable, ports) in
        [(2, 1, false), (3, 2, true), (4, 4, false), (5, 1, true), (5, 6, true), (5, 9, false)]
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

#[test]
fn proofs_of_one_witness_have_nothing_in_common_but_what_is_public() {
    let toy = circuit(Has { degree: 5, back: 1, copyable: 4, ports: true });
    let made = Made::<EqAffine>::new(toy.plan.clone());
    let (witnesses, instances) = filled(&toy, 1);
    let items = |seed: u64| -> Vec<[u8; 32]> {
        let proof = made.prove(&witnesses, &instances, seed);
        assert!(made.accepts(&proof, &instances));
        proof.as_chunks::<32>().0.to_vec()
    };
    let (a, b) = (items(1), items(2));
    let mut all: Vec<[u8; 32]> = a.iter().chain(&b).copied().collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    // Columns that are equal have equal evaluations within a proof: those of the port are read twice.
    let within = |items: &[[u8; 32]]| items.iter().collect::<std::collections::HashSet<_>>().len();
    assert_eq!(all.len(), within(&a) + within(&b), "{count} items");
    assert!(a.iter().zip(&b).all(|(a, b)| a != b));
}
