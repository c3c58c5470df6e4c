//! The shape of a model and its presets.

use thiserror::Error;

use super::rope_scaling::{RopeScaling, ScalingError};
use crate::arithmetic::decimal::{Decimal, DecimalError};

/// Largest vocabulary: a column of a circuit of 2^16 rows holds the logits of two positions, two of them in a row.
pub const MAX_VOCAB: usize = 65_520;
/// Most features of the queries of a position, those of all heads.
pub const MAX_FEATURES: usize = 1024;
/// Longest context.
pub const MAX_CONTEXT: usize = 256;
/// Largest hidden size.
pub const MAX_HIDDEN: usize = 512;
/// Largest intermediate size: the products of gate and up, one row each, stand in one column of a circuit.
pub const MAX_MLP: usize = 2040;
/// Most layers.
pub const MAX_LAYERS: usize = 64;
/// Most parameters: with gradients and an optimizer's moments they take a gigabyte, and a file of them fits the codec's limit
/// (`model::file`).
pub const MAX_PARAMETERS: usize = 1 << 24;

/// Most cells of a layer's circuit, and of the head's, by an estimate: making its keys takes a few gigabytes.
pub const MAX_CELLS: usize = 1 << 25;

/// Cells of either circuit, by the same estimate, from which on the circuits have twice as many rows.
#[cfg(feature = "proofs")]
const TALL_CELLS: usize = 1 << 23;

/// A configuration that the arithmetic does not cover.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// Not a JSON object of unique keys.
    #[error("not a JSON object: {0}")]
    Json(String),
    /// A key without which there is no model.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A key with a value of the wrong type.
    #[error("`{key}` must be {expected}, not {found}")]
    Type {
        /// The key.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is, shortened.
        found: String,
    },
    /// A number that does not parse exactly.
    #[error("`{key}`: {source}")]
    Number {
        /// The key.
        key: &'static str,
        /// Why.
        source: DecimalError,
    },
    /// A feature of Llama that is not supported, or a key that is not known.
    #[error("`{key}` is not supported with the value {found}")]
    Unsupported {
        /// The key.
        key: String,
        /// Its value, shortened.
        found: String,
    },
    /// A size that is zero or too large.
    #[error("`{key}` is {value}; it must be between 1 and {max}")]
    Limit {
        /// The key.
        key: &'static str,
        /// Its value.
        value: usize,
        /// The largest value.
        max: usize,
    },
    /// Hidden, intermediate, context, head and vocabulary sizes are multiples of 4.
    #[error("`{key}` is {value}; it must be a multiple of 4")]
    MultipleOf4 {
        /// The key.
        key: &'static str,
        /// Its value.
        value: usize,
    },
    /// Without a head size of their own, the heads must share the hidden size evenly.
    #[error("`hidden_size` {hidden} is not a multiple of `num_attention_heads` {heads}, and there is no `head_dim`")]
    Heads {
        /// Hidden size.
        hidden: usize,
        /// Number of heads.
        heads: usize,
    },
    /// Each head of keys and values serves equally many heads of queries.
    #[error("`num_key_value_heads` is {kv_heads}; it must divide `num_attention_heads`, which is {heads}")]
    Groups {
        /// Heads of keys and values.
        kv_heads: usize,
        /// Heads of queries.
        heads: usize,
    },
    /// Each is within its limit, but all heads together are too wide.
    #[error(
        "`head_dim` is {head_dim}: {heads} heads would have {features} features; they must have at most {MAX_FEATURES}"
    )]
    Features {
        /// Features of a head.
        head_dim: usize,
        /// `num_attention_heads`.
        heads: usize,
        /// Their product.
        features: usize,
    },
    /// A Llama with biases has one on the output of attention as well.
    #[error(
        "`attention_bias` is true, which for a Llama adds biases to q, k, v and o; only those of q, k and v are supported, as `\"model_type\": \"qwen2\"` has them"
    )]
    OutputBias,
    /// Each size is within its limit, but all together need too much memory.
    #[error("`{key}` is {value}: the model would have {parameters} parameters; it must have at most {MAX_PARAMETERS}")]
    Parameters {
        /// The key that multiplies the others.
        key: &'static str,
        /// Its value.
        value: usize,
        /// Number of parameters.
        parameters: usize,
    },
    /// A circuit would need too much memory.
    #[error("`{key}` is {value}: the circuit of {circuit} would have {cells} cells; it must have at most {MAX_CELLS}")]
    Cells {
        /// Which circuit.
        circuit: &'static str,
        /// The key that adds most.
        key: &'static str,
        /// Its value.
        value: usize,
        /// Estimated number of cells.
        cells: usize,
    },
    /// `round(eps·2^24)` must lie in `1..2^24`: zero would divide by zero.
    #[error("`rms_norm_eps` {0} is not between 2^-25 and 1")]
    Eps(Decimal),
    /// The base of the rotary angles must lie in `1..=10^9`.
    #[error("`rope_theta` {0} is not between 1 and 1e9")]
    Theta(Decimal),
    /// A scaling of the rotary angles with parameters that make no angles.
    #[error(transparent)]
    Scaling(#[from] ScalingError),
    /// No such preset.
    #[error("`{0}` is not a preset; the presets are nano, micro and mini")]
    Preset(String),
}

/// Part of a circuit's cells.
struct Part {
    /// The key of the configuration that they grow with.
    key: &'static str,
    /// Its value.
    value: usize,
    /// How many.
    cells: usize,
}

fn total(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.cells).sum()
}

/// The shape of a model. Checked by every constructor; [`Config::check`] checks it again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Config {
    /// V, `vocab_size`.
    pub vocab: usize,
    /// d, `hidden_size`.
    pub hidden: usize,
    /// f, `intermediate_size`.
    pub mlp: usize,
    /// `num_hidden_layers`.
    pub layers: usize,
    /// H, `num_attention_heads`.
    pub heads: usize,
    /// T, `max_position_embeddings`; every sequence has this length.
    pub context: usize,
    /// `rms_norm_eps`.
    pub norm_eps: Decimal,
    /// `rope_theta`.
    pub rope_theta: Decimal,
    /// `tie_word_embeddings`: whether the head is the embedding.
    pub tied: bool,
    /// `num_key_value_heads`, each of which serves equally many heads of queries; `None`: every head has its own. Read by
    /// [`Config::kv_heads`].
    pub kv_heads: Option<usize>,
    /// `head_dim`; `None`: the heads share the hidden size. Read by [`Config::head_dim`].
    pub head_dim: Option<usize>,
    /// Whether q, k and v have biases, as those of Qwen2 have.
    pub biased: bool,
    /// `rope_scaling`.
    pub rope_scaling: RopeScaling,
}

impl Config {
    /// 7 thousand parameters: tests and the demo.
    pub const NANO: Self = Self::sized(16, 44, 1, 2, 16);
    /// 115 thousand parameters: the benchmark.
    pub const MICRO: Self = Self::sized(64, 172, 2, 4, 32);
    /// 0.8 million parameters.
    pub const MINI: Self = Self::sized(128, 344, 4, 8, 64);

    const fn sized(hidden: usize, mlp: usize, layers: usize, heads: usize, context: usize) -> Self {
        Self {
            vocab: 256,
            hidden,
            mlp,
            layers,
            heads,
            context,
            norm_eps: Decimal::canonical(1, -5),
            rope_theta: Decimal::canonical(1, 4),
            tied: true,
            kv_heads: None,
            head_dim: None,
            biased: false,
            rope_scaling: RopeScaling::None,
        }
    }

    /// The preset of a name.
    pub fn preset(name: &str) -> Result<Self, ConfigError> {
        match name {
            "nano" => Ok(Self::NANO),
            "micro" => Ok(Self::MICRO),
            "mini" => Ok(Self::MINI),
            _ => Err(ConfigError::Preset(name.to_owned())),
        }
    }

    /// The same model with a head of its own.
    #[must_use]
    pub fn untied(self) -> Self {
        Self { tied: false, ..self }
    }

    /// hd, features of a head.
    pub fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden / self.heads.max(1))
    }

    /// Heads of keys and values.
    pub fn kv_heads(&self) -> usize {
        self.kv_heads.unwrap_or(self.heads)
    }

    /// Heads of queries that each head of keys and values serves.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads().max(1)
    }

    /// H·hd, features of the queries of a position, and of what attention gives.
    pub fn features(&self) -> usize {
        self.heads * self.head_dim()
    }

    /// Features of the keys of a position, and of the values.
    pub fn kv_features(&self) -> usize {
        self.kv_heads() * self.head_dim()
    }

    /// The same model in the one form that equality knows: sizes that are the usual ones are not given.
    pub(super) fn canonical(mut self) -> Self {
        self.kv_heads = self.kv_heads.filter(|&kv_heads| kv_heads != self.heads);
        self.head_dim = self.head_dim.filter(|&head_dim| head_dim.checked_mul(self.heads) != Some(self.hidden));
        self
    }

    /// `round(eps·2^24)`, in `1..2^24`.
    pub fn eps24(&self) -> u64 {
        // The fallback is out of reach: `check` refuses such an eps.
        self.norm_eps.scaled(1 << 24, 1).and_then(|e| u64::try_from(e).ok()).unwrap_or(u64::MAX)
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        super::tensors(self).iter().map(|t| t.rows * t.cols).sum()
    }

    /// Every rule a configuration obeys.
    pub fn check(&self) -> Result<(), ConfigError> {
        let limits = [
            ("vocab_size", self.vocab, MAX_VOCAB),
            ("hidden_size", self.hidden, MAX_HIDDEN),
            ("intermediate_size", self.mlp, MAX_MLP),
            ("max_position_embeddings", self.context, MAX_CONTEXT),
            ("num_hidden_layers", self.layers, MAX_LAYERS),
            ("num_attention_heads", self.heads, MAX_HIDDEN),
            ("num_key_value_heads", self.kv_heads(), MAX_HIDDEN),
        ];
        for (key, value, max) in limits {
            if !(1..=max).contains(&value) {
                return Err(ConfigError::Limit { key, value, max });
            }
        }
        match self.head_dim {
            None if !self.hidden.is_multiple_of(self.heads) => {
                return Err(ConfigError::Heads { hidden: self.hidden, heads: self.heads });
            }
            Some(value) if !(1..=MAX_HIDDEN).contains(&value) => {
                return Err(ConfigError::Limit { key: "head_dim", value, max: MAX_HIDDEN });
            }
            _ => {}
        }
        if !self.heads.is_multiple_of(self.kv_heads()) {
            return Err(ConfigError::Groups { kv_heads: self.kv_heads(), heads: self.heads });
        }
        let even = [
            ("vocab_size", self.vocab),
            ("hidden_size", self.hidden),
            ("intermediate_size", self.mlp),
            ("max_position_embeddings", self.context),
            ("head_dim", self.head_dim()),
        ];
        for (key, value) in even {
            if !value.is_multiple_of(4) {
                return Err(ConfigError::MultipleOf4 { key, value });
            }
        }
        let features = self.features();
        if features > MAX_FEATURES {
            return Err(ConfigError::Features { head_dim: self.head_dim(), heads: self.heads, features });
        }
        let parameters = self.parameters();
        if parameters > MAX_PARAMETERS {
            // One layer alone never is too large.
            return Err(ConfigError::Parameters { key: "num_hidden_layers", value: self.layers, parameters });
        }
        self.check_cells()?;
        if !(1..1 << 24).contains(&self.eps24()) {
            return Err(ConfigError::Eps(self.norm_eps));
        }
        let theta = &self.rope_theta;
        // Below 1 its logarithm would be negative.
        let whole = theta.floor();
        if !(1..=1_000_000_000).contains(&whole) {
            return Err(ConfigError::Theta(*theta));
        }
        self.rope_scaling.check()?;
        Ok(())
    }

    /// Log2 of the rows of the model's circuits: one more where a layer or the head fills taller columns as well (of `mini` 2 %
    /// more cells and half the points, of `micro` 15 % more cells), and as many as two rows of logits need.
    #[cfg(feature = "proofs")]
    pub fn k(&self) -> u32 {
        let tall = self.circuit_cells().iter().any(|(_, parts)| total(parts) >= TALL_CELLS);
        let least = backend::curve::DEFAULT_K + u32::from(tall);
        let logits = 2 * self.vocab / plonkish::LANES;
        least.max((logits + plonkish::RESERVED_ROWS).next_power_of_two().ilog2())
    }

    /// Limits what a run from anywhere can make a verifier allocate.
    fn check_cells(&self) -> Result<(), ConfigError> {
        for (circuit, parts) in self.circuit_cells() {
            let cells = total(&parts);
            match parts.into_iter().max_by_key(|part| part.cells) {
                Some(Part { key, value, .. }) if cells > MAX_CELLS => {
                    return Err(ConfigError::Cells { circuit, key, value, cells });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// An estimate of the cells of the circuits of a layer and of the head. The factors fit the circuits of random shapes.
    fn circuit_cells(&self) -> [(&'static str, [Part; 3]); 2] {
        let (d, f, t, v) = (self.hidden, self.mlp, self.context, self.vocab);
        // Where every head has its own keys and the heads share the hidden size, `wide` is 4·d.
        let wide = 2 * self.features() + 2 * self.kv_features();
        let part = |key, value, cells| Part { key, value, cells };
        let layer = [
            part("hidden_size", d, 6 * d * wide),
            part("intermediate_size", f, 18 * d * f),
            part("max_position_embeddings", t, t * (120 * d + 30 * wide + 210 * f) + 64 * self.heads * t * t),
        ];
        let embeddings = if self.tied { 1 } else { 2 };
        let head = [
            part("hidden_size", d, 4 * d * v * embeddings),
            part("vocab_size", v, 72 * t * v),
            part("max_position_embeddings", t, 32 * d * t),
        ];
        [("a layer", layer), ("the head", head)]
    }

    /// Blake2b of the fields in canonical form.
    pub fn digest(&self) -> [u8; 32] {
        let mut state = blake2b_simd::Params::new().hash_length(32).personal(b"gradcoin-config").to_state();
        let sizes = [self.vocab, self.hidden, self.mlp, self.layers, self.heads, self.context];
        for size in sizes {
            state.update(&(size as u64).to_le_bytes());
        }
        for decimal in [&self.norm_eps, &self.rope_theta] {
            state.update(&decimal.digits().to_le_bytes());
            state.update(&decimal.exponent().to_le_bytes());
        }
        state.update(&[u8::from(self.tied)]);
        // Appended where anything is not as it used to be, so that no older digest changes. What stands before has one
        // length, and each part of this has one that the parts before it tell.
        let usual =
            Self { kv_heads: None, head_dim: None, biased: false, rope_scaling: RopeScaling::None, ..self.clone() };
        if self.clone().canonical() != usual {
            for size in [self.kv_heads(), self.head_dim()] {
                state.update(&(size as u64).to_le_bytes());
            }
            state.update(&[u8::from(self.biased)]);
            self.rope_scaling.update(&mut state);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(state.finalize().as_bytes());
        digest
    }
}
