//! The READMEs of ops and gadgets, and which of them say what holds of an op's cells.

/// A README.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readme {
    /// From the root of the repository.
    pub path: &'static str,
    /// Markdown.
    pub text: &'static str,
}

macro_rules! readme {
    ($folder:literal) => {
        Readme {
            path: concat!("circuits/src/", $folder, "/README.md"),
            text: include_str!(concat!("../", $folder, "/README.md")),
        }
    };
}

const ATTENTION: Readme = readme!("ops/attention");
const CROSS_ENTROPY: Readme = readme!("ops/cross_entropy");
const EMBEDDING: Readme = readme!("ops/embedding");
const LINEAR: Readme = readme!("ops/linear");
const RMSNORM: Readme = readme!("ops/rmsnorm");
const ROPE: Readme = readme!("ops/rope");
const SGD: Readme = readme!("ops/sgd");
const SOFTMAX: Readme = readme!("ops/softmax");
const SWIGLU: Readme = readme!("ops/swiglu");
const GADGETS: Readme = readme!("arithmetic/gadgets");

/// What the lookup argument is for, without text: it is no README.
pub const PROTOCOL: Readme = Readme { path: "docs/protocol.md", text: "" };

/// The READMEs that name the constraints of an op's blocks: its own, those of ops that it extends, those of gadgets.
pub fn readmes(op: &str) -> &'static [Readme] {
    match op.split('/').next().unwrap_or(op) {
        "attention" => &[ATTENTION, SOFTMAX, GADGETS],
        "cross_entropy" => &[CROSS_ENTROPY, SOFTMAX, EMBEDDING, GADGETS],
        "embedding" => &[EMBEDDING, GADGETS],
        "linear" => &[LINEAR, GADGETS],
        "rmsnorm" => &[RMSNORM, GADGETS],
        "rope" => &[ROPE, GADGETS],
        "sgd" => &[SGD, GADGETS],
        "swiglu" => &[SWIGLU, GADGETS],
        "lookup" => &[PROTOCOL],
        // What stands in `edge`, `residual` and `projection` are gadgets.
        _ => &[GADGETS],
    }
}
