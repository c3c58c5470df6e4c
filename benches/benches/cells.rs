//! A range-checked cell against the stock lookup, and columns of each kind.
#![allow(missing_docs)]

use backend::curve::{DEFAULT_K, Params};
use benches::lanes::{Lane, Lanes, ROWS};
use benches::stock::Stock;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;

/// A multiple of 3, as a helper column serves three limbs.
const LIMBS: usize = 63;
/// Columns of the stock circuit.
const STOCK: usize = 64;

fn cells(c: &mut Criterion) {
    let params = Params::new(DEFAULT_K);
    let mut group = c.benchmark_group("range-checked cells");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(1));
    let ours = Lanes::limbs(&params, LIMBS);
    group.throughput(Throughput::Elements((LIMBS * ROWS) as u64));
    group.bench_function("logarithmic derivatives", |b| b.iter(|| ours.prove()));
    let stock = Stock::<STOCK>::new(&params);
    group.throughput(Throughput::Elements((STOCK * ROWS) as u64));
    group.bench_function("stock lookup", |b| b.iter(|| stock.prove()));
    group.finish();

    let mut group = c.benchmark_group("48 more columns");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(1));
    let none = Lanes::new(&params, Lane::Unchecked, 0);
    group.bench_function("none", |b| b.iter(|| none.prove()));
    for lane in Lane::ALL {
        let lanes = Lanes::new(&params, lane, 48);
        group.bench_function(lane.name(), |b| b.iter(|| lanes.prove()));
    }
}

criterion_group!(all, cells);
criterion_main!(all);
