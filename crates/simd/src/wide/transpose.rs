//! Squares of eight by eight words.

use super::Ifma;
use pulp::bytemuck::cast;
use std::arch::x86_64::__m512i;

/// Exchanges rows and columns: pairs, then pairs of pairs, then halves.
#[inline(always)]
pub(super) fn transposed(machine: Ifma, rows: &[__m512i; 8]) -> [__m512i; 8] {
    let f = machine.f;
    let (first, second) = (cast([0u64, 1, 8, 9, 4, 5, 12, 13]), cast([2u64, 3, 10, 11, 6, 7, 14, 15]));
    let mut columns = [machine.set(0); 8];
    // Of four rows each: of their columns c and c + 4.
    let mut halves = [[machine.set(0); 4]; 2];
    for (half, rows) in halves.iter_mut().zip(rows.as_chunks::<4>().0) {
        let even = [f._mm512_unpacklo_epi64(rows[0], rows[1]), f._mm512_unpacklo_epi64(rows[2], rows[3])];
        let odd = [f._mm512_unpackhi_epi64(rows[0], rows[1]), f._mm512_unpackhi_epi64(rows[2], rows[3])];
        *half = [
            f._mm512_permutex2var_epi64(even[0], first, even[1]),
            f._mm512_permutex2var_epi64(odd[0], first, odd[1]),
            f._mm512_permutex2var_epi64(even[0], second, even[1]),
            f._mm512_permutex2var_epi64(odd[0], second, odd[1]),
        ];
    }
    for c in 0..4 {
        columns[c] = f._mm512_shuffle_i64x2::<0b01_00_01_00>(halves[0][c], halves[1][c]);
        columns[c + 4] = f._mm512_shuffle_i64x2::<0b11_10_11_10>(halves[0][c], halves[1][c]);
    }
    columns
}
