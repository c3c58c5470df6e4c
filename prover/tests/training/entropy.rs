//! What a table of frequencies knows about a text.

use std::collections::HashMap;

/// Entropy in nats of a byte given the `order` bytes before it, counted on `text` itself.
pub fn conditional_entropy(text: &[u8], order: usize) -> f64 {
    let mut contexts: HashMap<&[u8], f64> = HashMap::new();
    let mut grams: HashMap<&[u8], f64> = HashMap::new();
    for gram in text.windows(order + 1) {
        *contexts.entry(&gram[..order]).or_default() += 1.0;
        *grams.entry(gram).or_default() += 1.0;
    }
    let total = (text.len() - order) as f64;
    -grams.iter().map(|(gram, n)| n * (n / contexts[&gram[..order]]).ln()).sum::<f64>() / total
}
