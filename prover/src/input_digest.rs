//! Names of inputs.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Names an input: a hash of its encoding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InputDigest(pub [u8; 32]);

impl fmt::Debug for InputDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
