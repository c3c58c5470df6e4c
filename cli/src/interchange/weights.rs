//! `model.safetensors`: the weights in use as F32, and kept values from F32, F16 or BF16.

use super::error::{Inexact, InterchangeError, NotExact};
use super::float::{Converted, Format, RoundingError, single};
use super::layout::{EMBEDDING, Foreign, HEAD};
use super::views::Views;
use circuits::arithmetic::fixed;
use circuits::arithmetic::tensor::Tensor;
use circuits::model::{Config, Moments, OptimizerKind, State, Weights};
use safetensors::{Dtype, tensor::TensorView};
use std::collections::{BTreeMap, HashMap};

/// The weights read from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightFile {
    /// Kept values, units of 2^-36.
    pub kept: Weights,
    /// Elements beyond ±16 that were clipped, by the tensor's name in the file.
    pub clipped: BTreeMap<String, u64>,
    /// The largest rounding error of each tensor that has one, by its name in the file.
    pub rounded: BTreeMap<String, RoundingError>,
    /// The tensors that `--strict` refuses, in the model's order.
    inexact: Vec<Inexact>,
}

impl WeightFile {
    /// Whether each number in the file is a kept value.
    pub fn exact(&self) -> bool {
        self.clipped.is_empty() && self.rounded.is_empty()
    }

    /// Refuses clipping, and rounding by more than 2^-24 of a tensor's largest value.
    pub fn strict(&self) -> Result<(), NotExact> {
        match self.inexact.split_first() {
            Some((first, others)) => Err(NotExact { first: first.clone(), others: others.len() }),
            None => Ok(()),
        }
    }

    /// The state of these weights; its moments are zero.
    pub fn state(&self, config: &Config) -> State {
        split(config, &self.kept, Moments::zeros(config, OptimizerKind::default()))
    }
}

/// Parameters made of two others, element by element.
pub fn map(config: &Config, a: &Weights, b: &Weights, f: impl Fn(i64, i64) -> i64) -> Weights {
    let mut pairs = a.iter().zip(b.iter());
    Weights::build(config, |spec| match pairs.next() {
        Some((a, b)) => Tensor::from_fn(spec.rows, spec.cols, |i, j| f(a.at(i, j), b.at(i, j))),
        None => Tensor::default(),
    })
}

/// The state of kept values and moments.
pub fn split(config: &Config, kept: &Weights, moments: Moments) -> State {
    let w = map(config, kept, kept, |kept, _| fixed::split(kept).0);
    let lo = map(config, kept, kept, |kept, _| fixed::split(kept).1);
    State { w, lo, moments }
}

/// Parameters of tensors in the model's order.
pub fn build(config: &Config, tensors: Vec<Tensor>) -> Weights {
    let mut tensors = tensors.into_iter();
    Weights::build(config, |_| tensors.next().unwrap_or_default())
}

/// A `model.safetensors` of the weights in use: with others, the library would compute another model's logits.
pub fn write(config: &Config, used: &Weights) -> Result<Vec<u8>, InterchangeError> {
    let data: Vec<(Foreign, Vec<u8>)> = Foreign::all(config)
        .zip(used.iter())
        .map(|(foreign, tensor)| {
            let bytes = foreign.outward(tensor).flat_map(|w| single(w).to_le_bytes()).collect();
            (foreign, bytes)
        })
        .collect();
    let views = data
        .iter()
        .map(|(foreign, bytes)| Ok((&foreign.name, TensorView::new(Dtype::F32, foreign.shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, InterchangeError>>()?;
    // The library refuses a file that does not say which framework's layout it has.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    Ok(safetensors::serialize(views, Some(metadata))?)
}

/// Reads the weights of a model from a `model.safetensors`.
pub fn read(config: &Config, bytes: &[u8]) -> Result<WeightFile, InterchangeError> {
    read_views(config, Views::of(bytes)?)
}

/// The same from the tensors of one file or several.
pub fn read_views(config: &Config, mut views: Views<'_>) -> Result<WeightFile, InterchangeError> {
    if config.tied {
        one_head(&mut views)?;
    }
    for layer in 0..config.layers {
        // Old versions of the library saved these; they follow from `rope_theta`, and newer ones do not read them.
        views.remove(&format!("model.layers.{layer}.self_attn.rotary_emb.inv_freq"));
    }
    let (mut clipped, mut rounded, mut inexact) = (BTreeMap::new(), BTreeMap::new(), vec![]);
    let mut tensors = vec![];
    for foreign in Foreign::all(config) {
        let name = &foreign.name;
        let view = views.take(name, &foreign.shape).map_err(|error| match error {
            InterchangeError::Missing { name } if name == HEAD => InterchangeError::NoHead,
            other => other,
        })?;
        let format = match view.dtype() {
            Dtype::F32 => Format::F32,
            Dtype::F16 => Format::F16,
            Dtype::BF16 => Format::Bf16,
            found => return Err(InterchangeError::dtype(name, found, "F32, F16 or BF16")),
        };
        let Converted { kept, clipped: count, error, coarse } =
            format.convert(view.data()).map_err(|index| InterchangeError::NotFinite { name: name.clone(), index })?;
        if count > 0 {
            clipped.insert(name.clone(), count);
            inexact.push(Inexact::Clipped { name: name.clone(), count });
        }
        if error > RoundingError::default() {
            rounded.insert(name.clone(), error);
        }
        if coarse && count == 0 {
            inexact.push(Inexact::Rounded { name: name.clone(), error });
        }
        tensors.push(foreign.inward(kept));
    }
    views.nothing_left()?;
    Ok(WeightFile { kept: build(config, tensors), clipped, rounded, inexact })
}

/// Of a tied model's embedding and head one is enough, as for the library; two must be the same, bit for bit.
fn one_head(views: &mut Views<'_>) -> Result<(), InterchangeError> {
    let Some(head) = views.remove(HEAD) else { return Ok(()) };
    match views.get(EMBEDDING) {
        Some(embedding) if *embedding != head => Err(InterchangeError::OtherHead),
        Some(_) => Ok(()),
        None => {
            views.insert(EMBEDDING, head);
            Ok(())
        }
    }
}
