//! Prints what a light client pays for the blocks of a chain that was made: `gradientcoin devnet` makes one.

use benches::machine;
use benches::timing::{repeat, time};
use chain::block::Block;
use chain::chain_state::ChainState;
use chain::consensus::contextual::Record;
use chain::consensus::semantic::{Checker, Parent};
use chain::genesis::ChainSpec;
use chain::light::{LightClient, Nowhere, WINDOW, window};
use chain::store::{Store, View};
use circuits::arithmetic::fixed::Saturations;
use circuits::model::{Gradients, Spec};
use circuits::statements::codec;
use clap::Parser;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use verifier::StepVerifier;

/// Measures a light client over a stopped devnet's chain and prints Markdown.
#[derive(Parser)]
struct Options {
    /// Directory of the devnet.
    #[arg(long, default_value = "devnet")]
    dir: PathBuf,
    /// Runs of which the median is taken.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Heights of which a block alone is verified.
    #[arg(long, value_delimiter = ',', default_value = "1,10,20,50,100")]
    heights: Vec<u64>,
}

fn main() {
    let options = Options::parse();
    let runs = usize::from(options.runs);
    let store = Arc::new(Store::open(&options.dir.join("node-0.redb")).expect("a stopped devnet's store"));
    let view = store.view().expect("the store is read");
    let spec = Arc::new(ChainSpec::new(view.genesis().expect("the store is read").expect("a genesis")).expect("sound"));
    let params = Arc::new(backend::parameters::load(None, spec.config().k()).expect("parameters").params);
    let keys = StepVerifier::new(&params, spec.config()).expect("the model has keys");
    let checker = Checker::new(&spec, &params, &keys).expect("the keys are the chain's");
    let height = view.height().expect("the store is read");
    let blocks: Vec<(Parent, Arc<Block>)> =
        (1..=height).map(|h| (record(&view, h - 1).parent(), block(&view, h))).collect();
    println!("{}; medians of {runs} runs, {height} blocks.\n", machine::heading());

    println!(
        "| a block alone, at height | training steps before | contributions | bytes | verified in |\n|---:|---:|---:|---:|---:|"
    );
    for &at in options.heights.iter().filter(|&&at| (1..=height).contains(&at)) {
        let one = &blocks[at as usize - 1..at as usize];
        let elapsed = repeat(runs, || assert_eq!(window::verify(&checker, one).good, 1));
        let block = &one[0].1;
        let bytes = codec::encode(&**block).expect("a block encodes").len();
        println!("| {at} | {} | {} | {bytes} | {} |", one[0].0.step, block.contributions.len(), ms(elapsed));
    }

    let now = blocks.last().map_or(0, |(_, block)| block.header.time);
    let catch_up = || {
        let mut client = LightClient::from_genesis(checker, spec.id()).expect("the genesis is the chain's");
        for window in blocks.chunks(WINDOW) {
            let window = window.iter().map(|(_, block)| (**block).clone()).collect();
            client.extend(window, now, &mut Nowhere).expect("the chain is accepted");
        }
        assert_eq!(client.tip().height(), height);
    };
    let before = machine::processor_time();
    let (elapsed, ()) = time(catch_up);
    let cpu = machine::processor_time().zip(before).map(|(after, before)| after.saturating_sub(before));
    let best = (1..runs.min(5)).map(|_| time(catch_up).0).fold(elapsed, Duration::min);
    let each = |d: Duration| ms(d / height as u32);
    println!(
        "\ncatching up over {height} blocks: {} a block at the first run, {} at the best",
        each(elapsed),
        each(best)
    );
    if let Some(cpu) = cpu {
        println!("processor time of the first run: {} a block", each(cpu));
    }
    let bytes: usize = blocks.iter().map(|(_, block)| codec::encode(&**block).expect("a block encodes").len()).sum();
    println!("bytes a block: {}", bytes / blocks.len());

    let native = native(&store, &spec, &params, runs);
    println!("the same training natively, with weights and data: {} a block", ms(native));
}

fn record(view: &View, height: u64) -> Record {
    let id = view.at_height(height).expect("the store is read").expect("a block of the chain");
    view.record(&id).expect("the store is read").expect("a record")
}

fn block(view: &View, height: u64) -> Arc<Block> {
    let id = view.at_height(height).expect("the store is read").expect("a block of the chain");
    Arc::new(view.block(&id).expect("the store is read").expect("a block"))
}

/// Re-running a block's training: the gradients of as many sequences as the tip has, and the update.
fn native(store: &Arc<Store>, spec: &Arc<ChainSpec>, params: &Arc<backend::curve::Params>, runs: usize) -> Duration {
    let chain = ChainState::open(store.clone(), spec.clone(), params.clone()).expect("the chain opens");
    let view = store.view().expect("the store is read");
    let tip = block(&view, chain.tip().summary.height);
    let count = tip.contributions.len().max(1) as u32;
    let model = Spec::new(spec.config().clone());
    let sequences =
        benches::setup::batch(&model, &benches::setup::corpus(), (count * spec.genesis().batch) as usize, 0);
    let step = chain.tip().summary.step;
    repeat(runs, || {
        let gradient = prover::trainer::batch_gradient(&model, &chain.state().w, &sequences).expect("sequences");
        let mut state = chain.state().clone();
        let gradients: &Gradients = &gradient.gradients;
        let squares = spec.genesis().optimizer.squares(gradients);
        let hyper = spec.hyper(step, count, squares).expect("the optimizer is the chain's");
        state.update(&hyper, gradients, &mut Saturations::default()).expect("a state of SGD");
    })
}

fn ms(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}
