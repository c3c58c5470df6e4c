//! Why weights cannot be exchanged.

use circuits::model::ParamsError;
use safetensors::SafeTensorError;

/// Why weights cannot be exchanged.
#[derive(Debug, thiserror::Error)]
pub enum InterchangeError {
    /// Not a `safetensors` file.
    #[error("safetensors: {0}")]
    Format(#[from] SafeTensorError),
    /// A tensor of the model is not in the file.
    #[error("`{name}` is missing")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A tensor in the file is not one of the model.
    #[error("`{name}` is no tensor of this configuration")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// A tensor of another shape.
    #[error("`{name}` has the shape {found:?}, not {expected:?}")]
    Shape {
        /// Its name.
        name: String,
        /// By the configuration.
        expected: Vec<usize>,
        /// In the file.
        found: Vec<usize>,
    },
    /// Numbers that are not read.
    #[error("`{name}` holds {found}; F32, F16 and BF16 are read")]
    Dtype {
        /// Its name.
        name: String,
        /// The type.
        found: String,
    },
    /// A number that is infinite or none.
    #[error("`{name}`, element {index}: not a finite number")]
    NotFinite {
        /// The tensor's name.
        name: String,
        /// Its place in the file's order.
        index: usize,
    },
    /// The state is not one of the configuration.
    #[error(transparent)]
    State(#[from] ParamsError),
}
