//! Round trips, the layout on the other side, and what is refused.

mod library;
mod sidecar;
mod weights;

use super::weights::{WeightFile, map};
use super::*;
use circuits::model::{Moments, OptimizerKind, Weights};
use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::{BTreeMap, HashMap};

fn config() -> Config {
    Config::NANO.untied()
}

/// Two heads of queries to each of keys and values, wider than the hidden size, with biases.
fn biased() -> Config {
    let mut config = Config::NANO;
    (config.heads, config.kv_heads, config.head_dim, config.biased) = (4, Some(2), Some(8), true);
    config
}

/// Any state of a configuration: each element of any size, the ends among them.
fn arb_state(config: Config) -> impl Strategy<Value = State> {
    any::<u64>().prop_map(move |seed| {
        let mut word = seed;
        // splitmix64
        let mut next = move || {
            word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        };
        let mut signed = move |bits: u32| {
            let (kind, size) = (next() % 8, next() % u64::from(bits));
            let (min, max) = (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1);
            match kind {
                0 => [min, min + 1, -1, 0, 1, max - 1, max, max - (1 << 15)][(next() % 8) as usize],
                _ => next() as i64 >> (64 - bits) >> size,
            }
        };
        let mut params = |bits| {
            Weights::build(&config, |spec| {
                circuits::arithmetic::tensor::Tensor::from_fn(spec.rows, spec.cols, |_, _| signed(bits))
            })
        };
        let (kept, before) = (params(41), params(41));
        let movement = map(&config, &kept, &before, |kept, before| kept - before);
        super::weights::split(&config, &kept, Moments::Sgd { movement })
    })
}

/// A state as training leaves it: low parts and momentum are not zero.
fn trained() -> State {
    let mut state = State::init(&config(), 3);
    let (w, lo) = (state.w.clone(), state.lo.clone());
    state.moments = Moments::Sgd { movement: map(&config(), &w, &lo, |w, lo| w * 12_345 - lo) };
    state.check(&config()).unwrap();
    state
}

/// A file as it can be changed and written again.
#[derive(Clone)]
struct File {
    tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
    metadata: HashMap<String, String>,
}

impl File {
    fn read(bytes: &[u8]) -> Self {
        let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
        let tensors = SafeTensors::deserialize(bytes).unwrap().tensors().into_iter();
        File {
            tensors: tensors.map(|(name, v)| (name, (v.dtype(), v.shape().to_vec(), v.data().to_vec()))).collect(),
            metadata: header.metadata().clone().unwrap_or_default(),
        }
    }

    fn write(&self) -> Vec<u8> {
        let views = self.tensors.iter().map(|(n, (t, s, d))| (n, TensorView::new(*t, s.clone(), d).unwrap()));
        safetensors::serialize(views, Some(self.metadata.clone())).unwrap()
    }

    fn data(&mut self, name: &str) -> &mut Vec<u8> {
        &mut self.tensors.get_mut(name).unwrap().2
    }

    fn put(&mut self, name: &str, dtype: Dtype, shape: &[usize], data: Vec<u8>) {
        self.tensors.insert(name.to_owned(), (dtype, shape.to_vec(), data));
    }
}

/// The weights of a changed file.
fn changed(change: impl FnOnce(&mut File)) -> Result<WeightFile, InterchangeError> {
    let mut file = File::read(&export(&config(), &trained(), 0).unwrap().weights);
    change(&mut file);
    read(&config(), &file.write())
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}
