//! Arithmetic of the field on elements one by one and on vectors of them.
#![allow(missing_docs)]

use backend::curve::F;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ff::PrimeField;
use simd::{One, Vector, add_scaled, elements, scaled, vectors};

/// Elements of a column: few enough for the nearest cache.
const ELEMENTS: usize = 256;

fn of<V: Vector<F>>(c: &mut Criterion, name: &str, machine: V::Machine) {
    let column: Vec<F> = std::iter::successors(Some(F::DELTA), |x| Some(*x * x)).take(ELEMENTS).collect();
    let (packed, factor) = (vectors::<F, V>(machine, &column), V::splat(machine, &column[7]));
    let mut out = packed.clone();
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    group.bench_function("products with a factor", |b| {
        b.iter(|| scaled::<F, V>(machine, &mut out, factor, &packed));
    });
    group.bench_function("sums with such products", |b| {
        b.iter(|| add_scaled::<F, V>(machine, &mut out, factor, &packed));
    });
    group.bench_function("from elements", |b| b.iter(|| vectors::<F, V>(machine, &column)));
    group.bench_function("to elements", |b| b.iter(|| elements::<F, V>(machine, &packed)));
    group.finish();
}

fn fields(c: &mut Criterion) {
    of::<F>(c, "one by one", One);
    #[cfg(target_arch = "x86_64")]
    match simd::Ifma::detect() {
        Some(machine) => of::<simd::Wide<F>>(c, "by eight", machine),
        None => eprintln!("by eight: not on this processor"),
    }
}

criterion_group!(all, fields);
criterion_main!(all);
