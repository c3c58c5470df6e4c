//! A step as tasks: written down, done from what is written, refused where it is not what it says; and engines, which are
//! trusted with nothing.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

use backend::curve::{DEFAULT_K, F, Params};
use backend::parameters;
use circuits::model::{Config, Gradients, Hyper, Spec, State, UpdateKind};
use circuits::segments::{InputError, SegmentKind, Variant};
use circuits::statements::codec::{decode, encode};
use circuits::statements::{Domain, RunError};
use prover::blinding::PortBlinding;
use prover::engine::{Cancel, Engine, Halo2, Native, Proof, ProofInstance, Stage, Watch, prove_with};
use prover::key::ProverKey;
use prover::step::{GradientTasks, TaskStage, UpdateTasks};
use prover::task::{Input, InputDigest, Inputs, InstanceInputs, Task};
use prover::{ProveError, StepKeys, StepProver};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

static PARAMS: LazyLock<Params> = LazyLock::new(|| parameters::load(None, DEFAULT_K).unwrap().params);

struct Small {
    spec: Spec,
    keys: StepKeys,
    state: State,
}

static SMALL: LazyLock<Small> = LazyLock::new(|| {
    let mut config = Config::NANO;
    (config.vocab, config.hidden, config.mlp) = (16, 8, 12);
    (config.layers, config.heads, config.context) = (2, 2, 4);
    let spec = Spec::new(config);
    let keys = StepKeys::generate(&PARAMS, &spec).unwrap();
    let state = State::init(&spec.config, 3);
    Small { spec, keys, state }
});

fn prover() -> StepProver<'static> {
    StepProver::new(&PARAMS, &SMALL.keys, &SMALL.spec)
}

fn domain() -> Domain {
    Domain::new("a test", &[])
}

fn gradient() -> GradientTasks {
    prover().gradient_tasks(&domain(), &SMALL.state, &[vec![1, 4, 2, 8, 5], vec![7, 7, 0, 15, 3]]).unwrap()
}

fn update() -> UpdateTasks {
    let gradients = Gradients::zeros(&SMALL.spec.config);
    prover().update_tasks(&domain(), &SMALL.state, &gradients, &Hyper::identity(UpdateKind::Sgd)).unwrap()
}

fn quiet(_: Stage) {}

#[test]
fn a_step_is_a_list_of_tasks_of_its_segments() {
    let GradientTasks { tasks, losses, .. } = gradient();
    let listed: Vec<_> = tasks.iter().map(|task| (task.segment, task.instances.len())).collect();
    assert_eq!(listed, [(SegmentKind::Layer, 4), (SegmentKind::Head, 2)]);
    assert_eq!(losses.len(), 2);
    let one = prover().with_instances_per_proof(1);
    let cut = one.gradient_tasks(&domain(), &SMALL.state, &[vec![1, 4, 2, 8, 5]]).unwrap();
    let listed: Vec<_> = cut.tasks.iter().map(|task| (task.segment, task.instances.len())).collect();
    assert_eq!(listed, [(SegmentKind::Layer, 1), (SegmentKind::Layer, 1), (SegmentKind::Head, 1)]);
    // Three segments, each of one lane group.
    let update = update();
    assert_eq!(update.tasks.iter().map(|task| task.instances.len()).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_task_is_done_from_what_is_written_of_it() {
    let UpdateTasks { tasks, inputs, .. } = update();
    let task = &tasks[0];
    let sent: Task = decode(&encode(task).unwrap()).unwrap();
    assert_eq!(sent, *task);
    // Inputs travel by digest.
    let mut received = Inputs::default();
    for instance in &sent.instances {
        let InstanceInputs::Update { values } = instance.inputs else { panic!("an update") };
        let input: Input = decode(&encode(inputs.get(&values).unwrap()).unwrap()).unwrap();
        assert_eq!(received.put(input).unwrap(), values);
    }
    let proof = prover().execute(&sent, &received, &mut quiet).unwrap();
    assert_eq!(proof.len(), SMALL.keys.update.verifying.shape.proof_length(3));

    // Without an input, with one of another kind, of another model, of other circuits, of another segment.
    let missing = prover().execute(&sent, &Inputs::default(), &mut quiet).unwrap_err();
    assert!(matches!(missing, ProveError::MissingInput { .. }));
    let refused = |change: &dyn Fn(&mut Task)| {
        let mut task = sent.clone();
        change(&mut task);
        match prover().execute(&task, &received, &mut quiet).unwrap_err() {
            ProveError::Mismatch { what } => what,
            other => panic!("{other}"),
        }
    };
    assert_eq!(refused(&|t| t.config[0] ^= 1), "the task's configuration");
    assert_eq!(refused(&|t| t.circuits += 1), "the task's circuit version");
    assert_eq!(refused(&|t| t.segment = SegmentKind::Head), "an instance of the task");
    // No more instances than a proof may have; each with the circuit's public values and ports.
    let other = |change: &dyn Fn(&mut Task)| {
        let mut task = sent.clone();
        change(&mut task);
        prover().execute(&task, &received, &mut quiet).unwrap_err()
    };
    let many = other(&|t| t.instances = vec![t.instances[0].clone(); 9]);
    assert!(matches!(many, ProveError::Run(RunError::Instances(9))));
    assert!(matches!(other(&|t| t.instances.clear()), ProveError::Run(RunError::Instances(0))));
    let publics = other(&|t| t.instances[2].publics.clear());
    assert!(matches!(publics, ProveError::Publics { instance: 2, expected: 1, found: 0 }));
    let ports = other(&|t| drop(t.instances[1].ports.pop()));
    assert!(matches!(ports, ProveError::Ports { expected: 3, found: 2 }));
    // Keys of another model than the prover's.
    let wider = Spec::new(Config::NANO);
    let mut of_wider = sent.clone();
    of_wider.config = wider.config.digest();
    let error = StepProver::new(&PARAMS, &SMALL.keys, &wider).execute(&of_wider, &received, &mut quiet).unwrap_err();
    assert!(matches!(error, ProveError::Mismatch { what: "the keys' configuration" }));
    let as_layer = |t: &mut Task| {
        let InstanceInputs::Update { values } = t.instances[0].inputs else { panic!("an update") };
        t.segment = SegmentKind::Layer;
        t.instances.truncate(1);
        t.instances[0].ports = vec![PortBlinding::CANONICAL; SegmentKind::Layer.ports(Variant::default())];
        t.instances[0].inputs = InstanceInputs::Layer { weights: values, entering: values };
    };
    assert_eq!(refused(&as_layer), "the kind of an input");
}

#[test]
fn inputs_outside_their_ranges_are_refused_before_anything_is_computed() {
    let GradientTasks { tasks, inputs, .. } = gradient();
    let put = |inputs: &Inputs, digest: &InputDigest, change: &dyn Fn(&mut Input)| {
        let mut changed = inputs.clone();
        let mut input = inputs.get(digest).unwrap().clone();
        change(&mut input);
        let digest = changed.put(input).unwrap();
        (changed, digest)
    };
    let mut task = tasks[0].clone();
    task.instances.truncate(1);
    let InstanceInputs::Layer { weights, entering } = task.instances[0].inputs else { panic!("a layer") };
    let refused = |change: &dyn Fn(&mut Input), is_weights: bool| {
        let (changed, digest) = put(&inputs, if is_weights { &weights } else { &entering }, change);
        let mut task = task.clone();
        task.instances[0].inputs = if is_weights {
            InstanceInputs::Layer { weights: digest, entering }
        } else {
            InstanceInputs::Layer { weights, entering: digest }
        };
        match prover().execute(&task, &changed, &mut quiet).unwrap_err() {
            ProveError::Input(error) => error,
            other => panic!("{other}"),
        }
    };
    let weight = |input: &mut Input| {
        let Input::LayerWeights(weights) = input else { panic!("weights") };
        weights.wq.data[3] = 1 << 40;
    };
    assert!(matches!(refused(&weight, true), InputError::Range { index: 3, .. }));
    let stream = |input: &mut Input| {
        let Input::Entering(entering) = input else { panic!("a stream") };
        entering.x.data[5] = i64::MIN;
    };
    assert!(matches!(refused(&stream, false), InputError::Range { index: 5, .. }));
    let short = |input: &mut Input| {
        let Input::Entering(entering) = input else { panic!("a stream") };
        entering.dx.data.pop();
    };
    assert!(matches!(refused(&short, false), InputError::Shape { .. }));

    let UpdateTasks { tasks, inputs, .. } = update();
    let InstanceInputs::Update { values } = tasks[0].instances[0].inputs else { panic!("an update") };
    for (lane, row, x) in [(1, 0, i128::MAX), (0, 2, -(1 << 95) - 1), (0, 3, (1 << 95) + 1)] {
        let change = move |input: &mut Input| {
            let Input::Update(values) = input else { panic!("an update") };
            values.entering[0][lane][row] = x;
        };
        let (changed, digest) = put(&inputs, &values, &change);
        let mut task = tasks[0].clone();
        task.instances[0].inputs = InstanceInputs::Update { values: digest };
        let error = prover().execute(&task, &changed, &mut quiet).unwrap_err();
        assert!(matches!(error, ProveError::Input(InputError::Range { index, .. }) if index == row), "{error}");
    }
}

/// A name holds all of a task. Two attempts at one step have different ones, as their results do not fit each other.
#[test]
fn a_tasks_name_is_of_all_of_it() {
    let (first, again) = (gradient(), gradient());
    let name = |task: &Task| task.name().unwrap();
    assert_ne!(name(&first.tasks[0]), name(&again.tasks[0]), "wires are blinded afresh");
    // Updates have no secret ports: a rerun asks for the same.
    assert_eq!(name(&update().tasks[0]), name(&update().tasks[0]));
    let named = |change: &dyn Fn(&mut Task)| {
        let mut task = first.tasks[0].clone();
        change(&mut task);
        name(&task)
    };
    let honest = name(&first.tasks[0]);
    let alterations: [&dyn Fn(&mut Task); 6] = [
        &|t| t.instances[0].ports[0] = PortBlinding::Canonical(F::from(5)),
        &|t| t.circuits += 1,
        &|t| t.config[3] ^= 1,
        &|t| t.instances[1].publics[0] += F::from(1),
        &|t| drop(t.instances.pop()),
        &|t| {
            let InstanceInputs::Layer { entering, .. } = t.instances[0].inputs else { panic!("a layer") };
            t.instances[0].inputs = InstanceInputs::Layer { weights: entering, entering };
        },
    ];
    for change in alterations {
        assert_ne!(named(change), honest);
    }
}

/// A small circuit's key, and an instance of it.
fn small(params: &Params) -> (ProverKey, ProofInstance) {
    let toy = backend::testing::toy(3);
    let verifying =
        backend::keys::VerifyingKey::with_publics(params, &toy.plan, backend::testing::TOY_PUBLICS).unwrap();
    let key = ProverKey::new(params, &toy.plan, verifying).unwrap();
    let wire = prover::blinding::derive_wire(&[1; 32], b"a test", b"wire", 4);
    let ports = vec![PortBlinding::CANONICAL, wire];
    (key, ProofInstance { witness: toy.witness, publics: toy.publics, ports })
}

#[test]
fn a_key_is_of_its_plan() {
    let params = Params::new(backend::testing::TOY_K);
    let (toy, sink) = (backend::testing::toy(3), backend::testing::toy_sink(3));
    let verifying = backend::keys::VerifyingKey::new(&params, &sink.plan).unwrap();
    let refused = ProverKey::new(&params, &toy.plan, verifying.clone()).map(drop);
    assert!(matches!(refused, Err(ProveError::Mismatch { what: "the verifying key" })));
    assert!(ProverKey::new(&params, &sink.plan, verifying).is_ok());
}

#[test]
fn a_proof_can_be_stopped_at_any_stage() {
    let params = Params::new(backend::testing::TOY_K);
    let (key, instance) = small(&params);
    for engine in [&Halo2 as &dyn Engine, &Native] {
        // Stopped when it is told for the n-th time.
        let stopped_at = |n: usize| {
            let (cancel, mut told) = (Cancel::default(), vec![]);
            let progress = &mut |stage: Stage| {
                told.push(stage);
                if told.len() == n {
                    cancel.cancel();
                }
            };
            let watch = &mut Watch { progress, cancel: &cancel };
            let result = prove_with(engine, &params, &key, vec![instance.clone(), instance.clone()], watch).map(drop);
            (result, told)
        };
        let (result, told) = stopped_at(0);
        result.unwrap();
        let stages = told.len();
        assert_eq!(told[stages - 1], Stage::Checked { instances: 2 });
        for n in [1, 2, 3, 4, stages / 2, stages - 1] {
            let (result, told) = stopped_at(n);
            assert!(matches!(result, Err(ProveError::Cancelled)), "{n} of {stages}: {result:?}");
            assert_eq!(told.len(), n, "it goes on after {n} of {stages}");
        }
        // What is proven is proven.
        stopped_at(stages).0.unwrap();
    }
}

#[test]
fn a_list_of_tasks_can_be_stopped() {
    let UpdateTasks { tasks, inputs, .. } = update();
    let cancel = Cancel::default();
    let prover = prover().with_cancel(cancel.clone());
    // Two proofs, of which the first is stopped where phase 1 is committed to.
    let two = [tasks[0].clone(), tasks[0].clone()];
    let told = &mut |_: TaskStage| cancel.cancel();
    assert!(matches!(prover.execute_all(&two, &inputs, told), Err(ProveError::Cancelled)));
    assert!(matches!(prover.execute(&tasks[0], &inputs, &mut quiet), Err(ProveError::Cancelled)));
}

/// Two tasks may be under way at once: proofs come in the order of their tasks, every task is told of, and the
/// first that fails stops all and is what is said.
#[test]
fn tasks_are_done_side_by_side() {
    let one = prover().with_instances_per_proof(1);
    let zeros = Gradients::zeros(&SMALL.spec.config);
    let UpdateTasks { tasks, inputs, .. } =
        one.update_tasks(&domain(), &SMALL.state, &zeros, &Hyper::identity(UpdateKind::Sgd)).unwrap();
    let GradientTasks { tasks: heads, inputs: of_heads, .. } =
        one.gradient_tasks(&domain(), &SMALL.state, &[vec![1, 4, 2, 8, 5]]).unwrap();
    let heads = heads.into_iter().filter(|task| task.segment == SegmentKind::Head);
    let (tasks, mut all): (Vec<Task>, _) = (tasks.into_iter().chain(heads).collect(), inputs.clone());
    all.extend(of_heads);
    let mut told: Vec<TaskStage> = vec![];
    let proofs = one.execute_all(&tasks, &all, &mut |stage| told.push(stage)).unwrap();
    assert_eq!(proofs.len(), tasks.len());
    for (number, (task, proof)) in tasks.iter().zip(&proofs).enumerate() {
        let key = SMALL.keys.of(task.segment);
        let publics: Vec<Vec<F>> = task.instances.iter().map(|instance| instance.publics.clone()).collect();
        let columns = verifier::instances(&key.verifying, proof, &publics).unwrap();
        verifier::verify(&PARAMS, &key.verifying, 1, proof, &columns).unwrap();
        let of_task: Vec<&TaskStage> = told.iter().filter(|stage| stage.task == number).collect();
        assert!(of_task.iter().all(|stage| stage.segment == task.segment));
        assert_eq!(of_task.last().map(|last| last.stage), Some(Stage::Checked { instances: 1 }));
    }
    // The last task's inputs are missing.
    let refused = one.execute_all(&tasks, &inputs, &mut |_| {}).unwrap_err();
    assert!(!matches!(refused, ProveError::Cancelled), "{refused}");
    // One after another on a thread of a pool.
    let within = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let again = within.install(|| one.execute_all(&tasks[2..], &all, &mut |_| {}));
    assert_eq!(again.unwrap().len(), 2);
    // A panic of who is told ends the list.
    let panics = catch_unwind(AssertUnwindSafe(|| one.execute_all(&tasks, &all, &mut |_| panic!("told"))));
    assert!(panics.is_err());
    // Who stopped the list is not stopped by it.
    assert!(one.cancel.check().is_ok());
}

/// An engine that changes what it was given before it proves, or what it gives back.
struct Lying(&'static dyn Engine, fn(&mut [ProofInstance]), fn(&mut [ProofInstance], &mut Proof));

impl Engine for Lying {
    fn prove(
        &self,
        params: &Params,
        key: &ProverKey,
        instances: &mut [ProofInstance],
        watch: &mut Watch<'_>,
    ) -> Result<Proof, ProveError> {
        self.1(instances);
        let mut proof = self.0.prove(params, key, instances, watch)?;
        self.2(instances, &mut proof);
        Ok(proof)
    }
}

fn prove_quietly(
    engine: &dyn Engine,
    params: &Params,
    key: &ProverKey,
    instances: Vec<ProofInstance>,
) -> Result<(), ProveError> {
    let watch = &mut Watch { progress: &mut quiet, cancel: &Cancel::default() };
    prove_with(engine, params, key, instances, watch).map(drop)
}

#[test]
fn no_engine_is_believed() {
    is_not_believed(&Halo2);
    is_not_believed(&Native);
}

fn is_not_believed(honest: &'static dyn Engine) {
    let params = Params::new(backend::testing::TOY_K);
    let (key, honest_instance) = small(&params);
    let instance = || honest_instance.clone();
    let made = |engine: &dyn Engine| prove_quietly(engine, &params, &key, vec![instance()]);
    made(honest).unwrap();
    made(&Lying(honest, |_| (), |_, _| ())).unwrap();
    // One that keeps the witnesses, and gives a proof of nothing.
    let keeping = Lying(
        honest,
        |_| (),
        |instances, proof| {
            instances.iter_mut().for_each(|instance| instance.witness.values.clear());
            *proof.bytes.last_mut().unwrap() ^= 1;
        },
    );
    assert!(matches!(made(&keeping), Err(ProveError::SelfCheck)));
    let none_given = prove_quietly(honest, &params, &key, vec![]);
    assert!(matches!(none_given, Err(ProveError::NoInstances)));
    let mut short = instance();
    short.publics.pop();
    let refused_short = prove_quietly(honest, &params, &key, vec![short]);
    assert!(matches!(refused_short, Err(ProveError::Publics { instance: 0, expected: 3, found: 2 })));
    let refused = |engine: Lying| made(&engine).unwrap_err().to_string();
    let none = "the finished proof does not verify";
    assert_eq!(refused(Lying(honest, |_| (), |_, proof| *proof.bytes.last_mut().unwrap() ^= 1)), none);
    assert_eq!(refused(Lying(honest, |_| (), |_, proof| proof.bytes.push(0))), none);
    assert_eq!(refused(Lying(honest, |_| (), |_, proof| proof.instances[0][8] += F::from(1))), none);
    assert_eq!(refused(Lying(honest, |_| (), |_, proof| proof.ports[0].swap(0, 1))), none);
    let other_challenge = |_: &mut [ProofInstance], proof: &mut Proof| {
        proof.challenges.insert(plonkish::Challenge::Rows, F::from(9));
    };
    assert_eq!(refused(Lying(honest, |_| (), other_challenge)), none);
    // An honest proof of other public values than those asked for.
    assert_eq!(refused(Lying(honest, |instances| instances[0].publics[2] += F::from(1), |_, _| ())), none);
    // A witness that the engine altered: the constraint is named.
    let altered = refused(Lying(
        honest,
        |instances| {
            let toy = backend::testing::toy(3);
            let (column, row) = toy.cells.wire;
            instances[0].witness.values[column][row] += F::from(1);
        },
        |_, _| (),
    ));
    assert!(altered.starts_with("instance 0 violates `"), "{altered}");
}
