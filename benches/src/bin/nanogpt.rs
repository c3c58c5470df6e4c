//! One proven training step of a shape in which nanoGPT is benchmarked: 4 layers, 64 wide, 64 tokens, a vocabulary of 65, padded
//! to 68. EZKL's time for a proof of inference alone with that shape is given as 641 s; it was not measured here.
//!
//! nanoGPT's MLP has two matrices of 64 by 256; this model's, SwiGLU, has three of 64 by 172, with as many parameters.

use backend::curve::Params;
use benches::machine;
use benches::setup::recipe;
use benches::timing::{seconds, time};
use circuits::model::{Config, Spec, State};
use circuits::statements::{Corpus, TrainingData};
use prover::step::commit_state;
use prover::trainer::Recipe;
use prover::{ProvenRun, RunOptions, StepKeys};
use std::error::Error;
use verifier::StepVerifier;

const CONFIG: &str = r#"{
    "architectures": ["LlamaForCausalLM"], "model_type": "llama",
    "vocab_size": 68, "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 4, "num_attention_heads": 4,
    "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true
}"#;

/// Characters of the vocabulary, the padding left out.
const CHARACTERS: usize = 65;

/// Seconds that EZKL's proof of an inference is said to take.
const PUBLISHED: f64 = 641.0;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{}\n", machine::heading());
    let config = Config::from_json(CONFIG)?;
    let spec = Spec::new(config.clone());
    // Nothing is cached: parameters of the commitments and keys are made here.
    let (of_params, params) = time(|| Params::new(spec.config.k()));
    let (of_keys, keys) = time(|| StepKeys::generate(&params, &spec));
    let keys = keys?;
    let text: Vec<u8> = (0..1000).map(|i| ((i * i * 31 + 7 * i + 13) % CHARACTERS) as u8).collect();
    let data = TrainingData::Corpus(Corpus::of_bytes(&text));
    let Recipe { schedule, optimizer } = recipe();
    let options = RunOptions { optimizer, ..RunOptions::new(schedule) };
    let mut run = ProvenRun::begin((&params, &keys, &spec), State::init(&config, 1), &data, options)?;
    let (proving, bundle) = time(|| run.step());
    let bundle = bundle?;
    let memory = machine::peak_memory();
    let verifier = StepVerifier::with_keys(&params, &config, keys.verifying.clone())?;
    let first = &run.run().genesis;
    let (verifying, verified) = time(|| verifier.verify(&params, (run.run(), 0, first), &bundle, None));
    if verified?.after != commit_state(&params, &spec, run.state())? {
        return Err("the verifier finds another state".into());
    }
    let all = seconds(of_params) + seconds(of_keys) + seconds(proving);
    println!("parameters: {}", config.parameters());
    println!("parameters of the commitments: {:.1} s", seconds(of_params));
    println!("keys: {:.1} s", seconds(of_keys));
    println!("proving a step, checked: {:.1} s", seconds(proving));
    println!(
        "all of it: {all:.1} s; the {PUBLISHED} s published for EZKL, inference alone, are {:.0} times that",
        PUBLISHED / all
    );
    println!("verifying: {:.0} ms", 1e3 * seconds(verifying));
    println!("proofs: {:.1} KiB", bundle.proof_bytes() as f64 / 1024.0);
    if let Some(memory) = memory {
        println!("peak memory: {:.2} GiB", memory as f64 / f64::from(1 << 30));
    }
    Ok(())
}
