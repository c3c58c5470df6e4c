//! Tables against `f64`, against the promises of their documents, and pinned.

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// `entry` is `value` rounded, and `value` is far enough from a tie for 60 frac bits to decide it.
fn assert_rounded(entry: i64, value: f64, what: &str) {
    let distance = (entry as f64 - value).abs();
    // Above 2^24 a double no longer places a tie that well; nearness is all that is asked there.
    let decided = if value.abs() < 16_777_216.0 { 0.5 - 1e-8 } else { 0.5 + 1e-6 };
    assert!(distance < decided, "{what}: {entry} for {value}");
}

#[test]
fn entries_are_correctly_rounded() {
    let wide = [260, 512, 4096, 16_352].map(|vocab| Config { vocab, ..Config::NANO });
    for config in [Config::NANO, Config::MICRO, Config::MINI].into_iter().chain(wide) {
        let tables = Tables::new(&config);
        let root = (config.head_dim() as f64).sqrt();
        for (table, root) in [(&tables.attention, root), (&tables.head, 1.0)] {
            for (i, &e) in table.lo.iter().enumerate() {
                assert_rounded(
                    e,
                    f64::from((1 << table.low_bits) - 1) * (-(i as f64) / (4096.0 * root)).exp(),
                    "EXP_LO",
                );
            }
            for (i, &e) in table.hi.iter().enumerate() {
                let unit = ((1i64 << table.high_bits) - 1) as f64;
                assert_rounded(e, unit * (-(i as f64) / (8.0 * root)).exp(), "EXP_HI");
            }
        }
        for (i, &e) in tables.sigmoid.value.iter().enumerate() {
            let x = (i as f64 - 512.0) / 16.0;
            let value = 16_777_216.0 / (1.0 + (-x).exp());
            assert_rounded(e, value.min(f64::from((4095 << 12) - 1)), "SIG0");
        }
        for (i, &e) in tables.log.ln0.iter().enumerate() {
            assert_rounded(e, 16_777_216.0 * (i as f64 / 1024.0).ln_1p(), "LN0");
        }
        let unit = ((1i64 << tables.head.high_bits) - 1) as f64 * f64::from((1 << tables.head.low_bits) - 1);
        for (b, &e) in tables.log.lnpow.iter().enumerate() {
            let value = 16_777_216.0 * (b as f64 * std::f64::consts::LN_2 - unit.ln());
            assert_rounded(e, value, "LNPOW");
        }
        for t in 0..config.context {
            for i in 0..tables.rope.pairs {
                let angle = t as f64 * 10_000f64.powf(-2.0 * i as f64 / config.head_dim() as f64);
                let (cos, sin) = tables.rope.at(t, i);
                assert_rounded(cos, 4096.0 * angle.cos(), "cos");
                assert_rounded(sin, 4096.0 * angle.sin(), "sin");
            }
        }
        assert_rounded(tables.kappa, 4096.0 / root, "kappa");
    }
}

/// Frequencies as `transformers` computes them, in doubles.
fn reference_frequency(i: usize, head_dim: usize, theta: f64, scaling: &RopeScaling) -> f64 {
    let real = |x: &Decimal| x.to_string().parse::<f64>().unwrap();
    let plain = theta.powf(-2.0 * i as f64 / head_dim as f64);
    match scaling {
        RopeScaling::None => plain,
        RopeScaling::Linear { factor } => plain / real(factor),
        RopeScaling::Llama3 { factor, low, high, original } => {
            let (factor, low, high, wavelength) =
                (real(factor), real(low), real(high), 2.0 * std::f64::consts::PI / plain);
            let turns = *original as f64 / wavelength;
            if turns < low {
                plain / factor
            } else if turns > high {
                plain
            } else {
                let smooth = (turns - low) / (high - low);
                (1.0 - smooth) * plain / factor + smooth * plain
            }
        }
    }
}

#[test]
fn scaled_angles_are_correctly_rounded() {
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    let llama3 = |factor: &str, low: &str, high: &str, original| RopeScaling::Llama3 {
        factor: decimal(factor),
        low: decimal(low),
        high: decimal(high),
        original,
    };
    let (mut slowed, mut between, mut kept) = (0, 0, 0);
    for (head_dim, theta, scaling) in [
        (8, "1e4", RopeScaling::Linear { factor: decimal("2.5") }),
        (64, "1e6", RopeScaling::Linear { factor: decimal("1000000") }),
        (64, "1e4", RopeScaling::Linear { factor: decimal("1") }),
        (64, "5e5", llama3("8", "1", "4", 8192)),
        (64, "5e5", llama3("32", "1", "4", 8192)),
        (16, "1e4", llama3("8", "1", "4", 64)),
        (128, "1e4", llama3("1.5", "0.25", "1000000", 16_777_216)),
        (512, "1e9", llama3("1000000", "0.001", "0.002", 1)),
    ] {
        scaling.check().unwrap();
        let (theta, real_theta) = (decimal(theta), theta.parse::<f64>().unwrap());
        let table = RopeTable::new(256, head_dim, &theta, &scaling);
        for i in 0..table.pairs {
            let frequency = reference_frequency(i, head_dim, real_theta, &scaling);
            let plain = reference_frequency(i, head_dim, real_theta, &RopeScaling::None);
            if let RopeScaling::Llama3 { factor, .. } = scaling {
                let factor: f64 = factor.to_string().parse().unwrap();
                slowed += usize::from(frequency == plain / factor);
                kept += usize::from(frequency == plain);
                between += usize::from(frequency != plain && frequency != plain / factor);
            }
            for t in 0..256 {
                let (cos, sin) = table.at(t, i);
                assert_rounded(cos, 4096.0 * (t as f64 * frequency).cos(), "cos");
                assert_rounded(sin, 4096.0 * (t as f64 * frequency).sin(), "sin");
            }
        }
    }
    assert!(slowed > 20 && between > 5 && kept > 20, "{slowed} {between} {kept}");
    // A factor of 1 changes nothing.
    let [plain, scaled] = [RopeScaling::None, RopeScaling::Linear { factor: decimal("1.0") }]
        .map(|scaling| RopeTable::new(64, 16, &decimal("1e4"), &scaling));
    assert_eq!(plain, scaled);
}

#[test]
fn every_shape_keeps_the_promised_ranges() {
    for head_dim in (4..=512).step_by(4) {
        let table = ExpTable::new(head_dim, 256, ATTENTION_SCALE);
        assert!(table.hi.len().is_power_of_two() && table.hi.len() <= 4096, "{head_dim}");
        assert_eq!(table.hi.last(), Some(&0));
        assert!(table.hi[table.hi.len() / 2 - 1] != 0 || table.hi.len() == 64);
        let k = kappa(head_dim);
        assert_rounded(k, 4096.0 / (head_dim as f64).sqrt(), "kappa");
    }
    for live in 1..=256usize {
        let table = ExpTable::new(16, live, ATTENTION_SCALE);
        assert!((live as i64) * table.hi[0] * table.lo[0] < 1 << 35, "{live}");
        // Sums of a row stay below 2^35.
        assert!((9..=12).contains(&table.low_bits));
        assert_eq!((table.hi[0], table.sum_bits), ((1 << 18) - 1, 35));
    }
    // Longer rows have another limb.
    for (live, bits) in [(257, (24, 12)), (512, (24, 12)), (2048, (24, 12)), (4096, (24, 11)), (8192, (24, 10))]
        .into_iter()
        .chain([(16_384, (24, 9)), (32_768, (23, 9)), (1 << 16, (22, 9))])
    {
        let table = ExpTable::new(1, live, HEAD_SCALE);
        assert_eq!((table.high_bits, table.low_bits), bits, "{live}");
        assert!((live as i64) * table.hi[0] * table.lo[0] < 1 << 47 && table.sum_bits == 47, "{live}");
        assert!(table.hi.last() == Some(&0) && table.hi.len() <= 256, "{live}");
        // A probability is computed in 64 bits.
        assert!((table.hi[0] * table.lo[0]).checked_mul(2 * table.out_scale).is_some_and(|x| x < 1 << 62));
    }
}

#[test]
fn the_sigmoid_stays_within_12_bits() {
    let table = SigmoidTable::new();
    assert!(table.slope.iter().all(|&s| s >= 0));
    for z in -(1i64 << 17)..1 << 17 {
        let found = table.look_up(z);
        assert!((0..4096).contains(&found.sig) && found.sigma < 4095 << 12 && found.idx < 1024);
        let exact = 4096.0 / (1.0 + (-(z as f64) / 4096.0).exp());
        assert!((found.sig as f64 - exact).abs() < 1.6, "{z}: {} for {exact}", found.sig);
    }
}

#[test]
fn the_cosine_of_the_schedule() {
    for steps in [1u64, 7, 1500, 1 << 32] {
        for i in 0..=4 {
            let step = steps * i / 4;
            let exact = (std::f64::consts::PI * step as f64 / steps as f64).cos();
            assert_rounded(half_turn_cosine(step, steps), 16_777_216.0 * exact, "cosine");
        }
    }
}

#[test]
fn tables_are_pinned() {
    let pins = [
        (Config::NANO, "e7502b0a2916a211b1053d567e66c245588eaa9ec035c86bc52526637a9ef64c"),
        (Config::MICRO, "7b3d725b30a72d654c692970cf27bf9391f8ed0c9c1d5e1a43c9df12499218d4"),
        (Config::MINI, "356f27bf80633df22fda7bd633e32848151dcf4c7e294222f7f576d326341be8"),
    ];
    let mut scaled = Config::MICRO;
    scaled.rope_scaling = RopeScaling::Llama3 {
        factor: "8".parse().unwrap(),
        low: "1".parse().unwrap(),
        high: "4".parse().unwrap(),
        original: 64,
    };
    let pins = pins.into_iter().chain([(scaled, "fc8b6eea125b3d909676ad68787660b923de1dd61e3f500132ca3625c8208e4f")]);
    for (config, pin) in pins {
        assert_eq!(hex(&Tables::new(&config).digest()), pin);
    }
}
