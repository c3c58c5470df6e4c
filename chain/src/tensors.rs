//! Tensors of gradients: what full nodes keep beside the blocks.

use crate::consensus::semantic::Proven;
use crate::contribution::{Contribution, TensorsDigest, encode_points};
use crate::genesis::ChainSpec;
use backend::curve::Params;
use backend::ports::PortError;
use circuits::arithmetic::tensor::Matrix;
use circuits::model::{Config, Gradients, tensors};
use circuits::statements::codec::{self, CodecError, Encoded};
use serde::{Deserialize, Serialize};

/// The tensors of a contribution's gradient, frac 36, in the order of [`tensors`]: what full nodes keep, and light clients
/// never see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GradientTensors(pub Vec<Vec<i128>>);

impl Encoded for GradientTensors {
    const MAGIC: [u8; 8] = *b"GRADTENS";
    const VERSION: u32 = 1;
    const NAME: &'static str = "gradient";
}

/// Tensors that do not belong to their contributions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// They have the shapes of the configuration, and entries that a proof can hold.
    #[error("the gradient's tensors do not have the shapes of the configuration")]
    Shape,
    /// There are tensors for each contribution.
    #[error("there are tensors of {found} contributions, not {expected}")]
    Count {
        /// Contributions.
        expected: usize,
        /// Sets of tensors.
        found: usize,
    },
    /// They are the ones that the contributor signed.
    #[error("contribution {index}: the tensors are not those that the contributor signed")]
    Digest {
        /// The contribution.
        index: usize,
    },
    /// The encoding failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// They have the commitments that are proven.
    #[error("contribution {index}: the tensors are not those that the proofs commit to")]
    Commitments {
        /// The contribution.
        index: usize,
    },
    /// A commitment cannot be computed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl GradientTensors {
    /// Flattens.
    pub fn new(gradients: &Gradients) -> Self {
        GradientTensors(gradients.iter().map(|t| t.data.clone()).collect())
    }

    /// What the contributor signs of them.
    pub fn digest(&self) -> Result<TensorsDigest, CodecError> {
        Ok(TensorsDigest::from_bytes(codec::digest(b"gradcoin-tensors", &codec::encode(self)?)))
    }

    /// The gradient, if the shapes are those of the configuration and no entry is beyond what a proof can hold.
    pub fn open(&self, config: &Config) -> Result<Gradients, TensorError> {
        let specs = tensors(config);
        if specs.len() != self.0.len() {
            return Err(TensorError::Shape);
        }
        let mut matrices = Vec::with_capacity(specs.len());
        for (spec, data) in specs.iter().zip(&self.0) {
            // An i128 near its ends could overflow in sums; no provable gradient comes near.
            if data.iter().any(|x| x.unsigned_abs() >= 1 << 100) {
                return Err(TensorError::Shape);
            }
            matrices.push(Matrix::new(spec.rows, spec.cols, data.clone()).map_err(|_| TensorError::Shape)?);
        }
        let mut matrices = matrices.into_iter();
        Ok(Gradients::build(config, |_| matrices.next().unwrap_or_default()))
    }
}

/// Requires the tensors to be those that the contributor signed: cheap.
pub fn check_digest(index: usize, c: &Contribution, tensors: &GradientTensors) -> Result<(), TensorError> {
    if tensors.digest()? == c.tensors { Ok(()) } else { Err(TensorError::Digest { index }) }
}

/// Requires the tensors of contributions to have the shapes of the configuration, which bounds their memory, and to be
/// those that the contributors signed: cheap. Where a header commits to the contributions, it thereby commits to the
/// tensors too.
pub fn check_signed(
    spec: &ChainSpec,
    contributions: &[Contribution],
    tensors: &[GradientTensors],
) -> Result<(), TensorError> {
    let (expected, found) = (contributions.len(), tensors.len());
    if expected != found {
        return Err(TensorError::Count { expected, found });
    }
    let shapes = self::shapes(spec.config());
    if tensors.iter().any(|t| !t.0.iter().map(Vec::len).eq(shapes.iter().copied())) {
        return Err(TensorError::Shape);
    }
    contributions.iter().zip(tensors).enumerate().try_for_each(|(index, (c, tensors))| check_digest(index, c, tensors))
}

/// Entries of each tensor.
fn shapes(config: &Config) -> Vec<usize> {
    tensors(config).iter().map(|spec| spec.rows * spec.cols).collect()
}

/// The gradient of a contribution, if its tensors are the signed ones and have the commitments that it states.
pub fn check(
    params: &Params,
    spec: &ChainSpec,
    index: usize,
    c: &Contribution,
    tensors: &GradientTensors,
) -> Result<Gradients, TensorError> {
    check_digest(index, c, tensors)?;
    let gradients = tensors.open(spec.config())?;
    let found = spec.layouts().commit_gradients(params, &gradients)?;
    if encode_points(&found) == c.gradient { Ok(gradients) } else { Err(TensorError::Commitments { index }) }
}

/// A block whose proofs hold, with the tensors of its contributions: what a full node builds on.
#[derive(Clone, Debug)]
pub struct Complete {
    proven: Proven,
    tensors: Vec<GradientTensors>,
}

impl Complete {
    /// Requires the tensors to have the proven commitments.
    pub fn new(
        params: &Params,
        spec: &ChainSpec,
        proven: Proven,
        tensors: Vec<GradientTensors>,
    ) -> Result<Self, TensorError> {
        let contributions = &proven.block().contributions;
        let (expected, found) = (contributions.len(), tensors.len());
        if expected != found {
            return Err(TensorError::Count { expected, found });
        }
        for (index, (contribution, tensors)) in contributions.iter().zip(&tensors).enumerate() {
            check(params, spec, index, contribution, tensors)?;
        }
        Ok(Complete { proven, tensors })
    }

    /// Takes proofs and tensors on trust: for tests of what comes after verification.
    #[cfg(feature = "testing")]
    pub fn unverified(proven: Proven, tensors: Vec<GradientTensors>) -> Self {
        Complete { proven, tensors }
    }

    /// The block.
    pub fn proven(&self) -> &Proven {
        &self.proven
    }

    /// The tensors, one set for each contribution.
    pub fn tensors(&self) -> &[GradientTensors] {
        &self.tensors
    }
}
