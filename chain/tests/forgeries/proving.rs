//! A cheater who proves: each of the proofs below is valid, or as valid as a cheater can make it, and states what it must
//! not. On a model of a few cells, and a data set of two sequences.

use crate::common::golden::produce;
use crate::common::tip::{Refused, Tip};
use crate::common::{PARAMS, Setting, address, key, key_of, mine, sign};
use chain::address::Signature;
use chain::block::{Block, Update};
use chain::consensus::SemanticError;
use chain::contribution::{Contribution, Seat, encode_points, update_scope};
use chain::dataset::{DatasetError, assigned};
use chain::draft::{Draft, Parts};
use chain::genesis::ChainSpec;
use chain::worker::{Proven, Worker};
use circuits::challenge;
use circuits::curve::{DEFAULT_K, ENCODED, F, Point, ProofWriter};
use circuits::fixed::Saturations;
use circuits::keys::{Item, VerifyingKey};
use circuits::model::{Config, Gradients, State, sequence_gradient};
use circuits::ops::sgd::{self, Hyper};
use circuits::plan::field;
use circuits::plan::halo::{PlanCircuit, with_plan};
use circuits::scope::{Place, Scope};
use circuits::segments::{head, layer};
use circuits::statement;
use group::GroupEncoding;
use halo2_proofs::plonk;
use prover::canonical::prove_canonical;
use prover::error::ProveError;
use prover::proof::{ProofInstance, ProverKey, prove};
use prover::rng::{Draws, PortBlinding, ScriptedRng, derive_wire};
use prover::step::{StepKeys, StepProver};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::{Arc, LazyLock};
use verifier::{BatchError, StepError, VerifyError};

/// Nine tokens: two sequences of four, and what follows each.
const TOKENS: [u8; 9] = [1, 5, 2, 7, 3, 3, 0, 6, 4];

/// A chain of one honest block of two contributions.
struct Tiny {
    setting: Setting,
    keys: StepKeys,
    spec: ChainSpec,
    state: State,
    tip: Tip,
    honest: Vec<Proven>,
    block: Block,
}

static TINY: LazyLock<Tiny> = LazyLock::new(|| {
    let mut config = Config::NANO;
    (config.vocab, config.hidden, config.mlp) = (8, 8, 8);
    (config.layers, config.heads, config.context) = (2, 2, 4);
    let setting = Setting::new(config, &TOKENS);
    let mut state = State::init(&setting.model.config, 1);
    state.v.iter_mut().for_each(|v| v.data.iter_mut().enumerate().for_each(|(i, v)| *v = 1000 + i as i64));
    let spec = ChainSpec::new(setting.genesis(&state)).unwrap();
    let keys = StepKeys::generate(&PARAMS, &setting.model).unwrap();
    let worker = Worker { spec: &spec, params: &PARAMS, keys: &keys, model: &setting.model, dataset: &setting.dataset };
    let tip = Tip::genesis(&spec);
    let contribute = |i| worker.contribute(&tip.parent(), &state, 0, &key(i), &mut |_, _| {}).unwrap();
    let mut honest: Vec<Proven> = [1, 2].map(contribute).into();
    honest.sort_by_key(|proven| proven.contribution.seat);
    let now = spec.genesis().time + 60;
    let (block, _) = produce(&worker, (&tip, &mut state.clone()), honest.clone(), vec![], now);
    Tiny { setting, keys, spec, state, tip, honest, block }
});

impl Tiny {
    fn prover(&self) -> StepProver<'_> {
        StepProver { params: &PARAMS, keys: &self.keys, spec: &self.setting.model }
    }

    fn refused(&self, block: &Block) -> Refused {
        self.tip.check(&self.setting, &self.spec, block).map(|_| ()).unwrap_err()
    }

    /// The contribution alone, as a pool checks it.
    fn refused_alone(&self, c: &Contribution) -> SemanticError {
        let checked = self.setting.checker(&self.spec).verify_contribution(&self.tip.parent(), c);
        checked.map(|_| ()).unwrap_err()
    }

    /// A block of these, sealed and worked on.
    fn block(&self, contributions: Vec<Contribution>, update: Update) -> Block {
        let contributors: Vec<_> = contributions.iter().map(|c| c.seat.contributor).collect();
        let producer = address(9);
        let ledger = self.tip.execute(&self.spec, &[], &contributors, &producer).unwrap().root;
        let now = self.block.header.time;
        let parts = Parts { contributions, transactions: vec![], update: Some(update), ledger, producer, now };
        let ancestry = self.tip.ancestry(&self.spec);
        let mut block = Draft::new(&self.spec, &self.tip.record, &ancestry, parts).unwrap().block;
        mine(&mut block);
        block
    }

    fn sum(&self) -> Gradients {
        let mut sum = Gradients::zeros(self.spec.config());
        self.honest.iter().for_each(|proven| sum.add(&proven.gradients));
        sum
    }

    fn scope(&self, contributions: &[Contribution]) -> Scope {
        let ids: Vec<_> = contributions.iter().map(|c| c.id(self.spec.id())).collect();
        let (parent, all) = (self.tip.parent(), chain::contribution::digest(&ids));
        update_scope(self.spec.id(), 1, (&parent.id, &parent.digest), &address(9), &all)
    }

    /// A valid proof of the update of a state by a gradient that is blinded as a sum of so many, with an opening that
    /// goes with these gradients.
    fn update(
        &self,
        contributions: &[Contribution],
        gradients: &[&Gradients],
        (state, sum, summands, hyper): (&State, &Gradients, u64, &Hyper),
    ) -> Update {
        let scope = self.scope(contributions);
        let prover = self.prover();
        let (proofs, after) = prover.update(&scope, state, sum, summands, hyper, &mut |_, _| {}).unwrap();
        let mut moved = state.clone();
        sgd::apply(hyper, &mut moved, sum, &mut Saturations::default());
        let canonical = prover.outputs(gradients, &moved, &after).unwrap();
        Update { after, proofs, canonical }
    }

    /// What the honest contributions are refused for with another update.
    fn refused_update(&self, by: (&State, &Gradients, u64, &Hyper)) -> SemanticError {
        let contributions: Vec<_> = self.honest.iter().map(|proven| proven.contribution.clone()).collect();
        let gradients: Vec<_> = self.honest.iter().map(|proven| &proven.gradients).collect();
        let update = self.update(&contributions, &gradients, by);
        match self.refused(&self.block(contributions, update)) {
            Refused::Semantic(error) => error,
            error => panic!("{error:?}"),
        }
    }

    fn tokens(&self, leaf: u64) -> &[u8] {
        self.setting.dataset.tokens(leaf).unwrap()
    }

    fn leaf(&self, seat: &Seat) -> u64 {
        assigned(&self.spec.genesis().dataset, &seat.parent, &seat.contributor.0, seat.slot, 0)
    }

    fn seat_scope(&self, seat: &Seat) -> Scope {
        seat.scope(self.spec.id(), 1, &self.tip.parent().digest)
    }

    /// The instances of a gradient's layers and head, with another blind for the gradient's ports, and the gradient.
    fn instances(&self, seat: &Seat, blind: u64) -> (Vec<ProofInstance>, ProofInstance, u64, Gradients) {
        let (spec, scope, layers) = (&self.setting.model, self.seat_scope(seat), self.spec.config().layers);
        let trace = sequence_gradient(spec, &self.state.w, self.tokens(self.leaf(seat))).unwrap();
        let columns = self.keys.layer.verifying.shape.ports[layer::LOWER].len();
        let wire = |i: usize| derive_wire(&[7; 32], &seat.contributor.0, &[i as u8], columns);
        let (weights, gradients) = (PortBlinding::Canonical(1), PortBlinding::Canonical(blind));
        let of_layer = |l: usize| {
            let segment = layer::build(spec, DEFAULT_K, &self.state.w.layers[l], &trace.forward[l], &trace.backward[l]);
            let publics = vec![scope.context(Place::Layer { sequence: 0, layer: l as u32 })];
            let ports = vec![weights.clone(), gradients.clone(), wire(l), wire(l + 1)];
            ProofInstance { witness: segment.witness, publics, ports }
        };
        let loss = trace.loss() as u64;
        let of_head = ProofInstance {
            witness: head::build(spec, DEFAULT_K, &self.state.w, &trace).witness,
            publics: vec![F::from(loss), scope.context(Place::Head { sequence: 0 })],
            ports: vec![weights.clone(), gradients.clone(), wire(0), wire(layers), PortBlinding::Canonical(1)],
        };
        ((0..layers).map(of_layer).collect(), of_head, loss, trace.gradients(spec))
    }

    /// A contribution of these proofs, sealed by the seat's key.
    fn contribution(
        &self,
        seat: Seat,
        gradient: &[Vec<Point>],
        (loss, layers, heads): (u64, Vec<u8>, Vec<u8>),
        leaf: u64,
    ) -> Contribution {
        let mut c = Contribution {
            seat,
            gradient: encode_points(gradient),
            proofs: statement::Contribution { losses: vec![loss], layers: vec![layers], heads: vec![heads] },
            leaves: vec![self.setting.dataset.proof(leaf).unwrap()],
            stamp: 0,
            signature: Signature([0; 64]),
        };
        sign(&self.spec, &mut c, &key_of(&seat.contributor));
        c
    }
}

fn culprits(error: SemanticError) -> Vec<usize> {
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
fn forge(key: &ProverKey, mut instances: Vec<ProofInstance>) -> Vec<u8> {
    let (plan, shape) = (&key.plan, &key.verifying.shape);
    instances.iter_mut().for_each(|i| assert!(i.witness.count_lookups(plan).is_empty()));
    let unset = challenge::scalars(&[0; 64]);
    let columns =
        |challenges| -> Vec<Vec<F>> { instances.iter().map(|i| challenge::instance(challenges, &i.publics)).collect() };
    let create = |instances: &[ProofInstance], columns: &[Vec<F>], most: usize| {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let draws = instances.iter().map(|i| Draws::new(plan, shape, &i.ports, &mut rng).unwrap());
        let draws: Vec<Draws> = draws.collect();
        let scripted = ScriptedRng::new(&draws, rng);
        let witness = |i: &ProofInstance| Some(Arc::new(i.witness.clone()));
        let circuits: Vec<PlanCircuit> =
            instances.iter().map(|i| PlanCircuit { plan: plan.clone(), witness: witness(i) }).collect();
        let columns: Vec<[&[F]; 1]> = columns.iter().map(|c| [c.as_slice()]).collect();
        let columns: Vec<&[&[F]]> = columns.iter().map(|c| &c[..]).collect();
        let mut head = Head { bytes: vec![], most };
        let written = with_plan(plan, || {
            let mut transcript = ProofWriter::init(&mut head);
            plonk::create_proof(&PARAMS, key.halo2(), &circuits, &columns, scripted, &mut transcript)
        });
        assert_eq!(written.is_ok(), most == usize::MAX);
        head.bytes
    };
    let first = create(&instances, &columns(&unset), instances.len() * shape.advice * ENCODED);
    let heads = first.chunks(shape.advice * ENCODED).take(instances.len());
    let points: Vec<&[u8]> = heads.map(|head| &head[..shape.phase1 * ENCODED]).collect();
    let zeros: Vec<Vec<F>> =
        instances.iter().map(|i| [&vec![F::from(0); challenge::SLOTS][..], &i.publics].concat()).collect();
    let drawn = challenge::scalars(&challenge::digest(plan.k, &key.verifying.digest, &zeros, &points));
    let columns = columns(&drawn);
    instances.iter_mut().for_each(|i| i.witness.fill_phase2(plan, &drawn));
    create(&instances, &columns, usize::MAX)
}

#[test]
fn the_honest_block_is_accepted() {
    let tiny = &*TINY;
    tiny.tip.check(&tiny.setting, &tiny.spec, &tiny.block).unwrap();
    // The forger's proofs of honest witnesses are valid, so what the other tests find wrong is what was altered.
    let seat = tiny.honest[0].contribution.seat;
    let (layers, head, loss, gradients) = tiny.instances(&seat, 1);
    assert_eq!(gradients, tiny.honest[0].gradients);
    let gradient = tiny.spec.layouts().commit_gradients(&PARAMS, &gradients).unwrap();
    let (layers, heads) = (forge(&tiny.keys.layer, layers), forge(&tiny.keys.head, vec![head]));
    let c = tiny.contribution(seat, &gradient, (loss, layers, heads), tiny.leaf(&seat));
    tiny.setting.checker(&tiny.spec).verify_contribution(&tiny.tip.parent(), &c).unwrap();
}

#[test]
fn updates_by_something_else() {
    let tiny = &*TINY;
    let (state, sum, hyper) = (&tiny.state, tiny.sum(), tiny.spec.hyper(0, 2).unwrap());
    let step = |error| match error {
        SemanticError::Step(error) => error,
        error => panic!("{error:?}"),
    };

    // Another sum: one entry off by one; one contribution left out; the right sum under the blind of another number.
    let mut off = sum.clone();
    off.layers[1].wq.data[5] += 1;
    let error = step(tiny.refused_update((state, &off, 2, &hyper)));
    assert!(matches!(error, StepError::GradientSum { segment: 1 }), "{error:?}");
    let error = step(tiny.refused_update((state, &tiny.honest[0].gradients, 1, &hyper)));
    assert!(matches!(error, StepError::GradientSum { segment: 0 }), "{error:?}");
    let error = step(tiny.refused_update((state, &sum, 1, &hyper)));
    assert!(matches!(error, StepError::GradientSum { segment: 0 }), "{error:?}");

    // Another state: stale momentum, a low part, weights.
    for (name, alter) in [
        ("momentum", (|s| s.v.layers[0].wo.data[3] += 1) as fn(&mut State)),
        ("low parts", |s| s.lo.layers[0].wo.data[3] ^= 1),
        ("weights", |s| s.w.layers[0].wo.data[3] += 1),
    ] {
        let mut stale = state.clone();
        alter(&mut stale);
        let error = step(tiny.refused_update((&stale, &sum, 2, &hyper)));
        let StepError::State { contribution: None, port, place } = error else { panic!("{error:?}") };
        assert_eq!((port, place), (name, Place::Update { segment: 0, group: 0 }));
    }

    // Other integers: of the next step, of another number of contributions, each off by one.
    let (next, fewer) = (tiny.spec.hyper(1, 2).unwrap(), tiny.spec.hyper(0, 1).unwrap());
    assert!(next.lambda != hyper.lambda && fewer.lambda != hyper.lambda && fewer.omega != hyper.omega);
    let [mut heavier, mut decayed] = [hyper; 2];
    (heavier.mu, decayed.omega) = (hyper.mu + 1, hyper.omega + 1);
    for other in [next, fewer, heavier, decayed] {
        assert_eq!(culprits(tiny.refused_update((state, &sum, 2, &other))), [4]);
    }
}

/// One entry +1 in one contribution and −1 in another: the sum, and with it the update, is the honest one.
#[test]
fn errors_of_two_contributions_that_cancel() {
    let tiny = &*TINY;
    let mut contributions = vec![];
    let mut gradients = vec![];
    for (proven, by) in tiny.honest.iter().zip([1i128, -1]) {
        let seat = proven.contribution.seat;
        let (mut layers, head, loss, mut gradient) = tiny.instances(&seat, 1);
        gradient.layers[1].wd.data[3] += by;
        let columns = tiny.spec.layouts().gradient_columns(1, &gradient);
        let port = tiny.keys.layer.verifying.shape.ports[layer::GRADIENTS].clone();
        let mut altered = 0;
        for (into, column) in layers[1].witness.values[port].iter_mut().zip(&columns) {
            for (cell, &value) in into.iter_mut().zip(column) {
                altered += usize::from(*cell != field(value));
                *cell = field(value);
            }
        }
        assert_eq!(altered, 1);
        // The prover gives out no such proof; the cheater's own does.
        if by == 1 {
            let refused = prove(&PARAMS, &tiny.keys.layer, layers.clone(), &mut |_| {}).map(|_| ());
            assert!(matches!(refused, Err(ProveError::Unsatisfied { instance: 1, .. })), "{refused:?}");
        }
        let commitments = tiny.spec.layouts().commit_gradients(&PARAMS, &gradient).unwrap();
        let (layers, heads) = (forge(&tiny.keys.layer, layers), forge(&tiny.keys.head, vec![head]));
        let c = tiny.contribution(seat, &commitments, (loss, layers, heads), tiny.leaf(&seat));
        assert_eq!(culprits(tiny.refused_alone(&c)), [0]);
        contributions.push(c);
        gradients.push(gradient);
    }
    let sum = tiny.sum();
    let hyper = tiny.spec.hyper(0, 2).unwrap();
    let both: Vec<&Gradients> = gradients.iter().collect();
    let update = tiny.update(&contributions, &both, (&tiny.state, &sum, 2, &hyper));
    assert_eq!(update.after, tiny.block.update.as_ref().unwrap().after);
    let Refused::Semantic(error) = tiny.refused(&tiny.block(contributions, update)) else { panic!("another rule") };
    assert_eq!(culprits(error), [0, 2]);

    // Only the commitments that are signed say so, not the ports.
    let mut contributions: Vec<_> = tiny.honest.iter().map(|proven| proven.contribution.clone()).collect();
    for (c, gradient) in contributions.iter_mut().zip(&gradients) {
        c.gradient = encode_points(&tiny.spec.layouts().commit_gradients(&PARAMS, gradient).unwrap());
        sign(&tiny.spec, c, &key_of(&c.seat.contributor));
    }
    let update = tiny.block.update.clone().unwrap();
    let Refused::Semantic(error) = tiny.refused(&tiny.block(contributions, update)) else { panic!("another rule") };
    assert!(matches!(error, SemanticError::Gradient { index: 0 }), "{error:?}");
}

/// A gradient whose commitments have blind 2: all proofs and all sums hold, but nobody who recomputes the commitments
/// from the tensors would find them.
#[test]
fn a_gradient_with_another_blind() {
    let tiny = &*TINY;
    let (seat, layouts) = (tiny.honest[0].contribution.seat, tiny.spec.layouts());
    let (layers, head, loss, gradients) = tiny.instances(&seat, 2);
    let layers = prove(&PARAMS, &tiny.keys.layer, layers, &mut |_| {}).unwrap();
    let head = prove(&PARAMS, &tiny.keys.head, vec![head], &mut |_| {}).unwrap();
    let ports = layers.ports.iter().map(|ports| ports[layer::GRADIENTS].clone());
    let commitments: Vec<Vec<Point>> = ports.chain([head.ports[0][head::GRADIENTS].clone()]).collect();
    let c = tiny.contribution(seat, &commitments, (loss, layers.bytes, head.bytes), tiny.leaf(&seat));
    // The blind is the block's business: alone, the contribution holds. Whoever has its tensors sees the difference.
    let parent = tiny.tip.parent();
    tiny.setting.checker(&tiny.spec).verify_contribution(&parent, &c).unwrap();
    assert_ne!(encode_points(&layouts.commit_gradients(&PARAMS, &gradients).unwrap()), c.gradient);

    // The update opens the sum of one gradient with blind 2.
    let hyper = tiny.spec.hyper(0, 1).unwrap();
    let one = std::slice::from_ref(&c);
    let by = (&tiny.state, &gradients, 2, &hyper);
    let honest_opening = tiny.update(one, &[&gradients], by);
    let refused = |update: &Update| match tiny.refused(&tiny.block(vec![c.clone()], update.clone())) {
        Refused::Semantic(error) => error,
        error => panic!("{error:?}"),
    };
    // Layer, head, update, opening: only the last one does not hold, whichever commitments it is of.
    assert_eq!(culprits(refused(&honest_opening)), [3]);
    let mut moved = tiny.state.clone();
    sgd::apply(&hyper, &mut moved, &gradients, &mut Saturations::default());
    let mut columns: Vec<Vec<F>> = vec![];
    for segment in 0..layouts.segments() {
        let of_segment = layouts.gradient_columns(segment, &gradients);
        columns.extend(of_segment.into_iter().map(|column| column.into_iter().map(field).collect::<Vec<F>>()));
    }
    for segment in 0..layouts.segments() {
        let of_segment = layouts.state_columns(segment, &moved).into_iter().flatten();
        columns.extend(of_segment.map(|column| column.into_iter().map(|x| field(x.into())).collect::<Vec<F>>()));
    }
    let points: Vec<Point> =
        commitments.iter().flatten().copied().chain(honest_opening.after.points().unwrap()).collect();
    let canonical = prove_canonical(&PARAMS, &columns, &points).unwrap();
    let mut forged = Update { canonical, ..honest_opening };
    assert_eq!(culprits(refused(&forged)), [3]);
    // The blind that is left, shown.
    let last = forged.canonical.len() - ENCODED;
    forged.canonical[last] = 1;
    let error = refused(&forged);
    let SemanticError::Step(StepError::Canonical { source: VerifyError::Blind }) = error else { panic!("{error:?}") };
}

#[test]
fn gradients_of_another_batch_or_state() {
    let tiny = &*TINY;
    let honest = &tiny.honest[0].contribution;
    let (seat, assigned) = (honest.seat, tiny.leaf(&honest.seat));
    let prover = tiny.prover();
    let proven = |state: &State, leaf: u64, path: u64| {
        let batch = [tiny.tokens(leaf).to_vec()];
        let gradient = prover.gradient(&tiny.seat_scope(&seat), state, &batch, &mut |_, _| {}).unwrap();
        let commitments = tiny.spec.layouts().commit_gradients(&PARAMS, &gradient.gradients).unwrap();
        let statement::Contribution { losses, mut layers, mut heads } = gradient.contribution;
        tiny.contribution(seat, &commitments, (losses[0], layers.remove(0), heads.remove(0)), path)
    };
    // A leaf of the data set that is not the assigned one, with its own path and with the assigned one's.
    let other = 1 - assigned;
    let mut elsewhere = proven(&tiny.state, other, other);
    for path in [other, assigned] {
        elsewhere.leaves[0] = tiny.setting.dataset.proof(path).unwrap();
        let error = tiny.refused_alone(&elsewhere);
        let SemanticError::Batch { index: 0, sequence: 0, source } = error else { panic!("{error:?}") };
        assert_eq!(source, DatasetError::NotIncluded { index: assigned });
    }
    // The other contributor's seat is assigned that leaf or this one: the proofs name the first contributor.
    let mut renamed = elsewhere;
    renamed.seat.contributor = crate::common::tried_keys()
        .map(|key| key.address())
        .find(|a| tiny.leaf(&Seat { contributor: *a, ..seat }) == other)
        .unwrap();
    let thief = crate::common::tried_keys().find(|key| key.address() == renamed.seat.contributor).unwrap();
    renamed.leaves[0] = tiny.setting.dataset.proof(other).unwrap();
    sign(&tiny.spec, &mut renamed, &thief);
    assert_eq!(culprits(tiny.refused_alone(&renamed)), [0, 1]);

    // At a state that is not the parent's: one weight is off by one.
    let mut stale = tiny.state.clone();
    stale.w.layers[1].wq.data[0] += 1;
    let error = tiny.refused_alone(&proven(&stale, assigned, assigned));
    let SemanticError::Step(StepError::State { contribution: Some(0), place, port: "weights" }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(place, Place::Layer { sequence: 0, layer: 1 });

    // Layers in each other's place.
    let mut permuted = honest.clone();
    let advice = tiny.keys.layer.verifying.shape.advice * ENCODED;
    let (first, second) = permuted.proofs.layers[0].split_at_mut(advice);
    first.swap_with_slice(&mut second[..advice]);
    let error = tiny.refused_alone(&permuted);
    let SemanticError::Step(StepError::State { contribution: Some(0), place, port: "weights" }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(place, Place::Layer { sequence: 0, layer: 0 });
}

/// All commitments of a proof but the canonical ports'.
fn private(key: &VerifyingKey, instances: usize, proof: &[u8], secret: [usize; 2]) -> Vec<[u8; ENCODED]> {
    let shape = &key.shape;
    let canonical: HashSet<usize> = (0..instances)
        .flat_map(|i| {
            let ports = shape.ports.iter().enumerate().filter(|(port, _)| !secret.contains(port));
            ports.flat_map(move |(_, range)| range.clone().map(move |column| i * shape.advice + column))
        })
        .collect();
    let kinds = shape.items(instances).into_iter().flat_map(|(kind, n)| std::iter::repeat_n(kind, n));
    let items = kinds.zip(proof.as_chunks::<ENCODED>().0).enumerate();
    items
        .filter(|(i, (kind, _))| *kind == Item::Point && !canonical.contains(i))
        .map(|(_, (_, point))| *point)
        .collect()
}

#[test]
fn the_same_witness_under_two_scopes_shares_no_private_commitment() {
    let tiny = &*TINY;
    let honest = &tiny.honest[0].contribution;
    let seat = Seat { slot: 1, ..honest.seat };
    let batch = [tiny.tokens(tiny.leaf(&honest.seat)).to_vec()];
    let again = tiny.prover().gradient(&tiny.seat_scope(&seat), &tiny.state, &batch, &mut |_, _| {}).unwrap();
    assert_eq!(again.gradients, tiny.honest[0].gradients);
    let wires = [layer::LOWER, layer::UPPER];
    let points = |c: &statement::Contribution| {
        let layers = private(&tiny.setting.keys.layer, 2, &c.layers[0], wires);
        [layers, private(&tiny.setting.keys.head, 1, &c.heads[0], wires)].concat()
    };
    let (first, second) = (points(&honest.proofs), points(&again.contribution));
    let distinct = |points: &[[u8; ENCODED]]| points.iter().copied().collect::<HashSet<_>>();
    // Within one contribution, each of three boundaries has two ends, and nothing else repeats.
    let columns = tiny.setting.keys.layer.shape.ports[layer::LOWER].len();
    for points in [&first, &second] {
        assert!(points.len() > 200, "{}", points.len());
        assert_eq!(distinct(points).len(), points.len() - 3 * columns);
    }
    assert!(distinct(&first).is_disjoint(&distinct(&second)));
    // What is canonical is the same.
    let port = tiny.setting.keys.head.shape.ports[head::GRADIENTS].clone();
    let gradient = |c: &statement::Contribution| c.heads[0].as_chunks::<ENCODED>().0[port.clone()].to_vec();
    assert_eq!(gradient(&honest.proofs), gradient(&again.contribution));
    assert_eq!(gradient(&honest.proofs), honest.gradient[2]);
    assert!(honest.gradient[2].iter().all(|bytes| Point::from_bytes(bytes).is_some().into()));
}
