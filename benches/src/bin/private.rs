//! What hiding costs: steps of a private run and of a public one, on the same data and from the same model, in turns.
//!
//! `cargo run --release -p benches --bin private -- --preset nano`

use backend::curve::Params;
use backend::parameters;
use benches::machine;
use benches::setup::{corpus, recipe, spec};
use benches::timing::{median, repeat, seconds, time};
use circuits::model::State;
use circuits::segments::Privacy;
use circuits::statements::dataset::{Dataset, LeafSecret};
use circuits::statements::{Bundle, Disclosure, Run, StateCommitments, TrainingData};
use clap::Parser;
use prover::private::Secrets;
use prover::step::StepOf;
use prover::trainer::Recipe;
use prover::{ProvenRun, RunOptions, StepKeys, StepProver};
use std::error::Error;
use std::time::Duration;
use verifier::{StepError, StepVerifier};

/// Verifications of each bundle, of which the median counts.
const VERIFICATIONS: usize = 9;

#[derive(Parser)]
struct Arguments {
    /// The model
    #[arg(long, default_value = "nano")]
    preset: String,
    /// Pairs of steps, of which the medians count
    #[arg(long, default_value_t = 7)]
    runs: usize,
    /// Sequences of a step
    #[arg(long, default_value_t = 1)]
    batch: u32,
}

/// The median time of verifying a step, and the state that it leads to.
fn verify(
    params: &Params,
    verifier: &StepVerifier,
    at: (&Run, u64, &StateCommitments),
    bundle: &Bundle,
) -> Result<(Duration, StateCommitments), StepError> {
    let after = verifier.verify(params, at, bundle, None)?.after;
    Ok((repeat(VERIFICATIONS, || verifier.verify(params, at, bundle, None).map(drop)), after))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let spec = spec(&arguments.preset);
    let params = parameters::load(None, spec.config.k())?.params;
    // A verifier has no prepared bases.
    let plain = Params::from(params.generators().clone());
    let keys = Privacy::ALL.map(|privacy| StepKeys::generate_of(&params, &spec, privacy));
    let [public_keys, private_keys] = keys;
    let (public_keys, private_keys) = (public_keys?, private_keys?);
    let verifiers = [&public_keys, &private_keys]
        .map(|keys| StepVerifier::with_keys(&params, &spec.config, keys.verifying.clone()));
    let [of_public, of_private] = verifiers;
    let (of_public, of_private) = (of_public?, of_private?);
    let data = |secret: Option<LeafSecret>| -> Result<TrainingData, Box<dyn Error>> {
        let dataset = Dataset::new_told(&params, spec.config.context, corpus().tokens(), secret, &mut |_, _| {})?;
        Ok(TrainingData::Dataset(Box::new(dataset)))
    };
    let (open, hidden) = (data(None)?, data(Some(LeafSecret::new([1; 32])))?);

    let Recipe { schedule, optimizer } = recipe();
    let options = RunOptions { batch: arguments.batch, optimizer, ..RunOptions::new(schedule) };
    let first = State::init(&spec.config, 1);
    let mut public = ProvenRun::begin((&params, &public_keys, &spec), first.clone(), &open, options)?;
    let prover = StepProver::new(&params, &private_keys, &spec);
    let (of_genesis, begun) = time(|| prover.private_genesis(&first, &mut |_| {}));
    let (mut secrets, genesis_proof, mut at): (Secrets, _, _) = begun?;
    let (of_public_genesis, public_genesis) = time(|| public.genesis_proof());
    let disclosure = Disclosure::Private { loss_steps: 1 };
    let run = Run { genesis: at.clone(), disclosure, data: hidden.named(), ..public.run().clone() };
    run.check()?;

    let mut state = first;
    let mut times: [Vec<[Duration; 2]>; 2] = [vec![], vec![]];
    let mut bytes = [[0; 2]; 2];
    let mut before = public.run().genesis.clone();
    for step in 0..arguments.runs as u64 {
        let measured = |bundle: &Bundle| -> Result<[usize; 2], Box<dyn Error>> {
            Ok([bundle.proof_bytes() as usize, circuits::statements::codec::encode(bundle)?.len()])
        };
        let (proving, bundle) = time(|| public.step());
        let bundle = bundle?;
        let (verifying, after) = verify(&plain, &of_public, (public.run(), step, &before), &bundle)?;
        before = after;
        times[0].push([proving, verifying]);
        bytes[0] = measured(&bundle)?;

        let batches = run.assigned(&spec.config, &hidden, step)?;
        let of = StepOf { run: &run, step, before: &at };
        let (proving, proven) = time(|| prover.private_step(of, (&mut state, &mut secrets), &batches, &mut |_| {}));
        let (bundle, after) = proven?;
        let (verifying, found) = verify(&plain, &of_private, (&run, step, &at), &bundle)?;
        if found != after {
            return Err("the verifier finds another state".into());
        }
        at = after;
        times[1].push([proving, verifying]);
        bytes[1] = measured(&bundle)?;
    }
    let of = |kind: usize, what: usize| seconds(median(times[kind].iter().map(|pair| pair[what]).collect()));
    println!("{}; `{}`, batch {}, {} pairs.\n", machine::heading(), arguments.preset, arguments.batch, arguments.runs);
    println!("| | public | private | ratio or difference |");
    println!("|---|---:|---:|---:|");
    for (what, name) in ["proving a step", "verifying it"].into_iter().enumerate() {
        let (public, private) = (of(0, what), of(1, what));
        println!("| {name} | {:.1} ms | {:.1} ms | {:.3} |", 1e3 * public, 1e3 * private, private / public);
    }
    for (what, name) in ["proof bytes", "bytes of the bundle"].into_iter().enumerate() {
        let (public, private) = (bytes[0][what], bytes[1][what]);
        println!("| {name} | {public} | {private} | {:+} |", private as i64 - public as i64);
    }
    let [public, private] = [public_genesis?.proof_bytes(), genesis_proof.proof_bytes()];
    println!(
        "| a genesis proof | {:.1} ms | {:.1} ms | |",
        1e3 * seconds(of_public_genesis),
        1e3 * seconds(of_genesis)
    );
    println!("| its bytes | {public} | {private} | {:+} |", private as i64 - public as i64);
    Ok(())
}
