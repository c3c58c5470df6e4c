//! Adam with decoupled weight decay (Kingma and Ba 2015; Loshchilov and Hutter 2019), as `torch.optim.AdamW`.

#[cfg(feature = "proofs")]
pub mod circuit;
mod hyper;
#[cfg(feature = "proofs")]
mod quotient;
mod reference;
#[cfg(feature = "proofs")]
mod root;
mod update;

pub use hyper::{BETA_BITS, Betas, ETA_BITS, GRADIENT_BOUND, Hyper, Integers, MAX_CLIP, check_rounding};
pub use reference::{
    Element, Entering, FIRST_BITS, FIRST_MAX, MOMENT_FRAC, SECOND_BITS, SECOND_MAX, Trace, element, entering, trace,
};
pub use update::apply;
