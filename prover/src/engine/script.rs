//! Blinding decided before halo2 asks for it.
//!
//! `create_proof` draws the blinding of advice columns from the generator it is given, before anything else: for each
//! instance, for each advice column its blinding rows, then one blind for each column. All of these draws are made
//! here beforehand, so that phase 1 can be committed to before the proof begins. Draws of port columns are the caller's;
//! every other draw is fresh. This leans on the draw order of the pinned halo2, and the prover checks the outcome:
//! commitments at the head of the proof that are not the expected ones are an error.

use super::draws::Draws;
use backend::curve::F;
use ff::PrimeField;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, TryRng};
use std::convert::Infallible;

/// Words of 64 bits that halo2 draws for one field element.
const WORDS: u8 = 8;

/// Serves the draws of all instances, then fresh randomness.
pub struct ScriptedRng {
    script: Vec<F>,
    drawn: usize,
    word: u8,
    fresh: ChaCha20Rng,
}

impl ScriptedRng {
    /// `fresh` must not have been used for anything that is not in `draws`.
    pub fn new<'a>(draws: impl IntoIterator<Item = &'a Draws>, fresh: ChaCha20Rng) -> Self {
        ScriptedRng { script: draws.into_iter().flat_map(Draws::in_order).collect(), drawn: 0, word: 0, fresh }
    }

    /// Whether every scripted draw has been served.
    pub fn exhausted(&self) -> bool {
        self.drawn >= self.script.len()
    }
}

impl TryRng for ScriptedRng {
    type Error = Infallible;

    // halo2 draws field elements by 64-bit words: eight, least significant first, reduced modulo the field's order.
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let Some(element) = self.script.get(self.drawn) else {
            return Ok(self.fresh.next_u64());
        };
        let start = 8 * usize::from(self.word);
        let mut word = [0; 8];
        if let Some(bytes) = element.to_repr().get(start..start + 8) {
            word.copy_from_slice(bytes);
        }
        self.word = (self.word + 1) % WORDS;
        if self.word == 0 {
            self.drawn += 1;
        }
        Ok(u64::from_le_bytes(word))
    }

    // Draws of other widths are no part of the script; the check of the commitments would tell.
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.fresh.next_u32())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.fresh.fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::draws::tests::draws;
    use ff::Field;
    use rand_core::SeedableRng;

    #[test]
    fn the_script_comes_out_as_field_elements_and_then_ends() {
        let (_, draws) = draws(1);
        let mut rng = ScriptedRng::new([&draws, &draws], ChaCha20Rng::seed_from_u64(9));
        for expected in draws.in_order().chain(draws.in_order()) {
            assert!(!rng.exhausted());
            assert_eq!(F::random(&mut rng), expected);
        }
        assert!(rng.exhausted());
        let mut plain = ChaCha20Rng::seed_from_u64(9);
        assert_eq!(F::random(&mut rng), F::random(&mut plain));
    }
}
