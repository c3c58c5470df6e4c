//! What a fuzzer does to an input, from a seed.

use rand_core::Rng;

/// Offsets to try: all of the first, then a sample.
pub fn offsets(length: usize) -> impl Iterator<Item = usize> {
    let step = (length / 100).max(1);
    (0..length).filter(move |i| *i < 150 || i % step == 0 || length - i < 80)
}

fn below(rng: &mut impl Rng, end: usize) -> usize {
    if end == 0 { 0 } else { (rng.next_u64() % end as u64) as usize }
}

/// One of the inputs, after a few changes; mostly not in the first twelve bytes, magic and version, which stop all others.
pub fn mutated(rng: &mut impl Rng, files: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = files[below(rng, files.len())].clone();
    for _ in 0..=below(rng, 4) {
        let from = if below(rng, 20) == 0 { 0 } else { 12.min(bytes.len()) };
        let at = from + below(rng, bytes.len() - from + 1);
        let end = at + below(rng, (bytes.len() - at).min(200) + 1);
        match below(rng, 9) {
            // Truncate.
            0 => bytes.truncate(at),
            // Extend.
            1 => bytes.extend((0..=below(rng, 300)).map(|_| rng.next_u32() as u8)),
            // Oversize.
            2 => bytes.resize(bytes.len() + below(rng, 1 << 16), rng.next_u32() as u8),
            // Flip.
            3 | 4 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << below(rng, 8)),
            // A number at an end of its range, or the mark of a longer one.
            5 => {
                let byte = [0, 1, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff][below(rng, 10)];
                bytes.iter_mut().skip(at).take(1).for_each(|b| *b = byte);
            }
            // Splice.
            6 => {
                let other = &files[below(rng, files.len())];
                let rest = &other[below(rng, other.len() + 1)..];
                bytes.truncate(at);
                bytes.extend_from_slice(rest);
            }
            // Duplicate.
            7 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            // Drop.
            _ => drop(bytes.drain(at..end)),
        }
    }
    bytes
}
