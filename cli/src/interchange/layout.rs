//! Names, shapes and order of elements as `LlamaForCausalLM` and `Qwen2ForCausalLM` of the `transformers` library have them.

use circuits::arithmetic::tensor::Tensor;
use circuits::model::{Config, TensorKind, TensorSpec, tensors};

/// The embedding's name.
pub const EMBEDDING: &str = "model.embed_tokens.weight";
/// The name of a head of its own.
pub const HEAD: &str = "lm_head.weight";

/// How a tensor lies in memory on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// The same.
    Same,
    /// Outputs by inputs.
    Transposed,
    /// Outputs by inputs; of the outputs of each head first the even ones, then the odd ones. A bias has one input.
    Rotary,
}

/// A tensor of a model on the other side.
pub struct Foreign {
    /// Its name.
    pub name: String,
    /// Its shape there.
    pub shape: Vec<usize>,
    layout: Layout,
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
            "bq" => ("self_attn.q_proj", Layout::Rotary),
            "bk" => ("self_attn.k_proj", Layout::Rotary),
            "bv" => ("self_attn.v_proj", Layout::Same),
            "wo" => ("self_attn.o_proj", Layout::Transposed),
            "norm2" => ("post_attention_layernorm", Layout::Same),
            "wg" => ("mlp.gate_proj", Layout::Transposed),
            "wu" => ("mlp.up_proj", Layout::Transposed),
            "wd" => ("mlp.down_proj", Layout::Transposed),
            other => unreachable!("a model has no tensor `{other}`"),
        };
        let part = if spec.kind == TensorKind::Bias { "bias" } else { "weight" };
        let name = match spec.layer {
            Some(layer) => format!("model.layers.{layer}.{field}.{part}"),
            None => format!("{field}.{part}"),
        };
        let shape = match (spec.kind, layout) {
            (TensorKind::Gain | TensorKind::Bias, _) => vec![spec.cols],
            (TensorKind::Matrix, Layout::Same) => vec![spec.rows, spec.cols],
            (TensorKind::Matrix, _) => vec![spec.cols, spec.rows],
        };
        Foreign { name, layout, shape, spec, head_dim: config.head_dim() }
    }

    /// All tensors of a model, in its order.
    pub fn all(config: &Config) -> impl Iterator<Item = Foreign> {
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

    /// The elements of a tensor of ours in the order of the other side.
    pub fn outward(&self, tensor: &Tensor) -> impl Iterator<Item = i64> {
        self.indices().map(|at| tensor.data[at])
    }

    /// A tensor of ours from elements in the order of the other side.
    pub fn inward(&self, elements: impl IntoIterator<Item = i64>) -> Tensor {
        let mut tensor = Tensor::zeros(self.spec.rows, self.spec.cols);
        for (at, element) in self.indices().zip(elements) {
            tensor.data[at] = element;
        }
        tensor
    }
}
