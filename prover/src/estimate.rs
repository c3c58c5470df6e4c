//! What the proofs of a step will cost, before any of them is made.
//!
//! Bytes follow from the circuits. Time follows from a step's columns and proofs, by how long this machine takes for the
//! proof of one small circuit ([`Pace`]); memory from the columns of the largest proof and of those made beside it. The
//! constants were fitted to the presets; `cargo run --release -p benches --bin estimate` shows the error.

use crate::blinding::PortBlinding;
use crate::engine::{ProofInstance, prove};
use crate::error::ProveError;
use crate::execute::CELLS_BESIDE;
use crate::key::ProverKey;
use backend::curve::{F, Params};
use backend::keys::{Shape, VerifyingKey};
use backend::ports::canonical_length;
use backend::span::SPAN_PROOF;
use circuits::model::Config;
use circuits::segments::update::{self, UpdateValues};
use circuits::segments::{Circuits, Privacy, SegmentKind, Variant};
use circuits::statements::{Extent, StepSize};
use plonkish::RESERVED_ROWS;
use std::time::Instant;
use verifier::keys::{KeysError, VerifyingKeys};

/// What proofs of a circuit take, in thousandths of what the proof of the small circuit takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// For each column of each instance.
    pub column: f64,
    /// For a proof, whatever its columns: the multiplications and the opening that all instances share.
    pub proof: f64,
}

impl Work {
    /// Of a circuit.
    pub const fn of(kind: SegmentKind) -> Self {
        match kind {
            SegmentKind::Layer | SegmentKind::Head => Work { column: 21.5, proof: 520.0 },
            SegmentKind::Update => Work { column: 12.5, proof: 400.0 },
        }
    }
}

/// The opening of a step's, or of a genesis proof's, commitments, in the same.
pub const OPENING: f64 = 400.0;

/// What a process holds before it proves, bytes for each row of its circuits: parameters with prepared bases.
const BASE_MEMORY: f64 = 113.0 * 256.0;
/// What the keys hold for each cell of the circuits, bytes.
const MEMORY_OF_A_KEYS_CELL: f64 = 0.46 * 256.0;
/// What a proof holds for each of its cells at its peak, bytes: values and coefficients.
const MEMORY_OF_A_CELL: f64 = 0.28 * 256.0;

/// Proofs of the small circuit of which the median counts.
const PROOFS: usize = 3;

/// How fast a machine proves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Seconds that the proof of the small circuit takes.
    seconds: f64,
}

impl Pace {
    /// Of this machine and the native engine: proves the update of one lane group a few times.
    pub fn measure(params: &Params) -> Result<Self, ProveError> {
        let plan = update::circuit(params.k(), Variant::default()).plan;
        let verifying = VerifyingKey::with_publics(params, &plan, SegmentKind::Update.publics(Variant::default()))?;
        params.bases();
        Self::with_key(params, &ProverKey::new(params, &plan, verifying)?)
    }

    /// The same with the key of the update's circuit.
    pub fn with_key(params: &Params, key: &ProverKey) -> Result<Self, ProveError> {
        let circuit = update::circuit(params.k(), Variant::default());
        let rows = (1i64 << params.k()) - RESERVED_ROWS as i64;
        // Of all sizes, as those of a model are.
        let lane = |lane: i64| (0..rows).map(|row| i128::from((row * 7919 + lane) % 60_000 - 30_000) << 58).collect();
        let filled = circuit.fill(&UpdateValues { integers: vec![], entering: vec![[lane(0), lane(1)]] });
        let witness = filled.map_err(|source| ProveError::Witness { instance: 0, source })?;
        let ports = vec![PortBlinding::CANONICAL; SegmentKind::Update.ports(Variant::default())];
        let mut times = vec![];
        for number in 0..PROOFS {
            let publics = vec![F::from(number as u64)];
            let instance = ProofInstance { witness: witness.clone(), publics, ports: ports.clone() };
            let start = Instant::now();
            prove(params, key, vec![instance], &mut |_| {})?;
            times.push(start.elapsed());
        }
        times.sort_unstable();
        Ok(Pace { seconds: times[PROOFS / 2].as_secs_f64() })
    }
}

/// What the proofs of a step will cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepEstimate {
    /// Seconds to prove a step, self-check included.
    pub seconds: f64,
    /// Seconds to prove that a first state at rest is in range, once a run.
    pub genesis_seconds: f64,
    /// Bytes that a process holds at its peak.
    pub peak_memory: f64,
    /// Bytes of a step's proofs, the opening of its commitments or the proof of its wires included.
    pub proof_bytes: usize,
    /// Bytes of the file of verifying keys.
    pub key_bytes: usize,
}

impl StepEstimate {
    /// Of a step of a model.
    pub fn of(config: &Config, circuits: &Circuits, extent: Extent, pace: Pace) -> Result<Self, KeysError> {
        let k = circuits.plan(SegmentKind::Update).k;
        // A private step has no opening of its commitments; the proof of its wires takes next to no time. To draw what hides a first
        // state, and to commit to it, takes as long as an opening.
        let (opening, closing_bytes) = match circuits.variant.privacy {
            Privacy::Public => (OPENING, canonical_length(k)),
            Privacy::Private => (0.0, SPAN_PROOF),
        };
        let (mut step, mut genesis, mut of_keys) = (opening, OPENING, 0.0);
        let (mut largest, mut all) = (0.0f64, 0.0);
        for kind in SegmentKind::ALL {
            let (columns, work) = (Shape::of(circuits.plan(kind))?.advice as f64, Work::of(kind));
            of_keys += columns;
            for instances in extent.proofs(config, kind) {
                let of_proof = columns * instances as f64;
                let taken = of_proof * work.column + work.proof;
                largest = largest.max(of_proof);
                all += of_proof;
                step += taken;
                if kind == SegmentKind::Update {
                    genesis += taken;
                }
            }
        }
        let rows = (1u64 << k) as f64;
        let beside = (CELLS_BESIDE as f64).min((all - largest) * rows);
        let of_proofs = (largest * rows + beside) * MEMORY_OF_A_CELL;
        Ok(StepEstimate {
            seconds: step / 1000.0 * pace.seconds,
            genesis_seconds: genesis / 1000.0 * pace.seconds,
            peak_memory: rows * (BASE_MEMORY + of_keys * MEMORY_OF_A_KEYS_CELL) + of_proofs,
            proof_bytes: StepSize::of(config, circuits, extent)?.proof_bytes + closing_bytes,
            key_bytes: VerifyingKeys::file_length(circuits, config)?,
        })
    }
}
