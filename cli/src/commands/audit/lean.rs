//! One proof of a circuit for halo2's model of its verifier in Lean.

use super::Subject;
use crate::error::CliError;
use backend::curve::{F, Params};
use backend::keys::VerifyingKey;
use plonkish::{Blinding, Port};
use prover::blinding::{PortBlinding, derive_wire};
use prover::engine::{ProofInstance, prove};
use prover::key::ProverKey;
use std::path::Path;
use verifier::Oracle;

/// Proves the subject's values, and writes down what halo2's verifier makes of it. `model` and the circuit name the file's
/// namespace.
pub fn fixture(params: &Params, subject: &Subject, model: &str) -> Result<String, CliError> {
    let Subject { variant, kind, plan, witness, publics } = subject;
    let verifying = VerifyingKey::with_publics(params, plan, kind.publics(*variant))?;
    let key = ProverKey::new(params, plan, verifying)?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|_| prover::ProveError::NoRandomness)?;
    let blinding = |(number, port): (usize, &Port)| match port.blinding {
        Blinding::Canonical => PortBlinding::CANONICAL,
        Blinding::Shared | Blinding::Fresh => {
            derive_wire(&secret, b"lean", &(number as u64).to_le_bytes(), port.columns)
        }
    };
    let ports = plan.ports.iter().enumerate().map(blinding).collect();
    let mut publics = publics.clone();
    // The context, which no cell equals.
    publics.resize(kind.publics(*variant), F::from(1));
    let instance = ProofInstance { witness: witness.clone(), publics, ports };
    let proof = prove(params, &key, vec![instance], &mut |_| {})?;
    // A file's name, where the model is one; the circuit's begins with a letter.
    let model = Path::new(model).file_stem().unwrap_or_default().to_string_lossy();
    let name = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name = format!("{}_{model}", kind.name()).chars().map(name).collect::<String>();
    let of_key = (params, &key.verifying);
    Ok(Oracle::new(params, plan)?.lean(of_key, &name, &proof.bytes, &proof.instances)?)
}
