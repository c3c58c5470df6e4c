//! A chain of one honest block of a tiny model, and what a cheater makes of it.

use crate::common::golden::produce;
use crate::common::tip::{Refused, Tip};
use crate::common::{PARAMS, Setting, address, key, key_of, mine, sign};
use backend::challenge;
use backend::curve::{ENCODED, F, Point, ProofWriter};
use backend::halo2::{PlanCircuit, with_columns, with_plan};
use chain::address::Signature;
use chain::assignment::assigned;
use chain::block::{Block, Update};
use chain::consensus::SemanticError;
use chain::contribution::{Contribution, Seat, TensorsDigest, encode_points, update_domain};
use chain::genesis::ChainSpec;
use chain::unmined::{Parts, UnminedBlock};
use chain::worker::{Proven, Worker};
use circuits::arithmetic::fixed::Saturations;
use circuits::model::{Config, Gradients, Hyper, State, Token, sequence_gradient};
use circuits::segments::head::HeadValues;
use circuits::segments::layer::{self, LayerValues};
use circuits::statements;
use circuits::statements::domain::{Domain, Place};
use ff::Field;
use halo2_proofs::plonk;
use prover::blinding::{PortBlinding, derive_wire};
use prover::engine::ProofInstance;
use prover::engine::draws::Draws;
use prover::engine::script::ScriptedRng;
use prover::key::ProverKey;
use prover::step::{StepKeys, StepProver, commit_state};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::io::{self, Write};
use std::sync::{Arc, LazyLock};
use verifier::BatchError;

/// Nine tokens: two sequences of four, and what follows each.
const TOKENS: [Token; 9] = [1, 5, 2, 7, 3, 3, 0, 6, 4];

/// A chain of one honest block of two contributions.
pub struct Tiny {
    pub setting: Setting,
    pub keys: StepKeys,
    pub spec: ChainSpec,
    pub state: State,
    pub tip: Tip,
    pub honest: Vec<Proven>,
    pub block: Block,
}

pub static TINY: LazyLock<Tiny> = LazyLock::new(|| {
    let mut config = Config::NANO;
    (config.vocab, config.hidden, config.mlp) = (8, 8, 8);
    (config.layers, config.heads, config.context) = (2, 2, 4);
    let setting = Setting::new(config, &TOKENS);
    let mut state = State::init(&setting.model.config, 1);
    state
        .movement_mut()
        .unwrap()
        .iter_mut()
        .for_each(|v| v.data.iter_mut().enumerate().for_each(|(i, v)| *v = 1000 + i as i64));
    let keys = StepKeys::generate(&PARAMS, &setting.model).unwrap();
    let prover = StepProver::new(&PARAMS, &keys, &setting.model);
    let (proof, _) = prover.genesis(&state, &mut |_| {}).unwrap();
    let spec = ChainSpec::new(setting.genesis(&state, proof)).unwrap();
    let worker = Worker { spec: &spec, params: &PARAMS, keys: &keys, model: &setting.model, dataset: &setting.dataset };
    let tip = Tip::genesis(&spec);
    let contribute = |i| worker.contribute(&tip.parent(), &state, 0, &key(i), &mut |_| {}).unwrap();
    let mut honest: Vec<Proven> = [1, 2].map(contribute).into();
    honest.sort_by_key(|proven| proven.contribution.seat);
    let now = spec.genesis().time + 60;
    let (block, _) = produce(&worker, (&tip, &mut state.clone()), honest.clone(), vec![], now);
    Tiny { setting, keys, spec, state, tip, honest, block }
});

impl Tiny {
    pub fn prover(&self) -> StepProver<'_> {
        StepProver::new(&PARAMS, &self.keys, &self.setting.model)
    }

    pub fn refused(&self, block: &Block) -> Refused {
        self.tip.check(&self.setting, &self.spec, block).map(|_| ()).unwrap_err()
    }

    /// The contribution alone, as a pool checks it.
    pub fn refused_alone(&self, c: &Contribution) -> SemanticError {
        let checked = self.setting.checker(&self.spec).verify_contribution(&self.tip.parent(), c);
        checked.map(|_| ()).unwrap_err()
    }

    /// A block of these, worked on.
    pub fn block(&self, contributions: Vec<Contribution>, update: Update) -> Block {
        let contributors: Vec<_> = contributions.iter().map(|c| c.seat.contributor).collect();
        let producer = address(9);
        let ledger = self.tip.execute(&self.spec, &[], &contributors, &producer).unwrap().root;
        let now = self.block.header.time;
        let parts = Parts { contributions, transactions: vec![], update: Some(update), ledger, producer, now };
        let ancestry = self.tip.ancestry(&self.spec);
        let mut block = UnminedBlock::new(&self.spec, &self.tip.record, &ancestry, parts).unwrap().block;
        mine(&mut block);
        block
    }

    pub fn sum(&self) -> Gradients {
        let mut sum = Gradients::zeros(self.spec.config());
        self.honest.iter().for_each(|proven| sum.add(&proven.gradients));
        sum
    }

    fn domain(&self, contributions: &[Contribution]) -> Domain {
        let ids: Vec<_> = contributions.iter().map(|c| c.id(self.spec.id())).collect();
        let (parent, all) = (self.tip.parent(), chain::contribution::digest(&ids));
        update_domain(self.spec.id(), 1, (&parent.id, &parent.digest), &address(9), &all)
    }

    /// A valid proof of the update of a state by a gradient, with an opening that goes with these gradients.
    pub fn update(
        &self,
        contributions: &[Contribution],
        gradients: &[&Gradients],
        (state, sum, hyper): (&State, &Gradients, &Hyper),
    ) -> Update {
        self.update_with_blind(contributions, gradients, (state, sum, hyper), F::ONE)
    }

    /// The same, with another blind of the dividends' commitments.
    pub fn update_with_blind(
        &self,
        contributions: &[Contribution],
        gradients: &[&Gradients],
        (state, sum, hyper): (&State, &Gradients, &Hyper),
        blind: F,
    ) -> Update {
        let (domain, prover) = (self.domain(contributions), self.prover());
        let mut tasks = prover.update_tasks(&domain, state, sum, hyper).unwrap();
        for instance in tasks.tasks.iter_mut().flat_map(|task| &mut task.instances) {
            instance.ports[0] = PortBlinding::Canonical(blind);
        }
        let squares = tasks.squares.clone();
        let proofs = prover.execute_all(&tasks.tasks, &tasks.inputs, &mut |_| {}).unwrap();
        let mut moved = state.clone();
        moved.update(hyper, sum, &mut Saturations::default()).unwrap();
        let after = commit_state(&PARAMS, &self.setting.model, &moved).unwrap();
        let canonical = prover.outputs(gradients, &moved, &after).unwrap();
        Update { squares, after, proofs, canonical }
    }

    /// What the honest contributions are refused for with another update.
    pub fn refused_update(&self, by: (&State, &Gradients, &Hyper)) -> SemanticError {
        let contributions: Vec<_> = self.honest.iter().map(|proven| proven.contribution.clone()).collect();
        let gradients: Vec<_> = self.honest.iter().map(|proven| &proven.gradients).collect();
        let update = self.update(&contributions, &gradients, by);
        match self.refused(&self.block(contributions, update)) {
            Refused::Semantic(error) => error,
            error => panic!("{error:?}"),
        }
    }

    pub fn tokens(&self, leaf: u64) -> &[Token] {
        self.setting.dataset.tokens(leaf).unwrap()
    }

    pub fn leaf(&self, seat: &Seat) -> u64 {
        assigned(&self.spec.genesis().dataset, &seat.parent, &seat.contributor, seat.slot, 0)
    }

    pub fn seat_domain(&self, seat: &Seat) -> Domain {
        seat.domain(self.spec.id(), 1, &self.tip.parent().digest)
    }

    /// The instances of a gradient's layers and head, with another blind for the gradient's ports, and the gradient.
    pub fn instances(&self, seat: &Seat, blind: u64) -> (Vec<ProofInstance>, ProofInstance, u64, Gradients) {
        let (spec, domain, layers) = (&self.setting.model, self.seat_domain(seat), self.spec.config().layers);
        let trace = sequence_gradient(spec, &self.state.w, self.tokens(self.leaf(seat))).unwrap();
        let columns = self.keys.layer.verifying.shape.ports[layer::LOWER].len();
        let wire = |i: usize| derive_wire(&[7; 32], &seat.contributor.0, &[i as u8], columns);
        let (weights, gradients) = (PortBlinding::CANONICAL, PortBlinding::Canonical(F::from(blind)));
        let of_layer = |l: usize| {
            let witness = self.keys.circuits.layer.fill(&LayerValues::of(&self.state.w, &trace, l)).unwrap();
            let publics = vec![domain.context(Place::Layer { sequence: 0, layer: l as u32 })];
            let ports = vec![weights.clone(), gradients.clone(), wire(l), wire(l + 1)];
            ProofInstance { witness, publics, ports }
        };
        let loss = circuits::model::public_loss(trace.loss()).unwrap();
        let of_head = ProofInstance {
            witness: self.keys.circuits.head.fill(&HeadValues::of(&self.state.w, &trace)).unwrap(),
            publics: vec![F::from(loss), domain.context(Place::Head { sequence: 0 })],
            ports: vec![weights.clone(), gradients.clone(), wire(0), wire(layers), PortBlinding::CANONICAL],
        };
        ((0..layers).map(of_layer).collect(), of_head, loss, trace.gradients(spec))
    }

    /// A contribution of these proofs, sealed by the seat's key.
    pub fn contribution(
        &self,
        seat: Seat,
        gradient: &[Vec<Point>],
        (loss, layers, heads): (u64, Vec<u8>, Vec<u8>),
        leaf: u64,
    ) -> Contribution {
        let mut c = Contribution {
            seat,
            gradient: encode_points(gradient),
            proofs: statements::Contribution { losses: vec![loss], layers: vec![layers], heads: vec![heads] },
            leaves: vec![self.setting.dataset.proof(leaf).unwrap()],
            tensors: TensorsDigest::from_bytes([0; 32]),
            stamp: 0,
            signature: Signature([0; 64]),
        };
        sign(&self.spec, &mut c, &key_of(&seat.contributor));
        c
    }
}

pub fn culprits(error: SemanticError) -> Vec<usize> {
    let SemanticError::Proofs(BatchError::Invalid(culprits)) = error else { panic!("{error:?}") };
    culprits
}

/// A buffer that takes so many bytes and no more.
struct Head {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Head {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.bytes.len() >= self.most {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A proof of any witness, checked by nobody. The blinding is the same in both passes, so that the commitments of phase 1
/// are; the first pass ends once they are written.
pub fn forge(key: &ProverKey, mut instances: Vec<ProofInstance>) -> Vec<u8> {
    let (plan, shape) = (&key.plan, &key.verifying.shape);
    instances.iter_mut().for_each(|i| assert!(i.witness.count_lookups(plan).is_empty()));
    let publics: Vec<Vec<F>> = instances.iter().map(|i| i.publics.clone()).collect();
    let unset = challenge::unset(&publics);
    let create = |instances: &[ProofInstance], columns: &[Vec<F>], most: usize| {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let draws = instances.iter().map(|i| Draws::new(plan, shape, &i.ports, &mut rng).unwrap());
        let draws: Vec<Draws> = draws.collect();
        let scripted = ScriptedRng::new(&draws, rng);
        let witness = |i: &ProofInstance| Some(Arc::new(i.witness.clone()));
        let circuits: Vec<PlanCircuit<F>> =
            instances.iter().map(|i| PlanCircuit { plan: plan.clone(), witness: witness(i) }).collect();
        let mut head = Head { bytes: vec![], most };
        let written = with_columns((&plan.uniform, plan.k), columns, |columns| {
            with_plan(plan, || {
                let mut transcript = ProofWriter::init(&mut head);
                plonk::create_proof(
                    PARAMS.halo2(),
                    key.halo2(&PARAMS).unwrap(),
                    &circuits,
                    columns,
                    scripted,
                    &mut transcript,
                )
            })
        });
        assert_eq!(written.is_ok(), most == usize::MAX);
        head.bytes
    };
    let first = create(&instances, &unset, instances.len() * shape.advice * ENCODED);
    let drawn = key.verifying.challenges(&first, &unset);
    let columns: Vec<Vec<F>> = publics.iter().map(|publics| challenge::instance(&drawn, publics)).collect();
    instances.iter_mut().for_each(|i| i.witness.fill_phase2(plan, &drawn));
    create(&instances, &columns, usize::MAX)
}
