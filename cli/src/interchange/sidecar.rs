//! What `model.safetensors` cannot hold, in a file beside it: from both a state comes back exactly.
//!
//! | tensor | type | what |
//! |---|---|---|
//! | `NAME.rest` | I32 | low part: kept value less the weight in use, in units of 2^-36 |
//! | `NAME.momentum` | I64 | of SGD: kept value less what it was a step before, in units of 2^-36 |
//! | `NAME.first` | I64 | of AdamW: first moment, in units of 2^-32 |
//! | `NAME.second.high` | I64 | of AdamW: second moment, in units of 2^-32, rounded down |
//! | `NAME.second.low` | I64 | what that leaves, in units of 2^-64 |
//!
//! NAME, shape and order of elements are those of the weights. The file's metadata [`KEY`] is JSON: [`Header`].

use super::error::InterchangeError;
use super::float::KEPT;
use super::layout::Foreign;
use super::views::Views;
use super::weights::{WeightFile, build, map, split};
use crate::format::hex;
use circuits::arithmetic::fixed;
use circuits::arithmetic::tensor::{Tensor, Wide};
use circuits::model::{Config, Gradients, Moments, OptimizerKind, Slot, State, Weights};
use safetensors::{Dtype, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The key of the metadata.
const KEY: &str = "gradientcoin";
/// Of the file; 2: momentum as the last movement; 3: of an optimizer.
const VERSION: u64 = 4;
/// Bits of the lower half of a second moment.
const LOW_BITS: u32 = 32;

/// What the file says of itself. One text, as the order of several would change from writing to writing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u64,
    /// Steps that the optimizer has taken.
    step: u64,
    /// Which.
    optimizer: OptimizerKind,
    /// Digest of the configuration and the numbers in `model.safetensors`.
    weights: String,
    /// Digest of what is here.
    checksum: String,
}

impl Header {
    fn of(file: &Views<'_>) -> Result<Self, InterchangeError> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let fault = |fault: String| InterchangeError::Metadata { key: KEY, fault };
        let text = file.metadata(KEY).ok_or_else(|| fault("is missing".to_owned()))?;
        let malformed = |e: serde_json::Error| fault(format!("is malformed: {e}"));
        let Version { version } = serde_json::from_str(text).map_err(malformed)?;
        if version != VERSION {
            return Err(InterchangeError::Version { found: version, read: VERSION });
        }
        serde_json::from_str(text).map_err(malformed)
    }
}

/// A digest of integers.
struct Digest(blake2b_simd::State);

impl Digest {
    fn new(personal: &[u8]) -> Self {
        Digest(blake2b_simd::Params::new().hash_length(32).personal(personal).to_state())
    }

    fn add(mut self, params: &Weights) -> Self {
        for value in params.iter().flat_map(|tensor| &tensor.data) {
            self.0.update(&value.to_le_bytes());
        }
        self
    }

    fn hex(&self) -> String {
        hex(self.0.finalize().as_bytes())
    }
}

/// Of the numbers in a `model.safetensors` as kept values, whatever the type and order that it has them in.
fn digest_of_weights(config: &Config, numbers: &Weights) -> String {
    let mut digest = Digest::new(b"gradcoin-f32");
    digest.0.update(&config.digest());
    digest.add(numbers).hex()
}

fn checksum((step, optimizer): (u64, OptimizerKind), rest: &Weights, moments: &[(&str, Weights)]) -> String {
    let mut digest = Digest::new(b"gradcoin-sidecar");
    digest.0.update(&step.to_le_bytes());
    digest.0.update(optimizer.name().as_bytes());
    moments.iter().fold(digest.add(rest), |digest, (_, values)| digest.add(values)).hex()
}

/// The moments as tensors of 64 bits, with the ends of their names.
fn moments(config: &Config, of: &Moments) -> Vec<(&'static str, Weights)> {
    match of {
        Moments::Sgd { movement } => vec![("momentum", movement.clone())],
        Moments::AdamW { first, second } => {
            let half = |of: fn(i128) -> i64| {
                let mut second = second.iter();
                Weights::build(config, |spec| {
                    let values = second.next().map_or(vec![], |wide| wide.data.iter().map(|&x| of(x)).collect());
                    Tensor { rows: spec.rows, cols: spec.cols, data: values }
                })
            };
            // A second moment has at most 69 bits.
            let (high, low) = (half(|x| (x >> LOW_BITS) as i64), half(|x| (x & ((1 << LOW_BITS) - 1)) as i64));
            vec![("first", first.clone()), ("second.high", high), ("second.low", low)]
        }
    }
}

/// The ends of the names of an optimizer's moments.
fn suffixes(optimizer: OptimizerKind) -> &'static [&'static str] {
    match optimizer {
        OptimizerKind::Sgd => &["momentum"],
        OptimizerKind::AdamW => &["first", "second.high", "second.low"],
    }
}

/// The moments of these tensors, as many as there are ends of names.
fn of_moments(config: &Config, optimizer: OptimizerKind, values: Vec<Weights>) -> Moments {
    let mut values = values.into_iter();
    let mut next = || values.next().unwrap_or_default();
    match optimizer {
        OptimizerKind::Sgd => Moments::Sgd { movement: next() },
        OptimizerKind::AdamW => {
            let (first, high, low) = (next(), next(), next());
            let mut halves = high.iter().zip(low.iter());
            let second = Gradients::build(config, |spec| {
                let whole = |(high, low): (&i64, &i64)| (i128::from(*high) << LOW_BITS) + i128::from(*low);
                let data =
                    halves.next().map_or(vec![], |(high, low)| high.data.iter().zip(&low.data).map(whole).collect());
                Wide { rows: spec.rows, cols: spec.cols, data }
            });
            Moments::AdamW { first, second }
        }
    }
}

/// The file beside the weights of a state.
pub fn write(config: &Config, state: &State, step: u64) -> Result<Vec<u8>, InterchangeError> {
    let used = map(config, &state.w, &state.w, |w, _| fixed::whole(w, 0));
    let rest = &state.lo;
    let (optimizer, moments) = (state.moments.kind(), moments(config, &state.moments));
    let header = Header {
        version: VERSION,
        step,
        optimizer,
        weights: digest_of_weights(config, &used),
        checksum: checksum((step, optimizer), rest, &moments),
    };
    let mut data = vec![];
    for (foreign, rest) in Foreign::all(config).zip(rest.iter()) {
        // A low part has 24 bits.
        let rest: Vec<u8> = foreign.outward(rest).flat_map(|rest| (rest as i32).to_le_bytes()).collect();
        data.push((format!("{}.rest", foreign.name), Dtype::I32, foreign.shape, rest));
    }
    for (suffix, values) in &moments {
        for (foreign, values) in Foreign::all(config).zip(values.iter()) {
            let bytes: Vec<u8> = foreign.outward(values).flat_map(i64::to_le_bytes).collect();
            data.push((format!("{}.{suffix}", foreign.name), Dtype::I64, foreign.shape, bytes));
        }
    }
    let views = data
        .iter()
        .map(|(name, dtype, shape, bytes)| Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, InterchangeError>>()?;
    let malformed = |e: serde_json::Error| InterchangeError::Metadata { key: KEY, fault: e.to_string() };
    let metadata = HashMap::from([(KEY.to_owned(), serde_json::to_string(&header).map_err(malformed)?)]);
    Ok(safetensors::serialize(views, Some(metadata))?)
}

/// The exact state, and its step; `None` if the file is beside other weights than it was written with.
pub fn restore(config: &Config, weights: &WeightFile, bytes: &[u8]) -> Result<Option<(State, u64)>, InterchangeError> {
    let mut views = Views::of(bytes)?;
    let header = Header::of(&views)?;
    // What was exported is exact: other numbers are of another file.
    if !weights.exact() || digest_of_weights(config, &weights.kept) != header.weights {
        return Ok(None);
    }
    let suffixes = suffixes(header.optimizer);
    let (mut rests, mut moments) = (vec![], vec![vec![]; suffixes.len()]);
    for (foreign, used) in Foreign::all(config).zip(weights.kept.iter()) {
        let used: Vec<i64> = foreign.outward(used).collect();
        let fits = |index: usize, rest: i64| fixed::whole(fixed::split(used[index] + rest).0, 0) == used[index];
        let rest = read(&mut views, format!("{}.rest", foreign.name), &foreign, Dtype::I32, fits)?;
        let kept: Vec<i64> = used.iter().zip(foreign.outward(&rest)).map(|(used, rest)| used + rest).collect();
        for (suffix, tensors) in suffixes.iter().zip(&mut moments) {
            let valid = |index: usize, x: i64| match *suffix {
                "momentum" => kept[index].checked_sub(x).is_some_and(|before| KEPT.contains(&before)),
                "first" => Slot::First.contains(x.into()),
                "second.high" => Slot::Second.contains(i128::from(x) << LOW_BITS),
                _ => (0..1 << LOW_BITS).contains(&x),
            };
            tensors.push(read(&mut views, format!("{}.{suffix}", foreign.name), &foreign, Dtype::I64, valid)?);
        }
        rests.push(rest);
    }
    views.nothing_left()?;
    let rest = build(config, rests);
    let moments: Vec<Weights> = moments.into_iter().map(|tensors| build(config, tensors)).collect();
    let named: Vec<(&str, Weights)> = suffixes.iter().copied().zip(moments.iter().cloned()).collect();
    if checksum((header.step, header.optimizer), &rest, &named) != header.checksum {
        return Err(InterchangeError::Damaged);
    }
    let kept = map(config, &weights.kept, &rest, |used, rest| used + rest);
    let state = split(config, &kept, of_moments(config, header.optimizer, moments));
    // The largest second moment has nothing behind it.
    state.check(config)?;
    Ok(Some((state, header.step)))
}

/// Takes a tensor of integers, each of which must be `valid` at its place in the file.
fn read(
    views: &mut Views<'_>,
    name: String,
    foreign: &Foreign,
    dtype: Dtype,
    valid: impl Fn(usize, i64) -> bool,
) -> Result<Tensor, InterchangeError> {
    let view = views.take(&name, &foreign.shape)?;
    let data = view.data();
    let values: Vec<i64> = match (view.dtype(), dtype) {
        (Dtype::I32, Dtype::I32) => data.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b).into()).collect(),
        (Dtype::I64, Dtype::I64) => data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect(),
        (found, _) => return Err(InterchangeError::dtype(&name, found, format!("{dtype:?}"))),
    };
    match values.iter().enumerate().find(|&(index, &value)| !valid(index, value)) {
        Some((index, &value)) => Err(InterchangeError::Range { name, index, value }),
        None => Ok(foreign.inward(values)),
    }
}
