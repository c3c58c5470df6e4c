//! The same range checks by the stock lookup argument.

use crate::lanes::{ROWS, number};
use backend::curve::{F, Params, Point, ProofWriter};
use halo2_proofs::circuit::{Layouter, SimpleFloorPlanner, Value};
use halo2_proofs::plonk::{
    Advice, Circuit, Column, ConstraintSystem, Error, ProvingKey, TableColumn, create_proof, keygen_pk, keygen_vk,
};
use halo2_proofs::poly::Rotation;
use prover::blinding::fresh;

/// Bits of the table: it must leave space for the blinding rows, so that of 12 bits does not fit `2^12` rows.
const TABLE_BITS: u32 = 11;

/// `N` columns, each looked up on every row.
#[derive(Clone)]
struct Lookups<const N: usize> {
    values: bool,
}

impl<const N: usize> Circuit<F> for Lookups<N> {
    type Config = (Vec<Column<Advice>>, TableColumn);
    type FloorPlanner = SimpleFloorPlanner;

    fn without_witnesses(&self) -> Self {
        Lookups { values: false }
    }

    fn configure(meta: &mut ConstraintSystem<F>) -> Self::Config {
        let columns: Vec<_> = (0..N).map(|_| meta.advice_column()).collect();
        let table = meta.lookup_table_column();
        for &column in &columns {
            meta.lookup(|cells| vec![(cells.query_advice(column, Rotation::cur()), table)]);
        }
        (columns, table)
    }

    fn synthesize(&self, (columns, table): Self::Config, mut layouter: impl Layouter<F>) -> Result<(), Error> {
        layouter.assign_table(
            || "range",
            |mut range| {
                for row in 0..1 << TABLE_BITS {
                    range.assign_cell(|| "", table, row, || Value::known(F::from(row as u64)))?;
                }
                Ok(())
            },
        )?;
        layouter.assign_region(
            || "cells",
            |mut region| {
                for (i, &column) in columns.iter().enumerate() {
                    for row in 0..ROWS {
                        let x = number((i * ROWS + row) as u64) & ((1 << TABLE_BITS) - 1);
                        let value = if self.values { Value::known(F::from(x)) } else { Value::unknown() };
                        region.assign_advice(|| "", column, row, || value)?;
                    }
                }
                Ok(())
            },
        )
    }
}

/// The circuit of `N` columns with its key.
pub struct Stock<'p, const N: usize> {
    params: &'p Params,
    key: ProvingKey<Point>,
}

impl<'p, const N: usize> Stock<'p, N> {
    /// Makes the key.
    pub fn new(params: &'p Params) -> Self {
        let circuit = Lookups::<N> { values: false };
        let verifying = keygen_vk(params.halo2(), &circuit).expect("the circuit has a key");
        let key = keygen_pk(params.halo2(), verifying, &circuit).expect("the circuit has a key");
        Stock { params, key }
    }

    /// Proves one instance.
    pub fn prove(&self) -> Vec<u8> {
        let mut transcript = ProofWriter::init(vec![]);
        let rng = fresh().expect("the system has randomness");
        let circuits = [Lookups::<N> { values: true }];
        create_proof(self.params.halo2(), &self.key, &circuits, &[&[]], rng, &mut transcript).expect("proven");
        transcript.finalize()
    }
}
