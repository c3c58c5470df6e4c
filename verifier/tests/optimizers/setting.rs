//! Keys of small circuits, and what runs are of.

use crate::common::small;
use backend::curve::{DEFAULT_K, Params};
use backend::parameters;
use circuits::arithmetic::decimal::Decimal;
use circuits::model::{Spec, State, UpdateKind};
use circuits::segments::{Privacy, Variant};
use circuits::statements::dataset::{Dataset, LeafSecret};
use circuits::statements::{Bundle, Corpus, GenesisProof, Run, TrainingData};
use prover::{ProvenRun, RunOptions, StepKeys, StepProver};
use std::sync::LazyLock;
use verifier::{RunRefused, RunVerifier, StepVerifier, VerifiedRun};

pub static PARAMS: LazyLock<Params> = LazyLock::new(|| parameters::load(None, DEFAULT_K).unwrap().params);

pub static CORPUS: LazyLock<Corpus> =
    LazyLock::new(|| Corpus::of_bytes(&[1, 4, 2, 8, 5, 7, 1, 4, 2, 8, 5, 7, 3, 3, 15, 0, 1]));

pub static CLIPPED_SGD: LazyLock<Setting> = LazyLock::new(|| Setting::new(Privacy::Public, UpdateKind::ClippedSgd));
pub static ADAMW: LazyLock<Setting> = LazyLock::new(|| Setting::new(Privacy::Public, UpdateKind::AdamW));
pub static PRIVATE_SGD: LazyLock<Setting> = LazyLock::new(|| Setting::new(Privacy::Private, UpdateKind::ClippedSgd));
pub static PRIVATE_ADAMW: LazyLock<Setting> = LazyLock::new(|| Setting::new(Privacy::Private, UpdateKind::AdamW));

pub fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub struct Setting {
    pub spec: Spec,
    pub keys: StepKeys,
    pub verifier: StepVerifier,
}

impl Setting {
    fn new(privacy: Privacy, update: UpdateKind) -> Self {
        let spec = small();
        let keys = StepKeys::generate_of(&PARAMS, &spec, Variant { privacy, update }).unwrap();
        let verifier = StepVerifier::with_keys(&PARAMS, &spec.config, keys.verifying.clone()).unwrap();
        Setting { spec, keys, verifier }
    }

    pub fn first(&self) -> State {
        State::init(&self.spec.config, 3).at_rest_of(self.keys.circuits.variant.update.optimizer())
    }

    pub fn prover(&self) -> StepProver<'_> {
        StepProver::new(&PARAMS, &self.keys, &self.spec)
    }

    pub fn begin<'a>(&'a self, first: State, data: &'a TrainingData, options: RunOptions) -> ProvenRun<'a> {
        ProvenRun::begin((&PARAMS, &self.keys, &self.spec), first, data, options).unwrap()
    }

    pub fn verify(&self, run: &Run, genesis: &GenesisProof, bundles: &[Bundle]) -> Result<VerifiedRun, RunRefused> {
        let begun = RunVerifier::new(&PARAMS, &self.verifier, run, None)?.genesis_proof(genesis)?;
        bundles.iter().try_fold(begun, RunVerifier::step)?.finish()
    }

    /// The corpus as a data set whose leaves are blinded.
    pub fn hidden(&self) -> TrainingData {
        let secret = Some(LeafSecret::new([1; 32]));
        let context = self.spec.config.context;
        let data = Dataset::new_told(&PARAMS, context, CORPUS.tokens(), secret, &mut |_, _| {}).unwrap();
        TrainingData::Dataset(Box::new(data))
    }
}
