//! A first state whose weights are arbitrary field elements (25 of the list of forgeries): with it every proof of a step
//! holds, whatever loss and whatever end are wished for. Only what shows the first state's range tells.
#![allow(clippy::unwrap_used)]

use backend::curve::{CIRCUIT_VERSION, DEFAULT_K, F, Params, Point};
use backend::ports::commit_port;
use backend::{Plan, Witness, parameters};
use circuits::arithmetic::fixed::Saturations;
use circuits::arithmetic::tensor::{Matrix, Tensor, Wide};
use circuits::model::{
    Config, HeadTrace, Optimizer, OptimizerKind, Schedule, SequenceTrace, Spec, SquareSum, State, Token, Weights,
    embed, embedding_backward, head_forward, layer_backward, layer_forward,
};
use circuits::ops::sgd::{self, Element, dividend};
use circuits::ops::{cross_entropy, rmsnorm};
use circuits::segments::head::HeadValues;
use circuits::segments::layer::LayerValues;
use circuits::segments::update::UpdateValues;
use circuits::segments::{head, layer};
use circuits::statements::domain::{Domain, Place};
use circuits::statements::{
    Bundle, Contribution, Disclosure, Encoding, GenesisProof, Layouts, MAX_INSTANCES_PER_PROOF, Run, RunData, RunError,
    SegmentState, StateCommitments,
};
use ff::Field;
use group::GroupEncoding;
use plonkish::{LANES, field};
use prover::blinding::{PortBlinding, derive_wire};
use prover::canonical::prove_canonical;
use prover::engine::{ProofInstance, prove};
use prover::error::ProveError;
use prover::key::ProverKey;
use prover::step::{StepKeys, StepOf, StepProver, commit_state};
use std::sync::LazyLock;
use verifier::{RunRefused, RunVerifier, StepError, StepVerifier};

static PARAMS: LazyLock<Params> = LazyLock::new(|| parameters::load(None, DEFAULT_K).unwrap().params);
static SPEC: LazyLock<Spec> = LazyLock::new(|| Spec::new(tiny()));
static PROVING: LazyLock<StepKeys> = LazyLock::new(|| StepKeys::generate(&PARAMS, &SPEC).unwrap());
static VERIFYING: LazyLock<StepVerifier> = LazyLock::new(|| StepVerifier::new(&PARAMS, &SPEC.config).unwrap());

/// One layer, few cells, a head of its own, more features than tokens in a sequence.
fn tiny() -> Config {
    let mut config = Config::NANO.untied();
    (config.vocab, config.hidden, config.mlp) = (8, 8, 8);
    (config.layers, config.heads, config.context) = (1, 2, 4);
    config.check().unwrap();
    config
}

fn prover() -> StepProver<'static> {
    StepProver::new(&PARAMS, &PROVING, &SPEC)
}

const TOKENS: [Token; 5] = [1, 5, 2, 7, 3];

fn run(genesis: StateCommitments) -> Run {
    Run {
        circuits: CIRCUIT_VERSION,
        config: SPEC.config.to_json(),
        genesis,
        taken: 0,
        disclosure: Disclosure::Public,
        data: RunData::Corpus([0; 32]),
        seed: 1,
        batch: 1,
        accumulate: 1,
        schedule: Schedule::constant(&"0.05".parse().unwrap()).unwrap(),
        optimizer: Optimizer::Sgd { momentum: "0.9".parse().unwrap(), weight_decay: "0".parse().unwrap(), clip: None },
        instances_per_proof: MAX_INSTANCES_PER_PROOF,
    }
}

/// A state of field elements: `[segment][port][column]`.
type FieldState = Vec<[Vec<Vec<F>>; 3]>;

fn in_field(weights: &Weights) -> circuits::model::Parameters<Matrix<F>> {
    let tensor =
        |t: &Tensor| Matrix { rows: t.rows, cols: t.cols, data: t.data.iter().map(|&x| field(x.into())).collect() };
    let mut tensors = weights.iter().map(tensor);
    circuits::model::Parameters::build(&SPEC.config, |_| tensors.next().unwrap())
}

/// The columns of a state of small integers.
fn columns(layouts: &Layouts, segment: usize, state: &State) -> [Vec<Vec<F>>; 3] {
    let port = |port: Vec<Vec<i128>>| port.into_iter().map(|c| c.into_iter().map(field).collect()).collect();
    layouts.state_columns(segment, state).into_iter().map(port).collect::<Vec<_>>().try_into().unwrap()
}

fn commit(state: &FieldState) -> StateCommitments {
    let port = |columns: &Vec<Vec<F>>| -> Vec<Encoding> {
        commit_port(&PARAMS, columns).unwrap().iter().map(Point::to_bytes).collect()
    };
    let segment = |of: &[Vec<Vec<F>>; 3]| SegmentState::of(OptimizerKind::Sgd, of.iter().map(port).collect());
    StateCommitments { segments: state.iter().map(segment).collect() }
}

/// Puts columns in the place of a port's.
fn overwrite(plan: &Plan, witness: &mut Witness, port: usize, columns: &[Vec<F>]) {
    for (at, column) in plan.port_columns(port).zip(columns) {
        witness.values[at].copy_from_slice(column);
    }
}

/// Solves `H·hᵀ = logits` for the head H, `[V × d]`, over the field: as many equations a row as there are tokens, and
/// more unknowns.
fn solve_head(h: &Tensor, logits: &Wide) -> Matrix<F> {
    let (rows, d) = h.shape();
    let mut heads = Matrix { rows: logits.cols, cols: d, data: vec![F::ZERO; logits.cols * d] };
    for v in 0..logits.cols {
        let mut system: Vec<Vec<F>> = (0..rows)
            .map(|t| h.row(t).iter().map(|&x| field(x.into())).chain([field(logits.at(t, v))]).collect())
            .collect();
        let mut pivots = vec![];
        for row in 0..rows {
            let column = (0..d).find(|&c| system[row][c] != F::ZERO).expect("the features of tokens are independent");
            let inverse = system[row][column].invert().unwrap();
            system[row].iter_mut().for_each(|x| *x *= inverse);
            for other in (0..rows).filter(|&other| other != row) {
                let factor = system[other][column];
                let pivot = system[row].clone();
                system[other].iter_mut().zip(pivot).for_each(|(x, p)| *x -= factor * p);
            }
            pivots.push(column);
        }
        for (row, column) in pivots.into_iter().enumerate() {
            heads.data[v * d + column] = system[row][d];
        }
    }
    heads
}

/// The forged first state, the step from it, and the state that the forger wished for.
struct Forged {
    run: Run,
    state: FieldState,
    wished: State,
    bundle: Bundle,
}

static FORGED: LazyLock<Forged> = LazyLock::new(|| {
    let honest = State::init(&SPEC.config, 1);
    let wished = State::init(&SPEC.config, 9);
    let (config, layouts) = (&SPEC.config, Layouts::new(&SPEC.config));
    let mut s = Saturations::default();

    // Forward up to the head, honestly.
    let (tokens, targets) = (&TOKENS[..4], &TOKENS[1..]);
    let x0 = embed(&honest.w.embed, tokens);
    let forward = layer_forward(&SPEC, &honest.w.layers[0], &x0, &mut s);
    let norm = head_forward(&SPEC, honest.w.head_matrix(), &honest.w.norm_f, &forward.x_out, &mut s).norm;
    // Logits of a model that is certain and right: no loss, no gradient.
    let logits = Wide::from_fn(4, 8, |t, v| if targets[t] as usize == v { 0 } else { -(1 << 30) });
    let heads = solve_head(&norm.h, &logits);
    assert!(heads.data.iter().any(|x| bytes_above(x, 16) && bytes_above(&-*x, 16)), "small integers after all");
    let loss = cross_entropy::forward_backward(&logits, targets, &SPEC.tables.head, &SPEC.tables.log);
    assert!(loss.dlog.data.iter().all(|&x| x == 0) && loss.total < 16, "{}", loss.total);
    let norm_backward = rmsnorm::backward(&norm, &honest.w.norm_f, &Tensor::zeros(4, 8), None, &mut s);
    let backward = layer_backward(&SPEC, &honest.w.layers[0], &forward, &norm_backward.dx, &mut s);
    assert!(backward.grads.fields().iter().all(|g| g.data.iter().all(|&x| x == 0)));
    let d_embed = embedding_backward(&SPEC, backward.dx_in(), tokens);
    let head = HeadTrace {
        x: forward.x_out.clone(),
        norm,
        logits,
        loss,
        zdh: Wide::zeros(4, 8),
        dh: Tensor::zeros(4, 8),
        norm_backward,
        d_head: Wide::zeros(8, 8),
    };
    let trace = SequenceTrace {
        tokens: tokens.to_vec(),
        targets: targets.to_vec(),
        x0,
        forward: vec![forward],
        head,
        backward: vec![backward],
        d_embed,
        saturations: s,
    };

    // The first state: such low parts that together with these weights they are the wished state.
    let mut w = in_field(&honest.w);
    w.head = Some(heads);
    let (wished_w, wished_lo) = (in_field(&wished.w), in_field(&wished.lo));
    let shift = F::from(1 << 24);
    let mut lo = in_field(&wished.lo);
    for (((lo, w), wished_w), wished_lo) in lo.iter_mut().zip(w.iter()).zip(wished_w.iter()).zip(wished_lo.iter()) {
        for (i, x) in lo.data.iter_mut().enumerate() {
            *x = wished_w.data[i] * shift + wished_lo.data[i] - w.data[i] * shift;
        }
    }
    let v = in_field(&Weights::zeros(config));
    let state: FieldState = (0..2).map(|segment| [&w, &lo, &v].map(|p| layouts.columns(segment, p))).collect();
    let before = commit(&state);
    let run = run(before.clone());
    let (id, digest) = (run.id().unwrap(), before.digest());

    // The gradient's proofs.
    let domain = Run::contribution_domain(&id, 0, &digest, 0);
    let columns = PROVING.layer.plan.ports[layer::LOWER].columns;
    let wire = |boundary: u8| derive_wire(&[7; 32], domain.bytes(), &[boundary], columns);
    let canonical = || PortBlinding::CANONICAL;
    let of_layer = PROVING.circuits.layer.fill(&LayerValues::of(&honest.w, &trace, 0)).unwrap();
    let layer_instance = ProofInstance {
        witness: of_layer,
        publics: vec![domain.context(Place::Layer { sequence: 0, layer: 0 })],
        ports: vec![canonical(), canonical(), wire(0), wire(1)],
    };
    let layers = prove(&PARAMS, &PROVING.layer, vec![layer_instance], &mut |_| {}).unwrap();
    let mut of_head = PROVING.circuits.head.fill(&HeadValues::of(&honest.w, &trace)).unwrap();
    overwrite(&PROVING.head.plan, &mut of_head, head::WEIGHTS, &state[1][0]);
    let loss = u64::try_from(trace.loss()).unwrap();
    let head_instance = ProofInstance {
        witness: of_head,
        publics: vec![F::from(loss), domain.context(Place::Head { sequence: 0 })],
        ports: vec![canonical(), canonical(), wire(0), wire(1), canonical()],
    };
    let heads = prove(&PARAMS, &PROVING.head, vec![head_instance], &mut |_| {}).unwrap();

    // The update, from the forged state to the wished one.
    let instances = update_instances(&Run::update_domain(&id, 0, &digest), &wished);
    let updates = prove(&PARAMS, &PROVING.update, instances, &mut |_| {}).unwrap();
    let canonical = outputs(&wished);
    let contributions = vec![Contribution { losses: vec![loss], layers: vec![layers.bytes], heads: vec![heads.bytes] }];
    let bundle = bundle_of((&run, 0, before), contributions, vec![updates.bytes], canonical);
    Forged { run, state, wished, bundle }
});

fn bytes_above(x: &F, n: usize) -> bool {
    use ff::PrimeField;
    x.to_repr()[n..].iter().any(|&b| b != 0)
}

/// A public step of SGD.
fn bundle_of(
    (run, step, before): (&Run, u64, StateCommitments),
    contributions: Vec<Contribution>,
    updates: Vec<Vec<u8>>,
    canonical: Vec<u8>,
) -> Bundle {
    let run = run.clone();
    Bundle { run, step, before, contributions, leaves: vec![], squares: vec![], updates, canonical, private: None }
}

/// Update instances that leave weights in range, from whatever the verifier takes their dividends from.
fn update_instances(domain: &Domain, to: &State) -> Vec<ProofInstance> {
    let layouts = Layouts::new(&SPEC.config);
    let instance = |(segment, group): (usize, usize)| {
        let [w, lo, _] = <[_; 3]>::try_from(layouts.state_columns(segment, to)).unwrap();
        let lanes: [Vec<i128>; LANES] = std::array::from_fn(|lane| {
            let c = group * LANES + lane;
            (0..w[c].len()).map(|row| kept(Element { w: w[c][row] as i64, lo: lo[c][row] as i64, v: 0 })).collect()
        });
        let witness = PROVING.circuits.update.fill(&UpdateValues { integers: vec![], entering: vec![lanes] }).unwrap();
        let place = Place::Update { segment: segment as u32, group: group as u32 };
        ProofInstance { witness, publics: vec![domain.context(place)], ports: of_update() }
    };
    layouts.updates().into_iter().map(instance).collect()
}

/// The dividend that leaves an element's weight as it is.
fn kept(e: Element) -> i128 {
    dividend(&sgd::Hyper::IDENTITY, &e, 0).unwrap()
}

/// The blinding of an update's ports.
fn of_update() -> Vec<PortBlinding> {
    vec![PortBlinding::CANONICAL; 3]
}

/// The opening of a gradient of zeros and of a state.
fn outputs(state: &State) -> Vec<u8> {
    let layouts = Layouts::new(&SPEC.config);
    let zeros = circuits::model::Gradients::zeros(&SPEC.config);
    let of_gradient = (0..2).flat_map(|segment| layouts.gradient_columns(segment, &zeros));
    let of_state = (0..2).flat_map(|segment| layouts.state_columns(segment, state)).flatten();
    let columns: Vec<Vec<F>> = of_gradient
        .map(|column| column.into_iter().map(field).collect())
        .chain(of_state.map(|column| column.into_iter().map(field).collect()))
        .collect();
    prove_canonical(&PARAMS, &columns, &commit_port(&PARAMS, &columns).unwrap()).unwrap()
}

fn verify<'a>(
    run: &'a Run,
    bundle: &Bundle,
    show: impl FnOnce(RunVerifier<'a>) -> Result<RunVerifier<'a>, RunRefused>,
) -> Result<verifier::VerifiedRun, RunRefused> {
    show(RunVerifier::new(&PARAMS, &VERIFYING, run, None)?)?.step(bundle)?.finish()
}

/// Every proof of the step holds: no loss, and any end. It holds on a condition, and says so.
#[test]
fn a_step_from_field_elements_holds_and_nothing_shows_its_first_state() {
    let Forged { run, wished, bundle, .. } = &*FORGED;
    let verified = verify(run, bundle, Ok).unwrap();
    assert!(!verified.basis.is_some());
    assert!(verified.steps[0].mean_loss().unwrap() < 1e-6);
    assert_eq!(verified.after, commit_state(&PARAMS, &SPEC, wished).unwrap());
    // halo2's verifier accepts each proof as well: the circuits have no hole that only ours does not see.
    let both = StepVerifier::new(&PARAMS, &SPEC.config).unwrap().with_oracles(&PARAMS, &PROVING.circuits).unwrap();
    let by_both = RunVerifier::new(&PARAMS, &both, run, None).unwrap().step(bundle).unwrap().finish().unwrap();
    assert_eq!(by_both.after, verified.after);
}

/// 7.1: no proof of another state, of another model or of this state passes for it.
#[test]
fn no_genesis_proof_is_of_field_elements() {
    let Forged { run, wished, bundle, .. } = &*FORGED;
    let with = |proof: &GenesisProof| match verify(run, bundle, |v| v.genesis_proof(proof)).unwrap_err() {
        RunRefused::Genesis(source) => *source,
        other => panic!("{other}"),
    };
    let honest = prover().genesis(&State::init(&SPEC.config, 1), &mut |_| {}).unwrap().0;
    assert!(matches!(with(&honest), StepError::Genesis { segment: 0, port: "low parts" }));
    // What the forger can prove in the domain of his state: an update to what it is not.
    let domain = GenesisProof::domain(&SPEC.config, &run.genesis);
    let instances = update_instances(&domain, wished);
    let updates = vec![prove(&PARAMS, &PROVING.update, instances, &mut |_| {}).unwrap().bytes];
    let forged =
        GenesisProof { instances_per_proof: MAX_INSTANCES_PER_PROOF, updates, canonical: bundle.canonical.clone() };
    assert!(matches!(with(&forged), StepError::Genesis { .. }));
    let none = GenesisProof { instances_per_proof: MAX_INSTANCES_PER_PROOF, ..GenesisProof::default() };
    assert!(matches!(with(&none), StepError::Count { what: "proofs", found: 0, .. }));
    assert!(matches!(with(&GenesisProof::default()), StepError::Run(RunError::Instances(0))));

    // The tensors that are offered are in range, so their commitments are others.
    let offered = verify(run, bundle, |v| v.tensors(&State::init(&SPEC.config, 1))).unwrap_err();
    assert!(matches!(offered, RunRefused::OtherState { step: 0 }));
    let mut beyond = State::init(&SPEC.config, 1);
    beyond.w.norm_f.data[0] = 1 << 20;
    let beyond = verify(run, bundle, |v| v.tensors(&beyond)).unwrap_err();
    assert!(matches!(beyond, RunRefused::Tensors(_)));
}

/// 7.1: the constraint that keeps field elements out of an update's new ports.
#[test]
fn an_update_that_leaves_field_elements_breaks_the_gate_of_its_port() {
    let Forged { state, wished, .. } = &*FORGED;
    let domain = Domain::new("a test", &[]);
    for (port, which, gate) in [(1, 0, "new weight"), (2, 1, "new low part")] {
        // The head's lane group, where the field elements are.
        let mut instance = update_instances(&domain, wished).pop().unwrap();
        overwrite(&PROVING.update.plan, &mut instance.witness, port, &state[1][which][..LANES]);
        let error = prove(&PARAMS, &PROVING.update, vec![instance], &mut |_| {}).unwrap_err();
        let ProveError::Unsatisfied { violation, .. } = error else { panic!("{error}") };
        assert!(violation.to_string().contains(gate), "{violation}");
    }
}

/// 7.3: an honest genesis in the run, field elements in a later bundle's `before`.
#[test]
fn a_later_bundle_does_not_borrow_the_genesis() {
    let honest = State::init(&SPEC.config, 1);
    let genesis = commit_state(&PARAMS, &SPEC, &honest).unwrap();
    let run = run(genesis.clone());
    let batch = [vec![TOKENS.to_vec()].into()];
    let mut state = honest.clone();
    let (first, _) =
        prover().step(StepOf { run: &run, step: 0, before: &genesis }, &mut state, &batch, &mut |_| {}).unwrap();

    // A step 1 that begins with field elements: the forged update, in the domain of this run's step 1.
    let before = FORGED.bundle.before.clone();
    let mut later = FORGED.bundle.clone();
    (later.run, later.step) = (run.clone(), 1);
    // Alone it cannot say what shows its first state; after the honest step it does not begin where that ended.
    let alone = RunVerifier::starting_at(&PARAMS, &VERIFYING, (&run, 1, &before), None).unwrap();
    let proof = prover().genesis(&honest, &mut |_| {}).unwrap().0;
    assert!(matches!(alone.genesis_proof(&proof).map(|_| ()), Err(RunRefused::TooLate)));
    let of_first = std::slice::from_ref(&first);
    let after = RunVerifier::after(&PARAMS, &VERIFYING, of_first, None).unwrap().step(&later).map(|_| ());
    let Err(RunRefused::Step { step: 1, source }) = after else { panic!("another rule") };
    assert!(matches!(*source, StepError::Before { step: 1 }), "{source}");
    let alone = RunVerifier::starting_at(&PARAMS, &VERIFYING, (&run, 1, &before), None).unwrap();
    assert!(matches!(alone.tensors(&state).map(|_| ()), Err(RunRefused::OtherState { step: 1 })));
    // No step comes before step 0, that with the last number neither.
    let mut last = first.clone();
    last.step = u64::MAX;
    let after = RunVerifier::after(&PARAMS, &VERIFYING, std::slice::from_ref(&last), None).map(|_| ());
    assert!(matches!(after, Err(RunRefused::LastNumber)), "{after:?}");
    // And a step 0 begins at its run's genesis, whatever the bundle says.
    let elsewhere = RunVerifier::starting_at(&PARAMS, &VERIFYING, (&run, 0, &before), None).map(|_| ());
    let Err(RunRefused::Step { step: 0, source }) = elsewhere else { panic!("another rule") };
    assert!(matches!(*source, StepError::Before { step: 0 }), "{source}");

    // Honest steps: the one before shows the state, and so do the tensors.
    let (second, _) = prover()
        .step(
            StepOf { run: &run, step: 1, before: &commit_state(&PARAMS, &SPEC, &state).unwrap() },
            &mut state.clone(),
            &batch,
            &mut |_| {},
        )
        .unwrap();
    let begun = RunVerifier::new(&PARAMS, &VERIFYING, &run, None).unwrap().genesis_proof(&proof).unwrap();
    let shown = begun.step(&first).unwrap().from_here().step(&second).unwrap().finish().unwrap();
    assert_eq!((shown.basis.step_before, shown.steps.len(), shown.steps[0].step), (true, 1, 1));
    assert_eq!(shown.before, second.before);
    // One step shows nothing of where its weights came from, two do: see `a_momentum_from_nowhere`.
    let unshown = RunVerifier::after(&PARAMS, &VERIFYING, of_first, None).unwrap().step(&second).unwrap();
    assert!(!unshown.finish().unwrap().basis.is_some());
    assert!(matches!(RunVerifier::after(&PARAMS, &VERIFYING, &[], None).map(|_| ()), Err(RunRefused::Empty)));
    let given = RunVerifier::starting_at(&PARAMS, &VERIFYING, (&run, 1, &second.before), None).unwrap();
    let given = given.tensors(&state).unwrap().step(&second).unwrap().finish().unwrap();
    assert!(given.basis.tensors && !given.basis.step_before);
}

/// A first state in motion: the weights before its last movement are shown to be in range as well, and the movement to be from
/// these to those now.
#[test]
fn a_first_state_in_motion_shows_where_it_comes_from() {
    let mut state = State::init(&SPEC.config, 1);
    let tensor = &mut state.w.norm_f;
    // As far as a movement can go, both ways.
    (tensor.data[0], tensor.data[1]) = (-(1 << 16), (1 << 16) - 1);
    let movement = state.movement_mut().unwrap();
    movement.norm_f.data[0] = -((1 << 16) + (1 << 15)) << 24;
    movement.norm_f.data[1] = ((1 << 17) - 1) << 24;
    movement.layers[0].wq.data[3] = 12_345;
    state.check(&SPEC.config).unwrap();
    let (proof, committed) = prover().genesis(&state, &mut |_| {}).unwrap();
    VERIFYING.verify_genesis(&PARAMS, &committed, &proof).unwrap();
    let with = |state: &State, proof: &GenesisProof| {
        VERIFYING.verify_genesis(&PARAMS, &commit_state(&PARAMS, &SPEC, state).unwrap(), proof).unwrap_err()
    };
    // Instances: three of the weights now, three of those before.
    let rest = state.clone().at_rest_of(OptimizerKind::Sgd);
    assert!(matches!(with(&rest, &proof), StepError::Proof { part: "genesis update", .. }));
    let (of_rest, _) = prover().genesis(&rest, &mut |_| {}).unwrap();
    assert!(matches!(with(&state, &of_rest), StepError::Proof { part: "genesis update", .. }));

    // Another movement from the same weights: in the domain of that state, so that the ports alone tell.
    let mut other = state.clone();
    other.movement_mut().unwrap().layers[0].wq.data[3] += 1;
    let claimed = commit_state(&PARAMS, &SPEC, &other).unwrap();
    let tasks = prover().genesis_tasks(&GenesisProof::domain(&SPEC.config, &claimed), &state).unwrap();
    let updates = prover().execute_all(&tasks.tasks, &tasks.inputs, &mut |_| {}).unwrap();
    let canonical = prover().outputs(&[], &other, &claimed).unwrap();
    let forged = GenesisProof { instances_per_proof: MAX_INSTANCES_PER_PROOF, updates, canonical };
    assert!(matches!(with(&other, &forged), StepError::Genesis { segment: 0, port: "momentum" }));

    // From beyond the range: the update that would leave such weights has no witness.
    let mut beyond = state.clone();
    beyond.movement_mut().unwrap().norm_f.data[0] = -(1 << 41);
    assert!(matches!(prover().genesis(&beyond, &mut |_| {}), Err(ProveError::State(_))));
}

/// 7.1, docs/protocol.md §5: rows that carry no tensor. A genesis proof does not force those of low parts and momentum to
/// zero; such a state is of no tensors that could be shown, and its prover is stuck.
#[test]
fn idle_rows_of_a_first_state_harm_their_prover_alone() {
    let honest = State::init(&SPEC.config, 1);
    let layouts = Layouts::new(&SPEC.config);
    let idle = layouts.of(0).usable - 1;
    for which in [1, 2] {
        let mut state: FieldState = (0..2).map(|s| columns(&layouts, s, &honest)).collect();
        assert_eq!(state[0][which][0][idle], F::ZERO);
        state[0][which][0][idle] = F::from(3 << 20);
        let committed = commit(&state);
        // The proof: updates by the identity of the weights now, and of those from which the momentum led to them.
        let domain = GenesisProof::domain(&SPEC.config, &committed);
        let proof = genesis_of(&domain, &state);
        VERIFYING.verify_genesis(&PARAMS, &committed, &proof).unwrap();
        // No tensors are its: nobody who has the model can show it, load it or build on it.
        assert_ne!(committed, commit_state(&PARAMS, &SPEC, &honest).unwrap());
        if which == 2 {
            // The momentum moves the idle weight at once, and no gradient is taken at such weights.
            let hyper = run(committed).hyper(&SPEC.config, 0, SquareSum::ZERO).unwrap().sgd().unwrap();
            let e = Element { w: 0, lo: 0, v: 3 << 20 };
            let moved = circuits::ops::sgd::element(&hyper, e, 0, &mut Saturations::default());
            let moved =
                (0..40).fold(moved, |e, _| circuits::ops::sgd::element(&hyper, e, 0, &mut Saturations::default()));
            assert_ne!(moved.w, 0);
            let trace = circuits::model::sequence_gradient(&SPEC, &honest.w, &TOKENS).unwrap();
            let mut of_layer = PROVING.circuits.layer.fill(&LayerValues::of(&honest.w, &trace, 0)).unwrap();
            let weights = PROVING.layer.plan.port_columns(layer::WEIGHTS).start;
            of_layer.values[weights][idle] = field(moved.w.into());
            assert_eq!(refused(&PROVING.layer, of_layer), "port weights 0 row 4079 carries no data and must be zero");
        }
    }
}

/// What the prover says of a layer's witness.
fn refused(key: &ProverKey, witness: Witness) -> String {
    let columns = key.plan.ports[layer::LOWER].columns;
    let wire = |name: &[u8]| derive_wire(&[7; 32], b"a test", name, columns);
    let ports = vec![PortBlinding::CANONICAL, PortBlinding::CANONICAL, wire(b"lower"), wire(b"upper")];
    let instance = ProofInstance { witness, publics: vec![F::ONE], ports };
    match prove(&PARAMS, key, vec![instance], &mut |_| {}).unwrap_err() {
        ProveError::Unsatisfied { violation, .. } => violation.to_string(),
        other => panic!("{other}"),
    }
}

/// A genesis proof of a state of small integers in columns, idle rows included.
fn genesis_of(domain: &Domain, state: &FieldState) -> GenesisProof {
    use ff::PrimeField;
    let small = |x: &F| {
        let of = |x: &F| i64::from_le_bytes(x.to_repr()[..8].try_into().unwrap());
        if bytes_above(x, 8) { -of(&-*x) } else { of(x) }
    };
    let layouts = Layouts::new(&SPEC.config);
    let instance = |before: bool, (segment, group): (usize, usize)| {
        let [w, lo, v] = &state[segment];
        let lanes: [Vec<i128>; LANES] = std::array::from_fn(|lane| {
            let c = group * LANES + lane;
            let element = |row: usize| {
                let moved = if before { small(&v[c][row]) } else { 0 };
                let whole = (small(&w[c][row]) << 24) + small(&lo[c][row]) - moved;
                kept(Element { w: whole >> 24, lo: whole & ((1 << 24) - 1), v: 0 })
            };
            (0..w[c].len()).map(element).collect()
        });
        let witness = PROVING.circuits.update.fill(&UpdateValues { integers: vec![], entering: vec![lanes] }).unwrap();
        let (segment, group) = (segment as u32, group as u32);
        let place = if before { Place::Before { segment, group } } else { Place::Update { segment, group } };
        let publics = vec![domain.context(place)];
        ProofInstance { witness, publics, ports: of_update() }
    };
    let moving = state.iter().flat_map(|[_, _, v]| v).flatten().any(|v| *v != F::ZERO);
    let instances = |before: bool| layouts.updates().into_iter().map(move |place| (before, place));
    let all = instances(false).chain(instances(true).filter(|_| moving));
    let instances = all.map(|(before, place)| instance(before, place)).collect();
    let updates = vec![prove(&PARAMS, &PROVING.update, instances, &mut |_| {}).unwrap().bytes];
    let columns: Vec<Vec<F>> = state.iter().flatten().flatten().cloned().collect();
    let canonical = prove_canonical(&PARAMS, &columns, &commit_port(&PARAMS, &columns).unwrap()).unwrap();
    GenesisProof { instances_per_proof: MAX_INSTANCES_PER_PROOF, updates, canonical }
}

/// A step from weights that are field elements leaves weights in range, and a momentum that is not: the next one ends wherever it
/// is wished. One step before shows nothing, then, and says so.
#[test]
fn a_momentum_from_nowhere() {
    let layouts = Layouts::new(&SPEC.config);
    let honest = State::init(&SPEC.config, 1);
    let mid = State::init(&SPEC.config, 5);
    let wished = State::init(&SPEC.config, 9);
    let genesis = commit_state(&PARAMS, &SPEC, &honest).unwrap();
    let run = run(genesis);
    let id = run.id().unwrap();
    let two24 = F::from(1 << 24);
    let two36 = F::from(1 << 36);
    let columns = |state: &State, segment: usize| columns(&layouts, segment, state);
    let whole = |[w, lo, _]: &[Vec<Vec<F>>; 3]| -> Vec<Vec<F>> {
        w.iter().zip(lo).map(|(w, lo)| w.iter().zip(lo).map(|(w, lo)| two24 * w + lo).collect()).collect()
    };
    let batch = vec![TOKENS.to_vec()];
    // Gradients: those of mid's weights do not depend on the domain.
    let g_of = |state: &State, domain: &Domain| prover().gradient(domain, state, &batch, &mut |_| {}).unwrap();
    let dummy = Domain::new("dummy", &[]);
    let (g1, g2) = (g_of(&honest, &dummy).gradients, g_of(&mid, &dummy).gradients);
    let gcols = |g: &circuits::model::Gradients, segment: usize| -> Vec<Vec<F>> {
        layouts.gradient_columns(segment, g).into_iter().map(|c| c.into_iter().map(field).collect()).collect()
    };
    let hyper = run.hyper(&SPEC.config, 1, SquareSum::ZERO).unwrap();
    assert_eq!(hyper, run.hyper(&SPEC.config, 2, SquareSum::ZERO).unwrap());
    let hyper = hyper.sgd().unwrap();
    let (lambda, mu, omega) = (F::from(hyper.lambda), F::from(hyper.mu), F::from(hyper.omega));
    let inverse = mu.invert().unwrap();
    // v with which `from` goes to `to`.
    let momentum = |to: &[Vec<F>], from: &[Vec<F>], g: &[Vec<F>]| -> Vec<Vec<F>> {
        to.iter()
            .zip(from)
            .zip(g)
            .map(|((to, from), g)| {
                to.iter()
                    .zip(from)
                    .zip(g)
                    .map(|((to, from), g)| (two36 * (*to - from) + lambda * g + omega * from) * inverse)
                    .collect()
            })
            .collect()
    };
    let sub = |a: &[Vec<F>], b: &[Vec<F>]| -> Vec<Vec<F>> {
        a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| *a - b).collect()).collect()
    };
    let (mut first, mut second): (FieldState, FieldState) = (vec![], vec![]);
    for s in 0..2 {
        let (h, m, e) = (columns(&honest, s), columns(&mid, s), columns(&wished, s));
        let v1 = momentum(&whole(&e), &whole(&m), &gcols(&g2, s));
        let w0 = sub(&whole(&m), &v1);
        let v0 = momentum(&whole(&m), &w0, &gcols(&g1, s));
        let shifted: Vec<Vec<F>> = h[0].iter().map(|c| c.iter().map(|x| two24 * x).collect()).collect();
        first.push([h[0].clone(), sub(&w0, &shifted), v0]);
        second.push([m[0].clone(), m[1].clone(), v1]);
    }
    let step = |number: u64, from: &FieldState, weights: &State, to: &State, to_v: Option<&FieldState>| {
        let before = commit(from);
        let digest = before.digest();
        let proven = prover()
            .gradient(&Run::contribution_domain(&id, number, &digest, 0), weights, &batch, &mut |_| {})
            .unwrap();
        let domain = Run::update_domain(&id, number, &digest);
        // The dividends of this state, gradient and momentum are those that leave `to`.
        let instances = update_instances(&domain, to);
        let updates = vec![prove(&PARAMS, &PROVING.update, instances, &mut |_| {}).unwrap().bytes];
        let mut all: Vec<Vec<F>> = (0..2).flat_map(|s| gcols(&proven.gradients, s)).collect();
        for s in 0..2 {
            let [w, lo, _] = columns(to, s);
            let now = [w, lo, vec![]];
            let v = match to_v {
                Some(state) => state[s][2].clone(),
                None => sub(&whole(&now), &whole(&from[s])),
            };
            all.extend(now.into_iter().flatten().chain(v));
        }
        let canonical = prove_canonical(&PARAMS, &all, &commit_port(&PARAMS, &all).unwrap()).unwrap();
        bundle_of((&run, number, before), vec![proven.contribution], updates, canonical)
    };
    let one = step(1, &first, &honest, &mid, Some(&second));
    let two = step(2, &second, &mid, &wished, None);
    let before = std::slice::from_ref(&one);
    let verified = RunVerifier::after(&PARAMS, &VERIFYING, before, None).unwrap().step(&two).unwrap().finish().unwrap();
    assert!(!verified.basis.is_some());
    let mut end = wished.clone();
    let wholes = |state: &State| -> Vec<Vec<i64>> {
        let tensors = state.w.iter().zip(state.lo.iter());
        tensors.map(|(w, lo)| w.data.iter().zip(&lo.data).map(|(w, lo)| (w << 24) + lo).collect()).collect()
    };
    for ((v, from), to) in end.movement_mut().unwrap().iter_mut().zip(wholes(&mid)).zip(wholes(&wished)) {
        v.data = to.iter().zip(from).map(|(to, from)| to - from).collect();
    }
    end.check(&SPEC.config).unwrap();
    assert_eq!(verified.after, commit_state(&PARAMS, &SPEC, &end).unwrap());
}
