//! Empirical entropies of a text: what a model is compared with that only counts.

/// Highest order: n + 1 bytes are held in four.
pub const MAX_ORDER: usize = 3;

/// Most sequences of bytes that are sorted at a time, unless more of them begin with one byte.
const AT_A_TIME: usize = 1 << 26;

/// The entropy of order n in bits a byte: that of a byte given the n before it, by the frequencies in the text itself. A table of these
/// frequencies, made from the very text that it then predicts, needs so many bits; on any other text it would need more. `None` if
/// the text has no n + 1 bytes, or n is above [`MAX_ORDER`].
pub fn conditional(text: &[u8], order: usize) -> Option<f64> {
    if order > MAX_ORDER || text.len() <= order {
        return None;
    }
    let mut of_first = [0; 256];
    let starts = &text[..text.len() - order];
    starts.iter().for_each(|&byte| of_first[usize::from(byte)] += 1);
    // Of each context, the sum of count · log2(count of the context / count).
    let mut bits = 0.0;
    let mut from = 0;
    while from < 256 {
        let (mut to, mut size) = (from, 0);
        while to < 256 && (to == from || size + of_first[to] <= AT_A_TIME) {
            size += of_first[to];
            to += 1;
        }
        let mut grams = Vec::with_capacity(size);
        let chosen = text.windows(order + 1).filter(|gram| (from..to).contains(&usize::from(gram[0])));
        grams.extend(chosen.map(|gram| gram.iter().fold(0u32, |packed, &byte| packed << 8 | u32::from(byte))));
        grams.sort_unstable();
        for context in grams.chunk_by(|a, b| order == 0 || a >> 8 == b >> 8) {
            // All of the text is one context of order 0, whatever its first bytes.
            let all = if order == 0 { starts.len() } else { context.len() };
            for same in context.chunk_by(|a, b| a == b) {
                bits += same.len() as f64 * (all as f64 / same.len() as f64).log2();
            }
        }
        from = to;
    }
    Some(bits / starts.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// By tables of counts.
    fn counted(text: &[u8], order: usize) -> f64 {
        let (mut contexts, mut grams) = (HashMap::new(), HashMap::new());
        for gram in text.windows(order + 1) {
            *contexts.entry(&gram[..order]).or_insert(0u32) += 1;
            *grams.entry(gram).or_insert(0u32) += 1;
        }
        let bits =
            |(gram, &n): (&&[u8], &u32)| f64::from(n) * (f64::from(contexts[&gram[..order]]) / f64::from(n)).log2();
        grams.iter().map(bits).sum::<f64>() / (text.len() - order) as f64
    }

    #[test]
    fn known_texts() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!((0..4).map(|n| conditional(&all, n)).collect::<Vec<_>>(), [8.0, 0.0, 0.0, 0.0].map(Some));
        assert_eq!(conditional(b"abababab", 0), Some(1.0));
        assert_eq!(conditional(b"abababab", 1), Some(0.0));
        // After an a, as often an a as a b; after a b always an a.
        let order_1 = conditional(b"aabaabaab", 1).unwrap();
        assert!((order_1 - 6.0 / 8.0).abs() < 1e-12, "{order_1}");
        assert_eq!((conditional(b"abc", 3), conditional(b"abc", 2), conditional(b"", 0)), (None, Some(0.0), None));
        assert_eq!(conditional(&all, 4), None);
    }

    proptest! {
        #[test]
        fn sorting_counts_as_tables_do(text in prop::collection::vec(prop_oneof![0u8..3, any::<u8>()], 5..400), order in 0usize..=3) {
            let (found, expected) = (conditional(&text, order).unwrap(), counted(&text, order));
            prop_assert!((found - expected).abs() < 1e-9, "{} {}", found, expected);
        }
    }
}
