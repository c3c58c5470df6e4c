//! Field elements side by side: arithmetic on several at a time where the processor has AVX-512 IFMA, one by one elsewhere.
//!
//! What computes with [`Vector`]s is written once. [`Wide`] holds eight elements, a field element itself is a vector of one.
//! Results are the same elements either way; the time does not depend on them.
//!
//! | | |
//! |---|---|
//! | `vector` | what a vector can, and the vector of one element |
//! | `wide` | eight elements as five limbs of 52 bits each (x86-64 alone) |
//! | `modulus` | the fields' moduli in such limbs |
//! | `column` | columns of elements as vectors |

mod column;
mod modulus;
mod vector;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use column::{add_scaled, elements, inner_product, loaded, powers, scale_add, scaled, splats, vectors};
pub use modulus::Modulus;
pub use vector::{Kernel, MOST_LANES, One, Vector};
#[cfg(target_arch = "x86_64")]
pub use wide::{Ifma, Pair, Wide};
