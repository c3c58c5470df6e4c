//! Weights as `LlamaForCausalLM` of the `transformers` library names and shapes them, in `safetensors`.

mod error;
mod float;
#[cfg(test)]
mod tests;

pub use error::InterchangeError;

use circuits::model::{Config, Params, State, TensorSpec, tensors};
use circuits::tensor::Tensor;
use float::{Format, single};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::{BTreeMap, HashMap};

/// File of the weights in a directory of `transformers`.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// Most bytes of the header of a weights file; the rest follows from the configuration.
const HEADER_LIMIT: u64 = 1 << 20;

/// How a tensor lies in memory on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// The same.
    Same,
    /// Outputs by inputs.
    Transposed,
    /// Outputs by inputs; of the outputs of each head first the even ones, then the odd ones.
    Rotary,
}

/// A tensor of a model on the other side.
struct Foreign {
    name: String,
    layout: Layout,
    shape: Vec<usize>,
    spec: TensorSpec,
    head_dim: usize,
}

impl Foreign {
    fn new(config: &Config, spec: TensorSpec) -> Self {
        let (field, layout) = match spec.name.rsplit('.').next().unwrap_or_default() {
            "embed" => ("model.embed_tokens", Layout::Same),
            "norm_f" => ("model.norm", Layout::Same),
            "head" => ("lm_head", Layout::Same),
            "norm1" => ("input_layernorm", Layout::Same),
            "wq" => ("self_attn.q_proj", Layout::Rotary),
            "wk" => ("self_attn.k_proj", Layout::Rotary),
            "wv" => ("self_attn.v_proj", Layout::Transposed),
            "wo" => ("self_attn.o_proj", Layout::Transposed),
            "norm2" => ("post_attention_layernorm", Layout::Same),
            "wg" => ("mlp.gate_proj", Layout::Transposed),
            "wu" => ("mlp.up_proj", Layout::Transposed),
            "wd" => ("mlp.down_proj", Layout::Transposed),
            other => unreachable!("a model has no tensor `{other}`"),
        };
        let name = match spec.layer {
            Some(layer) => format!("model.layers.{layer}.{field}.weight"),
            None => format!("{field}.weight"),
        };
        let shape = match (layout, spec.rows) {
            (Layout::Same, 1) => vec![spec.cols],
            (Layout::Same, rows) => vec![rows, spec.cols],
            (_, rows) => vec![spec.cols, rows],
        };
        Foreign { name, layout, shape, spec, head_dim: config.head_dim() }
    }

    /// All tensors of a model, in its order.
    fn all(config: &Config) -> impl Iterator<Item = Foreign> {
        tensors(config).into_iter().map(|spec| Foreign::new(config, spec))
    }

    /// For each element on the other side, in order, its index on ours.
    fn indices(&self) -> impl Iterator<Item = usize> {
        let (layout, rows, cols, head) = (self.layout, self.spec.rows, self.spec.cols, self.head_dim);
        let (outer, inner) = if layout == Layout::Same { (rows, cols) } else { (cols, rows) };
        (0..outer * inner).map(move |at| {
            let (i, j) = (at / inner, at % inner);
            match layout {
                Layout::Same => at,
                Layout::Transposed => j * cols + i,
                Layout::Rotary => {
                    let feature = i % head;
                    let (pair, odd) = (feature % (head / 2), feature / (head / 2));
                    j * cols + (i - feature) + 2 * pair + odd
                }
            }
        })
    }
}

/// A `model.safetensors` of the weights in use, each exactly.
pub fn export(config: &Config, weights: &Params) -> Result<Vec<u8>, InterchangeError> {
    weights.check(config)?;
    let data: Vec<(Foreign, Vec<u8>)> = Foreign::all(config)
        .zip(weights.iter())
        .map(|(foreign, tensor)| {
            let bytes = foreign.indices().flat_map(|at| single(tensor.data[at]).to_le_bytes()).collect();
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

/// Weights read from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The weights; low parts and momentum are zero.
    pub state: State,
    /// Elements beyond ±16 that were clipped, by the tensor's name in the file.
    pub saturated: BTreeMap<String, u64>,
}

/// Most bytes that a weights file of a model can have.
pub fn file_limit(config: &Config) -> u64 {
    (config.parameters() as u64).saturating_mul(4).saturating_add(HEADER_LIMIT)
}

/// Reads the weights of a model from a `model.safetensors`.
pub fn import(config: &Config, bytes: &[u8]) -> Result<Imported, InterchangeError> {
    let file = SafeTensors::deserialize(bytes)?;
    let mut views: BTreeMap<String, TensorView<'_>> = file.tensors().into_iter().collect();
    let mut saturated = BTreeMap::new();
    let mut read = |foreign: Foreign| -> Result<Tensor, InterchangeError> {
        let Foreign { name, shape, spec, .. } = &foreign;
        let Some(view) = views.remove(name) else {
            return Err(InterchangeError::Missing { name: name.clone() });
        };
        if view.shape() != shape {
            return Err(InterchangeError::Shape {
                name: name.clone(),
                expected: shape.clone(),
                found: view.shape().to_vec(),
            });
        }
        let format = match view.dtype() {
            Dtype::F32 => Format::F32,
            Dtype::F16 => Format::F16,
            Dtype::BF16 => Format::Bf16,
            other => return Err(InterchangeError::Dtype { name: name.clone(), found: format!("{other:?}") }),
        };
        let (weights, clipped) =
            format.weights(view.data()).map_err(|index| InterchangeError::NotFinite { name: name.clone(), index })?;
        if clipped > 0 {
            saturated.insert(name.clone(), clipped);
        }
        let mut tensor = Tensor::zeros(spec.rows, spec.cols);
        for (at, weight) in foreign.indices().zip(weights) {
            tensor.data[at] = weight;
        }
        Ok(tensor)
    };
    let read = Foreign::all(config).map(&mut read).collect::<Result<Vec<_>, _>>()?;
    if let Some(name) = views.into_keys().next() {
        return Err(InterchangeError::Unknown { name });
    }
    let mut read = read.into_iter();
    let w = Params::build(config, |_| read.next().unwrap_or_default());
    w.check(config)?;
    let state = State { w, lo: Params::zeros(config), v: Params::zeros(config) };
    Ok(Imported { state, saturated })
}
