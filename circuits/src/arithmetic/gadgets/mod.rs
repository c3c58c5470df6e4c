//! What ops are made of: slabs of cells, range-checked integers, saturating division, random projections, ports.

mod ends;
pub mod limbs;
pub mod port;
pub mod project;
pub mod rescale;
pub mod slab;

pub use limbs::{Limbs, limb_count};
pub use port::{PortLayout, PortTensor};
pub use rescale::{Rescale, Rescaled};
pub use slab::{Placed, Slab};

/// Where a part of a circuit's values is found.
pub type Get<V, T> = fn(&V) -> &T;
