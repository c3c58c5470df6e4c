//! Gradients are clipped by the norm that the circuits show: what a bundle says of their squares is compared, and the update is by the factor
//! that follows from it.

use crate::setting::{ADAMW, CLIPPED_SGD, CORPUS, PARAMS, PRIVATE_ADAMW, PRIVATE_SGD, Setting, decimal};
use circuits::arithmetic::fixed::{Class, Saturations};
use circuits::model::{Gradients, Hyper, Optimizer, Schedule, SquareSum, State};
use circuits::ops::adamw::Betas;
use circuits::segments::{UpdatePort, update};
use circuits::statements::{Bundle, Disclosure, GenesisProof, Layouts, Run, RunError, TrainingData};
use prover::RunOptions;
use prover::step::{ProvenUpdate, StepOf, commit_state};
use prover::trainer::batch_gradient;
use std::sync::LazyLock;
use verifier::{Part, RunRefused, RunVerifier, StepError, StepVerifier, VerifiedRun};

fn sgd(clip: &str) -> Optimizer {
    Optimizer::Sgd { momentum: decimal("0.9"), weight_decay: decimal("0.01"), clip: Some(decimal(clip)) }
}

fn adamw(clip: &str) -> Optimizer {
    let [beta1, beta2, eps, weight_decay, clip] = ["0.9", "0.999", "1e-8", "0.1", clip].map(decimal);
    Optimizer::AdamW(Betas { beta1, beta2, eps, weight_decay, clip })
}

fn options(optimizer: Optimizer) -> RunOptions {
    let schedule = Schedule::constant(&decimal("0.01")).unwrap();
    RunOptions { batch: 2, optimizer, ..RunOptions::new(schedule) }
}

/// A step of a run, public.
struct Step {
    setting: &'static Setting,
    run: Run,
    genesis: GenesisProof,
    bundle: Bundle,
    gradients: Gradients,
    after: State,
}

fn step(setting: &'static Setting, optimizer: Optimizer) -> Step {
    let data = TrainingData::Corpus(CORPUS.clone());
    let mut proven = setting.begin(setting.first(), &data, options(optimizer));
    let genesis = proven.genesis_proof().unwrap();
    let bundle = proven.step().unwrap();
    let run = proven.run().clone();
    let sequences = run.assigned(&setting.spec.config, &data, 0).unwrap().swap_remove(0).sequences;
    let gradients = batch_gradient(&setting.spec, &setting.first().w, &sequences).unwrap().gradients;
    Step { setting, run, genesis, bundle, gradients, after: proven.state().clone() }
}

impl Step {
    fn verify(&self, bundle: &Bundle) -> Result<VerifiedRun, RunRefused> {
        self.setting.verify(&self.run, &self.genesis, std::slice::from_ref(bundle))
    }

    fn refused(&self, bundle: &Bundle) -> StepError {
        match self.verify(bundle).map(drop).unwrap_err() {
            RunRefused::Step { step: 0, source } => *source,
            RunRefused::Invalid(culprits) => StepError::Invalid(culprits.iter().map(|culprit| culprit.part).collect()),
            other => panic!("{other}"),
        }
    }

    fn hyper(&self, squares: &[SquareSum]) -> Hyper {
        self.run.hyper(&self.setting.spec.config, 0, SquareSum::total(squares)).unwrap()
    }

    /// With an update that a cheat proves of these gradients by the factor of what he says of their squares.
    fn updated(&self, gradients: &Gradients, squares: Vec<SquareSum>) -> Bundle {
        let at = &self.run.genesis;
        let domain = Run::update_domain(&self.run.id().unwrap(), 0, &at.digest());
        let (prover, state) = (self.setting.prover(), self.setting.first());
        let hyper = self.hyper(&squares);
        let ProvenUpdate { proofs, .. } = prover.update(&domain, (&state, at), gradients, &hyper, &mut |_| {}).unwrap();
        Bundle { updates: proofs, squares, ..self.bundle.clone() }
    }
}

fn plus(sum: SquareSum, by: i128) -> SquareSum {
    sum.plus(SquareSum::of([by]))
}

fn is_of_the_updates(error: StepError, what: &str) {
    match error {
        StepError::Invalid(parts) => {
            assert!(parts.iter().any(|part| matches!(part, Part::Update { .. })), "{what}: {parts:?}");
        }
        other => panic!("{what}: {other}"),
    }
}

static CLIPPED: LazyLock<[Step; 2]> = LazyLock::new(|| [step(&CLIPPED_SGD, sgd("0.5")), step(&ADAMW, adamw("0.5"))]);

#[test]
fn a_clipped_step_is_that_of_the_reference() {
    for of in &*CLIPPED {
        let config = &of.setting.spec.config;
        assert_eq!(of.bundle.squares, Layouts::new(config).squares(&of.gradients));
        let total = SquareSum::total(&of.bundle.squares);
        assert_eq!(total, of.gradients.squares());
        // The norm is above what it is clipped to.
        assert!(total.mean_norm(8) > 0.6, "{}", total.mean_norm(8));
        let (hyper, unclipped) = (of.hyper(&of.bundle.squares), of.hyper(&[]));
        assert_ne!(hyper, unclipped);
        let verified = of.verify(&of.bundle).unwrap();
        let mut state = of.setting.first();
        state.update(&hyper, &of.gradients, &mut Saturations::default()).unwrap();
        assert_eq!(state, of.after);
        assert_eq!(verified.after, commit_state(&PARAMS, &of.setting.spec, &state).unwrap());
    }
}

/// What is said of the squares, on honest proofs: each sum off by one, the sums of two instances exchanged, which leaves the total, none,
/// one too few, one too many.
#[test]
fn other_sums_of_squares_are_refused() {
    for of in &*CLIPPED {
        let said = &of.bundle.squares;
        let with = |squares: Vec<SquareSum>| of.refused(&Bundle { squares, ..of.bundle.clone() });
        let mut exchanged = said.clone();
        exchanged.swap(0, 1);
        assert!(exchanged != *said);
        is_of_the_updates(with(exchanged), "exchanged");
        for i in 0..said.len() {
            let mut more = said.clone();
            more[i] = plus(more[i], 1);
            // The factor may be the same.
            match with(more) {
                StepError::Entering { segment: 0, port: UpdatePort::Dividends | UpdatePort::Gradient } => {}
                error => is_of_the_updates(error, "one more"),
            }
        }
        for count in [0, said.len() - 1, said.len() + 1] {
            let mut squares = said.clone();
            squares.resize(count, SquareSum::ZERO);
            assert!(matches!(with(squares), StepError::Count { what: "sums of squares", .. }), "{count}");
        }
    }
}

/// A cheat whose proofs are of the factor that he wants: it does not follow from the gradient's squares.
#[test]
fn an_update_by_another_factor_is_refused() {
    for of in &*CLIPPED {
        let honest = of.updated(&of.gradients, of.bundle.squares.clone());
        of.verify(&honest).unwrap();
        let none = vec![SquareSum::ZERO; of.bundle.squares.len()];
        let mut all = none.clone();
        all[0] = plus(of.gradients.squares(), 1 << 40);
        for (what, squares) in [("nothing is clipped", none), ("more is", all)] {
            is_of_the_updates(of.refused(&of.updated(&of.gradients, squares)), what);
        }
        // The squares of a gradient that is shorter in one entry, and that gradient.
        let mut other = of.gradients.clone();
        let entry = other.layers[1].wq.data.iter_mut().max_by_key(|x| x.abs()).unwrap();
        *entry /= 2;
        let squares = Layouts::new(&of.setting.spec.config).squares(&other);
        let port = update::entering(of.setting.keys.circuits.variant.update)[0];
        match of.refused(&of.updated(&other, squares)) {
            StepError::Entering { segment: 0 | 1, port: found } => assert_eq!(found, port),
            error => panic!("{error}"),
        }
    }
}

/// A norm so small that nothing of the gradient would be left: the moments decay, and the run goes on.
#[test]
fn a_step_goes_on_without_what_is_clipped_to_nothing() {
    let of = step(&ADAMW, adamw("3e-10"));
    let hyper = of.hyper(&of.bundle.squares);
    assert!(hyper.skips());
    of.verify(&of.bundle).unwrap();
    let mut saturations = Saturations::default();
    let mut state = of.setting.first();
    state.update(&hyper, &of.gradients, &mut saturations).unwrap();
    assert_eq!((&state, state.at_rest()), (&of.after, true));
    // Every element of it is counted.
    assert_eq!(saturations.of(Class::MeanGradient), of.setting.spec.config.parameters() as u64);
    // Moments decay, and move the weights, in public and in private.
    let hidden = PRIVATE_ADAMW.hidden();
    let disclosure = Disclosure::Private { loss_steps: 1 };
    let options = RunOptions { taken: 1, ..options(adamw("3e-10")) };
    for (setting, data, options) in [
        (&*ADAMW, TrainingData::Corpus(CORPUS.clone()), options.clone()),
        (&*PRIVATE_ADAMW, hidden, RunOptions { disclosure, ..options }),
    ] {
        let moving = CLIPPED[1].after.clone();
        assert!(!moving.at_rest());
        let mut run = setting.begin(moving.clone(), &data, options);
        let genesis = run.genesis_proof().unwrap();
        let bundle = run.step().unwrap();
        let squares = SquareSum::total(&bundle.squares);
        assert!(squares > SquareSum::ZERO);
        let hyper = run.run().hyper(&setting.spec.config, 0, squares).unwrap();
        assert!(hyper.skips());
        setting.verify(run.run(), &genesis, &[bundle]).unwrap();
        let mut decayed = moving.clone();
        let none = Gradients::zeros(&setting.spec.config);
        decayed.update(&hyper, &none, &mut Saturations::default()).unwrap();
        assert_eq!(*run.state(), decayed);
        assert!(decayed.w != moving.w || decayed.lo != moving.lo);
    }
    // The same, said to have been used: the integers are public values.
    let used = of.hyper(&[]);
    let domain = Run::update_domain(&of.run.id().unwrap(), 0, &of.run.genesis.digest());
    let at = (&of.setting.first(), &of.run.genesis);
    let updates = of.setting.prover().update(&domain, at, &of.gradients, &used, &mut |_| {}).unwrap().proofs;
    assert!(of.verify(&Bundle { updates, ..of.bundle.clone() }).is_err());
}

#[test]
fn runs_of_norms_that_cannot_be_are_refused() {
    for (of, clip) in [(&CLIPPED[0], "2000000"), (&CLIPPED[1], "17"), (&CLIPPED[1], "0")] {
        let optimizer = match of.run.optimizer {
            Optimizer::Sgd { .. } => sgd(clip),
            Optimizer::AdamW(_) => adamw(clip),
        };
        let run = Run { optimizer, ..of.run.clone() };
        assert!(matches!(run.check(), Err(RunError::Hyper(_))), "{clip}");
    }
    // Keys of SGD without clipping are others.
    let plain = StepVerifier::new(&PARAMS, &CLIPPED_SGD.spec.config).unwrap();
    assert!(matches!(RunVerifier::new(&PARAMS, &plain, &CLIPPED[0].run, None).map(drop), Err(RunRefused::Keys)));
}

/// Private runs say the total alone, and their proof of the wires compares it with the ports.
#[test]
fn a_private_total() {
    for (setting, optimizer) in [(&*PRIVATE_SGD, sgd("0.5")), (&*PRIVATE_ADAMW, adamw("0.5"))] {
        let data = setting.hidden();
        let disclosure = Disclosure::Private { loss_steps: 1 };
        let mut proven = setting.begin(setting.first(), &data, RunOptions { disclosure, ..options(optimizer) });
        let genesis = proven.genesis_proof().unwrap();
        let bundles = [proven.step().unwrap(), proven.step().unwrap()];
        let run = proven.run().clone();
        setting.verify(&run, &genesis, &bundles).unwrap();
        let [said] = bundles[0].squares[..] else { panic!("{} sums", bundles[0].squares.len()) };
        assert!(said.mean_norm(8) > 0.6);
        let refused = |bundle: &Bundle| setting.verify(&run, &genesis, std::slice::from_ref(bundle)).unwrap_err();
        for squares in [vec![], vec![said; 2], vec![said, SquareSum::ZERO]] {
            match refused(&Bundle { squares, ..bundles[0].clone() }) {
                RunRefused::Step { step: 0, source } => {
                    assert!(matches!(*source, StepError::Count { what: "sums of squares", .. }), "{source}");
                }
                other => panic!("{other}"),
            }
        }
        // A cheat who proves the update by the factor of the total that he says.
        let cheat = |claimed: Option<SquareSum>| {
            let (prover, mut state) = (setting.prover(), setting.first());
            let (secrets, genesis, committed) = prover.private_genesis(&state, &mut |_| {}).unwrap();
            let run = Run { genesis: committed.clone(), ..run.clone() };
            let batches = run.assigned(&setting.spec.config, &data, 0).unwrap();
            let at = StepOf { run: &run, step: 0, before: &committed };
            let (mut tasks, _) = prover.private_tasks(at, (&state, &secrets), &batches).unwrap();
            if let Some(claimed) = claimed {
                let hyper = run.hyper(&setting.spec.config, 0, claimed).unwrap();
                let gradients = tasks.contributions[0].gradients.clone();
                tasks.update = prover.private_update_tasks(at, (&state, &secrets), &gradients, &hyper).unwrap();
                tasks.update.squares = vec![claimed];
                state.update(&hyper, &gradients, &mut Saturations::default()).unwrap();
            }
            let proofs = prover.execute_private(&tasks, &mut |_| {}).unwrap();
            let (bundle, ..) = prover.private_bundle(at, &secrets, &batches, &tasks, proofs).unwrap();
            setting.verify(&run, &genesis, &[bundle])
        };
        cheat(None).unwrap();
        for claimed in [SquareSum::ZERO, plus(said, 1 << 60)] {
            match cheat(Some(claimed)).unwrap_err() {
                RunRefused::Invalid(culprits) => {
                    assert!(culprits.len() == 1 && culprits[0].part == Part::Span, "{culprits:?}");
                }
                other => panic!("{other}"),
            }
        }
        // Another total: none, one more, on honest proofs; the integers of AdamW may follow from it, and the fold does not.
        for squares in [SquareSum::ZERO, plus(said, 1), plus(said, 1 << 90)] {
            match refused(&Bundle { squares: vec![squares], ..bundles[0].clone() }) {
                RunRefused::Invalid(culprits) => {
                    assert!(culprits.iter().any(|culprit| culprit.part == Part::Span), "{culprits:?}");
                }
                other => panic!("{other}"),
            }
        }
    }
}
