//! Weights and windows from a seed, as `fixtures/oracle/README.md` defines them: written anew, shared with no other code.

use circuits::{
    arithmetic::tensor::Tensor,
    model::{Config, TensorKind, Token, Weights},
};

/// The stream `stream(seed, name)`.
pub struct Stream(u64);

impl Stream {
    pub fn new(seed: u64, name: &str) -> Self {
        let hash = |h: u64, byte: u8| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
        let mut first = Stream(seed);
        Stream(first.word() ^ name.bytes().fold(0xCBF2_9CE4_8422_2325, hash))
    }

    /// The next word of splitmix64.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = self.0;
        let z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// The next element of `bell` with scale `a`.
    fn bell(&mut self, a: i64) -> i64 {
        let sixteenths = |word: u64| (0..4).map(move |i| (word >> (16 * i) & 0xFFFF) as i64);
        let sum: i64 = (0..3).flat_map(|_| sixteenths(self.word())).sum();
        ((sum - 6 * 65535) * a + (1 << 15)) >> 16
    }
}

/// The initial weights of a seed.
pub fn weights(config: &Config, seed: u64) -> Weights {
    Weights::build(config, |spec| {
        let mut stream = Stream::new(seed, &spec.name);
        let (center, scale) = match spec.kind {
            TensorKind::Gain => (4096, 64),
            TensorKind::Bias => (0, 512),
            TensorKind::Matrix => {
                // Embedding and head are used transposed.
                let fan_in = if spec.layer.is_some() { spec.rows } else { spec.cols };
                (0, ((1u64 << 24) / fan_in as u64).isqrt() as i64)
            }
        };
        Tensor::from_fn(spec.rows, spec.cols, |_, _| center + stream.bell(scale))
    })
}

/// Where the first `count` windows of a seed begin.
pub fn offsets(config: &Config, corpus: &[u8], seed: u64, count: usize) -> Vec<usize> {
    let mut stream = Stream::new(seed, "offsets");
    let places = (corpus.len() - config.context) as u64;
    (0..count).map(|_| (stream.word() % places) as usize).collect()
}

/// The sequence of T + 1 tokens at an offset. A token is a byte, or, in a vocabulary beyond bytes, one of a byte and the next.
pub fn window(config: &Config, corpus: &[u8], offset: usize) -> Vec<Token> {
    let byte = |i: usize| usize::from(corpus[i % corpus.len()]);
    let token = |i: usize| if config.vocab <= 256 { byte(i) } else { (byte(i) + 256 * byte(i + 1)) % config.vocab };
    (offset..=offset + config.context).map(|i| token(i) as Token).collect()
}
