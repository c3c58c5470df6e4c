//! The parameters of a model, in one shape for weights, gradients and optimizer state.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Config, Hyper, OptimizerKind, Slot, SquareSum};
use crate::{
    arithmetic::fixed::{Class, FRAC, STATE_BITS, STATE_FRAC, Saturations, split, whole},
    arithmetic::tensor::{Matrix, Tensor, Wide},
    ops::{adamw, sgd},
};

/// One tensor of a model. The order of [`tensors`] is the order of ports, files and digests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorSpec {
    /// `embed`, `layers.0.wq`, …
    pub name: String,
    /// The layer it belongs to.
    pub layer: Option<usize>,
    /// Rows: inputs of a matrix; 1 for a gain; V for embedding and head.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// What it is.
    pub kind: TensorKind,
}

/// What a tensor is to its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TensorKind {
    /// A matrix.
    Matrix,
    /// The gain of a norm, one row; 1 at first.
    Gain,
    /// What is added to a linear map, one row; 0 at first.
    Bias,
}

/// The biases of a layer. `M` is as in [`Layer`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Biases<M> {
    /// Of the queries, `[1 × H·hd]`.
    pub q: M,
    /// Of the keys, `[1 × Hkv·hd]`.
    pub k: M,
    /// Of the values, `[1 × Hkv·hd]`.
    pub v: M,
}

/// The parameters of one layer. `M` is [`Tensor`] for weights, [`Wide`] for gradients; H heads of hd features, Hkv of them for
/// keys and values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer<M> {
    /// Gain before attention, `[1 × d]`.
    pub norm1: M,
    /// `[d × H·hd]`.
    pub wq: M,
    /// `[d × Hkv·hd]`.
    pub wk: M,
    /// `[d × Hkv·hd]`.
    pub wv: M,
    /// `[H·hd × d]`.
    pub wo: M,
    /// Gain before the gated unit, `[1 × d]`.
    pub norm2: M,
    /// Gate, `[d × f]`.
    pub wg: M,
    /// Up, `[d × f]`.
    pub wu: M,
    /// Down, `[f × d]`.
    pub wd: M,
    /// Biases, where the model has them.
    pub bias: Option<Biases<M>>,
}

impl<M> Layer<M> {
    /// The tensors in order: biases last, so that all others stand where they stand without them.
    pub fn fields(&self) -> Vec<&M> {
        let mut fields =
            vec![&self.norm1, &self.wq, &self.wk, &self.wv, &self.wo, &self.norm2, &self.wg, &self.wu, &self.wd];
        fields.extend(self.bias.iter().flat_map(|bias| [&bias.q, &bias.k, &bias.v]));
        fields
    }

    fn fields_mut(&mut self) -> Vec<&mut M> {
        let mut fields = vec![
            &mut self.norm1,
            &mut self.wq,
            &mut self.wk,
            &mut self.wv,
            &mut self.wo,
            &mut self.norm2,
            &mut self.wg,
            &mut self.wu,
            &mut self.wd,
        ];
        fields.extend(self.bias.iter_mut().flat_map(|bias| [&mut bias.q, &mut bias.k, &mut bias.v]));
        fields
    }
}

/// The parameters of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters<M> {
    /// E, `[V × d]`.
    pub embed: M,
    /// One per layer.
    pub layers: Vec<Layer<M>>,
    /// Gain of the final norm, `[1 × d]`.
    pub norm_f: M,
    /// Head, `[V × d]`; absent when tied to `embed`.
    pub head: Option<M>,
}

/// The weights of a layer, [`Class::Weight`].
pub type LayerWeights = Layer<Tensor>;
/// The weights of a model, [`Class::Weight`].
pub type Weights = Parameters<Tensor>;
/// Exact gradients, frac 36, of the sum over predictions.
pub type Gradients = Parameters<Wide>;

/// Every tensor of a model, in order.
pub fn tensors(config: &Config) -> Vec<TensorSpec> {
    use TensorKind::{Bias, Gain, Matrix};
    let (v, d, f) = (config.vocab, config.hidden, config.mlp);
    let (queries, keys) = (config.features(), config.kv_features());
    let spec = |name: &str, layer, (rows, cols), kind| TensorSpec { name: name.to_owned(), layer, rows, cols, kind };
    let mut fields = vec![
        ("norm1", (1, d), Gain),
        ("wq", (d, queries), Matrix),
        ("wk", (d, keys), Matrix),
        ("wv", (d, keys), Matrix),
        ("wo", (queries, d), Matrix),
        ("norm2", (1, d), Gain),
        ("wg", (d, f), Matrix),
        ("wu", (d, f), Matrix),
        ("wd", (f, d), Matrix),
    ];
    if config.biased {
        fields.extend([("bq", (1, queries), Bias), ("bk", (1, keys), Bias), ("bv", (1, keys), Bias)]);
    }
    let mut all = vec![spec("embed", None, (v, d), Matrix)];
    for layer in 0..config.layers {
        let name = |field: &str| format!("layers.{layer}.{field}");
        all.extend(fields.iter().map(|&(field, shape, kind)| spec(&name(field), Some(layer), shape, kind)));
    }
    all.push(spec("norm_f", None, (1, d), Gain));
    if !config.tied {
        all.push(spec("head", None, (v, d), Matrix));
    }
    all
}

/// Parameters that do not fit their model.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StateError {
    /// Too few or too many tensors.
    #[error("the model has {expected} tensors, not {found}")]
    Count {
        /// Of the configuration.
        expected: usize,
        /// Given.
        found: usize,
    },
    /// A tensor of another shape.
    #[error("`{name}` is {rows} × {cols} in the configuration, not {found:?}")]
    Shape {
        /// Its name.
        name: String,
        /// Rows of the configuration.
        rows: usize,
        /// Columns of the configuration.
        cols: usize,
        /// The shape given.
        found: (usize, usize),
    },
    /// An update of one optimizer for a state of another.
    #[error("the state is one of {found}, not of {expected}")]
    Optimizer {
        /// Of the update.
        expected: &'static str,
        /// Of the state.
        found: &'static str,
    },
    /// An element outside its width.
    #[error("`{name}` has elements beyond the width of its class")]
    Range {
        /// The tensor's name.
        name: String,
    },
}

impl<M> Parameters<M> {
    /// The matrix of the logits: the head, or the embedding when tied.
    pub fn head_matrix(&self) -> &M {
        self.head.as_ref().unwrap_or(&self.embed)
    }

    /// The tensors in the order of [`tensors`].
    pub fn iter(&self) -> impl Iterator<Item = &M> {
        let layers = self.layers.iter().flat_map(Layer::fields);
        std::iter::once(&self.embed).chain(layers).chain(std::iter::once(&self.norm_f)).chain(&self.head)
    }

    /// The tensors in the order of [`tensors`], to write.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut M> {
        let layers = self.layers.iter_mut().flat_map(Layer::fields_mut);
        std::iter::once(&mut self.embed).chain(layers).chain(std::iter::once(&mut self.norm_f)).chain(&mut self.head)
    }
}

impl<M: Default> Parameters<M> {
    /// Parameters from a list in the order of [`tensors`], made element by element.
    pub fn build(config: &Config, mut make: impl FnMut(&TensorSpec) -> M) -> Self {
        let mut all = Self {
            layers: (0..config.layers)
                .map(|_| Layer { bias: config.biased.then(Biases::default), ..Layer::default() })
                .collect(),
            head: (!config.tied).then(M::default),
            ..Self::default()
        };
        for (slot, spec) in all.iter_mut().zip(&tensors(config)) {
            *slot = make(spec);
        }
        all
    }
}

impl<M: Default> Parameters<M> {
    /// Parameters of the same tensors as others, made of each.
    pub fn like<N>(of: &Parameters<N>, mut make: impl FnMut(&N) -> M) -> Self {
        let mut all = Self {
            layers: of
                .layers
                .iter()
                .map(|layer| Layer { bias: layer.bias.as_ref().map(|_| Biases::default()), ..Layer::default() })
                .collect(),
            head: of.head.is_some().then(M::default),
            ..Self::default()
        };
        for (made, of) in all.iter_mut().zip(of.iter()) {
            *made = make(of);
        }
        all
    }
}

impl Weights {
    /// Zeros everywhere.
    pub fn zeros(config: &Config) -> Self {
        Self::build(config, |s| Tensor::zeros(s.rows, s.cols))
    }

    /// Whether these are weights of `config`.
    pub fn check(&self, config: &Config) -> Result<(), StateError> {
        self.check_with(config, |x| i64::try_from(x).is_ok_and(|x| Class::Weight.contains(x)))
    }
}

impl Gradients {
    /// The sum of the squares of all elements.
    pub fn squares(&self) -> SquareSum {
        SquareSum::of(self.iter().flat_map(|tensor| tensor.data.iter().copied()))
    }
}

impl<E: Copy + Default + Into<i128>> Parameters<Matrix<E>> {
    /// Whether the tensors are those of `config`, each element satisfying `valid`.
    fn check_with(&self, config: &Config, valid: impl Fn(i128) -> bool) -> Result<(), StateError> {
        let specs = tensors(config);
        let found = self.iter().count();
        if found != specs.len() {
            return Err(StateError::Count { expected: specs.len(), found });
        }
        for (tensor, spec) in self.iter().zip(specs) {
            if tensor.shape() != (spec.rows, spec.cols) || tensor.data.len() != spec.rows * spec.cols {
                let TensorSpec { name, rows, cols, .. } = spec;
                return Err(StateError::Shape { name, rows, cols, found: tensor.shape() });
            }
            if !tensor.data.iter().all(|&x| valid(x.into())) {
                return Err(StateError::Range { name: spec.name });
            }
        }
        Ok(())
    }

    /// The elements of each tensor, in the order of [`tensors`].
    pub(super) fn flat(&self) -> Vec<Vec<i128>> {
        self.iter().map(|tensor| tensor.data.iter().map(|&x| x.into()).collect()).collect()
    }
}

impl Gradients {
    /// Zeros everywhere.
    pub fn zeros(config: &Config) -> Self {
        Self::build(config, |s| Wide::zeros(s.rows, s.cols))
    }

    /// Adds other gradients of the same model.
    pub fn add(&mut self, other: &Gradients) {
        for (a, b) in self.iter_mut().zip(other.iter()) {
            a.add(b);
        }
    }
}

impl Layer<Wide> {
    /// Adds other gradients of the same layer.
    pub fn add(&mut self, other: &Self) {
        for (a, b) in self.fields_mut().into_iter().zip(other.fields()) {
            a.add(b);
        }
    }
}

/// What a model keeps between steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Weights in use, frac 12, [`Class::Weight`].
    pub w: Weights,
    /// Low parts, 24 bits unsigned: `W36 = w·2^24 + lo`.
    pub lo: Weights,
    /// What the optimizer remembers of the steps before.
    pub moments: Moments,
}

/// What an optimizer remembers of the steps before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moments {
    /// Of SGD.
    Sgd {
        /// Last movements, frac 36, 42 bits: each weight with its low part, less what that was a step before.
        movement: Weights,
    },
    /// Of AdamW.
    AdamW {
        /// Means of the gradients, frac 30.
        first: Weights,
        /// Means of their squares, frac 60.
        second: Parameters<Wide>,
    },
}

impl Moments {
    /// Those of an optimizer that has taken no step.
    pub fn zeros(config: &Config, kind: OptimizerKind) -> Self {
        match kind {
            OptimizerKind::Sgd => Moments::Sgd { movement: Weights::zeros(config) },
            OptimizerKind::AdamW => Moments::AdamW { first: Weights::zeros(config), second: Gradients::zeros(config) },
        }
    }

    /// Of which optimizer.
    pub fn kind(&self) -> OptimizerKind {
        match self {
            Moments::Sgd { .. } => OptimizerKind::Sgd,
            Moments::AdamW { .. } => OptimizerKind::AdamW,
        }
    }
}

impl State {
    /// A state with moments of zero.
    pub fn resting(w: Weights, lo: Weights, config: &Config, kind: OptimizerKind) -> Self {
        State { w, lo, moments: Moments::zeros(config, kind) }
    }

    /// Normal weights of deviation `fan_in^(−1/2)` (embedding and head: `hidden^(−1/2)`), gains 1, biases and SGD's momentum 0.
    ///
    /// Integers only: a normal is the sum of twelve 16-bit uniforms of a Blake2b stream.
    pub fn init(config: &Config, seed: u64) -> Self {
        Self::drawn(config, &seed.to_le_bytes())
    }

    /// The same by a secret of random bytes, which nobody guesses.
    pub fn secret(config: &Config, secret: &[u8; 32]) -> Self {
        Self::drawn(config, secret)
    }

    fn drawn(config: &Config, seed: &[u8]) -> Self {
        let (w, lo) = (Weights::zeros(config), Weights::zeros(config));
        let mut state = Self::resting(w, lo, config, OptimizerKind::Sgd);
        let slots = state.w.iter_mut().zip(state.lo.iter_mut());
        for (index, ((w, lo), spec)) in slots.zip(tensors(config)).enumerate() {
            match spec.kind {
                TensorKind::Matrix => {}
                TensorKind::Gain => {
                    w.data.fill(1 << FRAC);
                    continue;
                }
                TensorKind::Bias => continue,
            }
            let fan_in = if spec.layer.is_some() { spec.rows } else { spec.cols };
            // 2^30 / √fan_in.
            let deviation = ((1u64 << 60) / fan_in as u64).isqrt() as i64;
            let mut normals = Normals::new(seed, index);
            for (w, lo) in w.data.iter_mut().zip(&mut lo.data) {
                // Frac 16 + 30 − 10 = 36.
                let value = (normals.next() * deviation) >> (16 + 30 - STATE_FRAC);
                let limit = 1i64 << (STATE_BITS - 1);
                let value = value.clamp(-limit, limit - 1);
                (*w, *lo) = split(value);
            }
        }
        state
    }

    /// The state that this one was before its last movement, itself at rest; none where nothing moved, or where moments say
    /// nothing of that.
    pub fn before(&self) -> Option<Self> {
        let Moments::Sgd { movement } = &self.moments else { return None };
        if self.at_rest() {
            return None;
        }
        let mut before = self.clone().at_rest_of(OptimizerKind::Sgd);
        let slots = before.w.iter_mut().zip(before.lo.iter_mut()).zip(movement.iter());
        for ((w, lo), v) in slots {
            for ((w, lo), v) in w.data.iter_mut().zip(&mut lo.data).zip(&v.data) {
                (*w, *lo) = split(whole(*w, *lo) - v);
            }
        }
        Some(before)
    }

    /// The same weights, with an optimizer's moments of zero.
    #[must_use]
    pub fn at_rest_of(self, kind: OptimizerKind) -> Self {
        let State { w, lo, .. } = self;
        let like = |w: &Weights| Parameters::like(w, |t: &Tensor| Tensor::zeros(t.rows, t.cols));
        let moments = match kind {
            OptimizerKind::Sgd => Moments::Sgd { movement: like(&w) },
            OptimizerKind::AdamW => {
                let second = Parameters::like(&w, |t: &Tensor| Wide::zeros(t.rows, t.cols));
                Moments::AdamW { first: like(&w), second }
            }
        };
        State { w, lo, moments }
    }

    /// Whether the moments are those of no step.
    pub fn at_rest(&self) -> bool {
        let none = |weights: &Weights| weights.iter().flat_map(|tensor| &tensor.data).all(|&x| x == 0);
        match &self.moments {
            Moments::Sgd { movement } => none(movement),
            Moments::AdamW { first, second } => {
                none(first) && second.iter().flat_map(|tensor| &tensor.data).all(|&x| x == 0)
            }
        }
    }

    /// The update by a gradient of the model; counts what is clipped.
    pub fn update(
        &mut self,
        hyper: &Hyper,
        gradients: &Gradients,
        saturations: &mut Saturations,
    ) -> Result<(), StateError> {
        let weights = self.w.iter_mut().zip(self.lo.iter_mut());
        match (hyper, &mut self.moments) {
            (Hyper::Sgd(hyper) | Hyper::ClippedSgd(hyper), Moments::Sgd { movement }) => {
                for (((w, lo), v), g) in weights.zip(movement.iter_mut()).zip(gradients.iter()) {
                    sgd::apply(hyper, w, lo, v, g, saturations);
                }
            }
            (Hyper::AdamW(hyper), Moments::AdamW { first, second }) => {
                let moments = first.iter_mut().zip(second.iter_mut());
                for (((w, lo), (m, v)), g) in weights.zip(moments).zip(gradients.iter()) {
                    adamw::apply(hyper, [w, lo, m], v, g, saturations);
                }
            }
            (hyper, moments) => {
                return Err(StateError::Optimizer {
                    expected: hyper.kind().optimizer().name(),
                    found: moments.kind().name(),
                });
            }
        }
        Ok(())
    }

    /// The last movements, of a state of SGD.
    pub fn movement_mut(&mut self) -> Option<&mut Weights> {
        match &mut self.moments {
            Moments::Sgd { movement } => Some(movement),
            Moments::AdamW { .. } => None,
        }
    }

    /// What the optimizer keeps beside the weights, by tensor, in the order of its slots.
    pub fn slots(&self) -> Vec<(Slot, Vec<Vec<i128>>)> {
        let values = match &self.moments {
            Moments::Sgd { movement } => vec![self.lo.flat(), movement.flat()],
            Moments::AdamW { first, second } => vec![self.lo.flat(), first.flat(), second.flat()],
        };
        self.moments.kind().slots().iter().copied().zip(values).collect()
    }

    /// Whether this is a state of `config`.
    pub fn check(&self, config: &Config) -> Result<(), StateError> {
        self.w.check(config)?;
        self.lo.check_with(config, |x| Slot::Low.contains(x))?;
        match &self.moments {
            Moments::Sgd { movement } => movement.check_with(config, |x| Slot::Momentum.contains(x))?,
            Moments::AdamW { first, second } => {
                first.check_with(config, |x| Slot::First.contains(x))?;
                second.check_with(config, |x| Slot::Second.contains(x))?;
            }
        }
        // A movement is from one weight to another.
        self.before().map_or(Ok(()), |before| before.w.check(config))
    }
}

/// Approximate normals of frac 16.
struct Normals<'s> {
    seed: &'s [u8],
    tensor: u64,
    count: u64,
}

impl<'s> Normals<'s> {
    fn new(seed: &'s [u8], tensor: usize) -> Self {
        Self { seed, tensor: tensor as u64, count: 0 }
    }

    fn next(&mut self) -> i64 {
        let mut state = blake2b_simd::Params::new().hash_length(24).personal(b"gradcoin-init").to_state();
        state.update(self.seed);
        for word in [self.tensor, self.count] {
            state.update(&word.to_le_bytes());
        }
        self.count += 1;
        let hash = state.finalize();
        let uniforms = hash.as_bytes().chunks_exact(2).map(|b| i64::from(u16::from_le_bytes([b[0], b[1]])));
        // Twelve variances of 2^32/12; the mean is 12·(2^16 − 1)/2.
        uniforms.sum::<i64>() - 6 * 65535
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::fixed::MOMENTUM_BITS;
    use crate::model::UpdateKind;
    use crate::ops::adamw::{FIRST_MAX, SECOND_MAX};

    #[test]
    fn the_order_is_one_list() {
        let config = Config::NANO.untied();
        let specs = tensors(&config);
        let params = Weights::zeros(&config);
        assert_eq!(specs.len(), 1 + 9 + 2);
        assert_eq!(params.iter().count(), specs.len());
        params.check(&config).unwrap();
        assert!(matches!(params.check(&Config::NANO), Err(StateError::Count { .. })));
        assert!(matches!(params.check(&Config::MICRO.untied()), Err(StateError::Count { .. })));
        // V·d + 4d² + 3df + 3d.
        assert_eq!(Config::NANO.parameters(), 4096 + 1024 + 2112 + 48);
    }

    #[test]
    fn grouped_and_biased_layers_have_their_shapes() {
        let mut config = Config::NANO;
        (config.heads, config.kv_heads, config.head_dim, config.biased) = (4, Some(2), Some(8), true);
        config.check().unwrap();
        let specs = tensors(&config);
        let shapes: Vec<(&str, usize, usize)> = specs.iter().map(|s| (s.name.as_str(), s.rows, s.cols)).collect();
        for shape in [
            ("layers.0.wq", 16, 32),
            ("layers.0.wk", 16, 16),
            ("layers.0.wv", 16, 16),
            ("layers.0.wo", 32, 16),
            ("layers.0.bq", 1, 32),
            ("layers.0.bk", 1, 16),
            ("layers.0.bv", 1, 16),
        ] {
            assert!(shapes.contains(&shape), "{shape:?}");
        }
        // The biases are the last of a layer, and zero at first.
        assert_eq!(
            shapes[9..13].iter().map(|s| s.0).collect::<Vec<_>>()[1..],
            ["layers.0.bq", "layers.0.bk", "layers.0.bv"]
        );
        let state = State::init(&config, 7);
        state.check(&config).unwrap();
        let bias = state.w.layers[0].bias.as_ref().unwrap();
        assert!([&bias.q, &bias.k, &bias.v].into_iter().all(|b| b.data.iter().all(|&x| x == 0)));
        assert!(state.w.layers[0].norm1.data.iter().all(|&gain| gain == 1 << FRAC));
        // A model without biases is none with them, nor the other way round.
        let plain = Config { biased: false, ..config.clone() };
        assert!(matches!(state.w.check(&plain), Err(StateError::Count { .. })));
        assert!(matches!(Weights::zeros(&plain).check(&config), Err(StateError::Count { .. })));
    }

    #[test]
    fn malformed_parameters_are_refused() {
        let config = Config::NANO;
        let mut state = State::init(&config, 7);
        state.check(&config).unwrap();
        state.movement_mut().unwrap().norm_f.data[0] = 1 << (MOMENTUM_BITS - 1);
        assert_eq!(state.check(&config), Err(StateError::Range { name: "norm_f".into() }));
        let mut state = state.at_rest_of(OptimizerKind::AdamW);
        state.check(&config).unwrap();
        for (bad_first, bad_second) in [(FIRST_MAX + 1, 0), (-FIRST_MAX - 1, 0), (0, -1), (0, SECOND_MAX + 1)] {
            let mut bad = state.clone();
            let Moments::AdamW { first, second } = &mut bad.moments else { panic!("a state of AdamW") };
            (first.norm_f.data[0], second.norm_f.data[0]) = (bad_first, bad_second);
            assert_eq!(bad.check(&config), Err(StateError::Range { name: "norm_f".into() }));
        }
        state.lo.norm_f.data[0] = -1;
        assert_eq!(state.check(&config), Err(StateError::Range { name: "norm_f".into() }));
        state.w.layers[0].wq.data.pop();
        assert!(matches!(state.check(&config), Err(StateError::Shape { .. })));
    }

    #[test]
    fn a_movement_is_from_a_state_in_range() {
        let config = Config::NANO.untied();
        let (rest, mut state) = (State::init(&config, 7), State::init(&config, 7));
        assert!(rest.at_rest());
        assert_eq!(rest.before(), None);
        let mut gradients = Gradients::zeros(&config);
        gradients.norm_f.data[0] = 1 << 40;
        let hyper = Hyper::Sgd(sgd::Hyper { lambda: 1 << 36, mu: 0, omega: 0 });
        state.update(&hyper, &gradients, &mut Default::default()).unwrap();
        assert_eq!(state.movement_mut().unwrap().norm_f.data[0], -(1 << (STATE_FRAC + 4)));
        assert!(!state.at_rest());
        assert_eq!(state.before(), Some(rest));
        state.check(&config).unwrap();
        // From beyond the range to where it is now.
        state.movement_mut().unwrap().norm_f.data[0] = -(1 << (STATE_FRAC + 5));
        assert!(Slot::Momentum.contains(-(1 << (STATE_FRAC + 5))));
        assert_eq!(state.check(&config), Err(StateError::Range { name: "norm_f".into() }));
    }

    /// Moments have every tensor that the weights have.
    #[test]
    fn states_at_rest_are_of_their_configuration() {
        for mut config in [Config::NANO, Config::NANO.untied()] {
            config.biased = true;
            for kind in OptimizerKind::ALL {
                let state = State::init(&config, 7).at_rest_of(kind);
                state.check(&config).unwrap();
                assert_eq!(state.moments, Moments::zeros(&config, kind));
            }
        }
    }

    #[test]
    fn an_update_of_another_optimizer_moves_nothing() {
        let config = Config::NANO;
        let gradients = Gradients::zeros(&config);
        for kind in UpdateKind::ALL {
            for of in OptimizerKind::ALL {
                let mut state = State::init(&config, 7).at_rest_of(of);
                let before = state.clone();
                let moved = state.update(&Hyper::identity(kind), &gradients, &mut Default::default());
                let refused = StateError::Optimizer { expected: kind.optimizer().name(), found: of.name() };
                assert_eq!((moved, state), (if kind.optimizer() == of { Ok(()) } else { Err(refused) }, before));
            }
        }
    }

    #[test]
    fn initial_weights_have_their_deviation() {
        let config = Config::MICRO;
        let state = State::init(&config, 1);
        assert_eq!(state, State::init(&config, 1));
        assert_ne!(state, State::init(&config, 2));
        let wd = &state.w.layers[1].wd;
        let mean_square = wd.data.iter().map(|x| x * x).sum::<i64>() / wd.data.len() as i64;
        let expected = (1 << 24) / 172;
        assert!((mean_square - expected).abs() < expected / 20, "{mean_square} against {expected}");
    }
}
