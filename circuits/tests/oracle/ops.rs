//! Single operations: every case of `ops.json`.

use circuits::{
    arithmetic::fixed::Saturations,
    arithmetic::tensor::{Matrix, Tensor},
    model::{Config, RopeScaling, Schedule, SquareSum, Token, clip},
    ops::{
        adamw::{self, Betas},
        attention, cross_entropy, embedding, linear, rmsnorm, rope,
        sgd::{self, Element, Hyper},
        swiglu,
        tables::{RopeTable, Tables},
    },
};
use serde_json::Value;

use crate::{cases, floats, integers};

/// How far a result may lie from the oracle's: `ulps` units of its last place plus `relative` of its largest element.
///
/// An output's own rounding is half a unit; what an op takes from a rounded intermediate or a table is relative to the
/// size of the output.
#[derive(Clone, Copy)]
struct Bound {
    frac: u32,
    ulps: f64,
    relative: f64,
}

const fn bound(frac: u32, ulps: f64, relative: f64) -> Bound {
    Bound { frac, ulps, relative }
}

/// Exact up to the 12 digits of the file.
const fn exact(frac: u32) -> Bound {
    bound(frac, 0.0, 1e-11)
}

/// One case, and what was found of it.
struct Case {
    value: Value,
    checked: Vec<String>,
    saturations: Saturations,
}

impl Case {
    fn title(&self) -> String {
        format!("{} {}", self.value["op"].as_str().unwrap(), self.value["case"].as_str().unwrap())
    }

    fn input(&self, name: &str, frac: u64) -> (usize, usize, Vec<i64>) {
        let input = &self.value["inputs"][name];
        assert_eq!(input["frac"].as_u64(), Some(frac), "{}: {name}", self.title());
        let (rows, cols) = match integers(&input["shape"])[..] {
            [cols] => (1, cols),
            [rows, cols] => (rows, cols),
            _ => panic!("{}: {name}", self.title()),
        };
        (rows as usize, cols as usize, integers(&input["data"]))
    }

    fn tensor(&self, name: &str, frac: u64) -> Tensor {
        let (rows, cols, data) = self.input(name, frac);
        Tensor::new(rows, cols, data).unwrap()
    }

    fn tokens(&self, name: &str) -> Vec<Token> {
        self.input(name, 0).2.into_iter().map(|x| Token::try_from(x).unwrap()).collect()
    }

    fn parameter(&self, name: &str) -> &Value {
        &self.value["params"][name]
    }

    /// A decimal as written, never through a float.
    fn decimal<D: std::str::FromStr<Err: std::fmt::Debug>>(&self, name: &str) -> D {
        self.parameter(name).to_string().parse().unwrap()
    }

    /// Of the rotary angles, if the case has one.
    fn scaling(&self) -> RopeScaling {
        let scaling = self.parameter("scaling");
        let factor = |key: &str| scaling[key].to_string().parse().unwrap();
        match scaling["rope_type"].as_str() {
            None => RopeScaling::None,
            Some("linear") => RopeScaling::Linear { factor: factor("factor") },
            Some("llama3") => RopeScaling::Llama3 {
                factor: factor("factor"),
                low: factor("low_freq_factor"),
                high: factor("high_freq_factor"),
                original: scaling["original_max_position_embeddings"].as_u64().unwrap(),
            },
            Some(other) => panic!("{}: {other}", self.title()),
        }
    }

    fn check<E: Copy + Into<i128>>(&mut self, name: &str, found: &[E], bound: Bound) {
        let expected = floats(&self.value["outputs"][name]["data"]);
        assert_eq!(found.len(), expected.len(), "{}: {name}", self.title());
        let largest = expected.iter().fold(0f64, |m, x| m.max(x.abs()));
        let scale = 2f64.powi(bound.frac as i32);
        let error = found.iter().zip(&expected).map(|(&x, y)| (x.into() as f64 / scale - y).abs()).fold(0.0, f64::max);
        println!(
            "{}: {name} is off by at most {:.2} ulps, {:.1e} of the largest",
            self.title(),
            error * scale,
            error / largest
        );
        let allowed = bound.ulps / scale + bound.relative * largest;
        assert!(error <= allowed, "{}: {name} is off by {error:e}, {allowed:e} are allowed", self.title());
        self.checked.push(name.to_owned());
    }

    fn run(mut self) {
        match self.value["op"].as_str().unwrap() {
            "rmsnorm" => self.rmsnorm(),
            "rope" => self.rope(),
            "attention" => self.attention(),
            "swiglu" => self.swiglu(),
            "cross_entropy" => self.cross_entropy(),
            "embedding" => self.embedding(),
            "linear" => self.linear(),
            "sgd" => self.sgd(),
            "adamw" => self.adamw(),
            "clip" => self.clip(),
            op => panic!("the op {op} has no test"),
        }
        let mut outputs: Vec<String> = self.value["outputs"].as_object().unwrap().keys().cloned().collect();
        outputs.sort();
        self.checked.sort();
        assert_eq!(self.checked, outputs, "{}: every output is compared", self.title());
        assert_eq!(self.saturations.total(), 0, "{}", self.title());
    }

    /// `n` is off by half a unit of 2^-12, which the gain passes on to `h`, and `n·cbar` to `dx`. `tiny` has a mean square
    /// near eps, where the 0.14 % by which `eps24` is larger count.
    fn rmsnorm(&mut self) {
        let tiny = self.value["case"] == "tiny";
        let (x, gain) = (self.tensor("x", 12), self.tensor("gain", 12));
        let (dh, dres) = (self.tensor("dh", 24), self.tensor("dres", 24));
        let mut s = Saturations::default();
        let norm = rmsnorm::forward(&x, &gain, Config::NANO.eps24(), &mut s);
        let back = rmsnorm::backward(&norm, &gain, &dh, Some(&dres), &mut s);
        self.saturations = s;
        let eps = if tiny { 7e-4 } else { 0.0 };
        self.check("h", &norm.h.data, bound(12, 1.5, eps));
        self.check("dx", &back.dx.data, bound(24, 1.0, 2e-4 + eps));
        self.check("dgain", &back.dgain.data, bound(36, 1.0, 2e-4 + eps));
    }

    /// Sine and cosine are off by 2^-13.
    fn rope(&mut self) {
        let (z, dq) = (self.tensor("z", 24).widen(), self.tensor("dq", 36).widen());
        let heads = self.parameter("heads").as_u64().unwrap() as usize;
        let table = RopeTable::new(z.rows, z.cols / heads, &Config::NANO.rope_theta, &self.scaling());
        assert_eq!(self.parameter("theta").as_f64(), Some(10_000.0));
        let mut s = Saturations::default();
        let (q, dz) = (rope::forward(&z, &table, &mut s), rope::backward(&dq, &table, &mut s));
        self.saturations = s;
        self.check("q", &q.data, bound(12, 0.5, 2f64.powi(-12)));
        self.check("dz", &dz.data, bound(24, 0.5, 2f64.powi(-12)));
    }

    /// `P` is off by half a unit and by 2^-12 of itself, and by what the rounded distance and the tables of the
    /// exponential add; sums over up to 32 keys follow. Gradients of the scores are differences of larger numbers.
    fn attention(&mut self) {
        let [q, k, v] = ["q", "k", "v"].map(|name| self.tensor(name, 12));
        let d_o = self.tensor("do", 24);
        let queries = self.parameter("heads").as_u64().unwrap() as usize;
        let keys = self.parameter("kv_heads").as_u64().map_or(queries, |kv_heads| kv_heads as usize);
        let heads = attention::Heads { queries, keys, dim: q.cols / queries };
        let mut config = Config::NANO;
        (config.context, config.hidden, config.heads) = (q.rows, q.cols, queries);
        let tables = Tables::new(&config);
        let mut s = Saturations::default();
        let forward = attention::forward(&q, &k, &v, heads, &tables.attention, &mut s);
        let back = attention::backward(&forward, &q, &k, &v, &d_o, heads, tables.kappa, &mut s);
        self.saturations = s;
        self.check("o", &forward.o.data, bound(12, 2.0, 5e-4));
        self.check("dv", &back.dv.data, bound(24, 1.0, 1e-3));
        self.check("dq", &back.dq.data, bound(36, 1.0, 2e-3));
        self.check("dk", &back.dk.data, bound(36, 1.0, 2e-3));
        if self.value["outputs"].get("p").is_some() {
            self.check("p", &forward.softmax.p.data, bound(12, 2.0, 0.0));
            // The oracle's is the gradient of the unscaled score as well.
            self.check("ds", &back.ds.data, bound(24, 1.0, 2e-3));
        }
    }

    /// The sigmoid is off by δ ≤ 1.6 units of 2^-12 (a test of the tables), hence silu' by δ·(1 + |z|).
    fn swiglu(&mut self) {
        let (z, u, ds) = (self.tensor("gate", 12), self.tensor("up", 12), self.tensor("ds", 24));
        let table = Tables::new(&Config::NANO).sigmoid;
        let mut s = Saturations::default();
        let forward = swiglu::forward(&z, &u, &table, &mut s);
        let back = swiglu::backward(&z, &forward.sig, &u, &ds, &mut s);
        self.saturations = s;
        let delta = 1.6 / 4096.0;
        let upstream = ds.data.iter().zip(&u.data).map(|(ds, u)| (ds * u).abs()).max().unwrap() as f64 / 4096.0;
        let gate = z.max_abs() as f64 / 4096.0;
        self.check("s", &forward.s.data, bound(12, 0.5, delta));
        self.check("dup", &back.du.data, bound(24, 0.5, delta));
        self.check("dgate", &back.dz.data, bound(24, 0.5 + delta * (1.0 + gate) * upstream, 0.0));
    }

    /// An exponential is off by 2^-13 of itself for the rounded distance, as much for `EXP_LO`, and half a unit of
    /// `EXP_HI`, of which the largest has 2^15. The chord of the logarithm is off by less than 2^-22.
    fn cross_entropy(&mut self) {
        let logits = self.tensor("logits", 24).widen();
        let targets = self.tokens("targets");
        let mut config = Config::NANO;
        config.vocab = logits.cols;
        let tables = Tables::new(&config);
        let loss = cross_entropy::forward_backward(&logits, &targets, &tables.head, &tables.log);
        let losses: Vec<i64> = loss.positions.iter().map(|p| p.loss).collect();
        let nats = 2f64.powi(24 - 11);
        self.check("losses", &losses, bound(24, nats, 0.0));
        self.check("sum", &[loss.total], bound(24, nats * losses.len() as f64, 0.0));
        self.check("p", &loss.softmax.p.data, bound(24, 2.0, 5e-4));
        self.check("dlogits", &loss.dlog.data, bound(24, 2.0, 5e-4));
    }

    fn embedding(&mut self) {
        let (table, dx) = (self.tensor("table", 12), self.tensor("dx", 24));
        let tokens = self.tokens("tokens");
        self.check("x", &embedding::forward(&table, &tokens).data, exact(12));
        let mut sum = Matrix::zeros(table.rows, table.cols);
        embedding::backward(&dx, &tokens, &mut sum);
        self.check("dtable", &sum.data, exact(36));
    }

    fn linear(&mut self) {
        let (x, w, dy) = (self.tensor("x", 12), self.tensor("w", 12), self.tensor("dy", 24));
        let mut y = linear::forward(&x, &w);
        if self.value["inputs"].get("b").is_some() {
            linear::add_bias(&mut y, &self.tensor("b", 12));
            self.check("db", &linear::bias_gradient(&dy).data, exact(36));
        }
        self.check("y", &y.data, exact(24));
        self.check("dx", &linear::input_gradient(&dy, &w).data, exact(36));
        self.check("dw", &linear::weight_gradient(&x, &dy).data, exact(36));
    }

    /// Each step rounds the weight that is kept, λ (to 2^-36 of it), μ and ω to 2^-36; the error of a step is carried on by
    /// all further ones, at most as often as there are. The oracle's momentum is `-P/lr` times a movement.
    fn sgd(&mut self) {
        let (w, lo) = (self.input("w", 12).2, self.input("lo", 0).2);
        let steps = self.tensor("g", 36);
        let rate = Schedule::constant(&self.decimal("lr")).unwrap().rates_at(0);
        let predictions = self.parameter("predictions").as_u64().unwrap();
        let hyper = Hyper::new(rate, &self.decimal("momentum"), &self.decimal("weight_decay"), predictions).unwrap();
        let mut s = Saturations::default();
        let mut state: Vec<Element> = w.iter().zip(&lo).map(|(&w, &lo)| Element { w, lo, v: 0 }).collect();
        let (mut ws, mut vs) = (vec![], vec![]);
        for step in 0..steps.rows {
            for (e, &g) in state.iter_mut().zip(steps.row(step)) {
                *e = sgd::element(&hyper, *e, g.into(), &mut s);
                ws.push(e.whole());
                vs.push(e.v);
            }
        }
        self.saturations = s;
        let real = |name: &str| self.parameter(name).as_f64().unwrap();
        let (count, per_gradient) = (steps.rows as f64, real("lr") / predictions as f64);
        let ulp = 2f64.powi(-36);
        let largest = |values: &[i64]| values.iter().map(|x| x.abs()).max().unwrap() as f64 * ulp;
        let gradient = steps.data.iter().map(|g| g.abs()).max().unwrap() as f64 * ulp;
        let movement = count * ulp * (0.5 + 0.5 * largest(&vs) + 0.5 * largest(&ws) + 0.5 * gradient);
        self.check("w", &ws, bound(36, count * movement / ulp, 0.0));
        let momentum = |v: &i64| (-(*v as f64) * ulp / per_gradient * 2f64.powi(60)) as i128;
        let vs: Vec<i128> = vs.iter().map(momentum).collect();
        self.check("v", &vs, bound(60, movement / per_gradient * 2f64.powi(60), 0.0));
    }

    /// A factor is rounded down to a unit of 2^-36, and the norm it is of to one of its root; what is clipped to, to half a unit of 2^-32.
    fn clip(&mut self) {
        let (gradients, predictions) = (self.tensor("g", 36), self.parameter("predictions").as_u64().unwrap());
        let (norm, real) = (self.decimal("norm"), self.parameter("norm").as_f64().unwrap());
        let expected = floats(&self.value["outputs"]["clipped"]["data"]);
        let mut clipped = 0;
        for (row, expected) in (0..gradients.rows).zip(expected.chunks(gradients.cols)) {
            let g = gradients.row(row);
            let squares = SquareSum::of(g.iter().map(|&g| g.into()));
            let factor = clip::factor(&norm, sgd::MAX_CLIP, predictions, squares).unwrap();
            let by = factor as f64 * 2f64.powi(-36);
            let off = (by * (0.5 / real * 2f64.powi(-32) + 1.0 / squares.norm() as f64) + 2f64.powi(-36)) / by + 1e-11;
            for (&g, &expected) in g.iter().zip(expected) {
                let found = g as f64 * 2f64.powi(-36) * by / predictions as f64;
                let error = (found - expected).abs();
                assert!(
                    error <= off * expected.abs(),
                    "{}: row {row} is off by {error:e} of {expected:e}",
                    self.title()
                );
            }
            println!("{}: row {row} times {by:.6e}, within {off:.1e} of it", self.title());
            clipped += u32::from(factor < 1 << 36);
        }
        assert!((2..6).contains(&clipped), "{}: {clipped} rows are clipped", self.title());
        self.checked.push("clipped".into());
    }

    /// Each element of each step within what [`Errors`] derives from the step before. That bounds a movement to 1 % of the
    /// learning rate where mean gradients are of 1e-5 or more, and to little where they are of 1e-8.
    fn adamw(&mut self) {
        let (w, lo) = (self.input("w", 12).2, self.input("lo", 0).2);
        let gradients = self.tensor("g", 36);
        let betas = Betas {
            beta1: self.decimal("beta1"),
            beta2: self.decimal("beta2"),
            eps: self.decimal("eps"),
            weight_decay: self.decimal("weight_decay"),
            clip: "16".parse().unwrap(),
        };
        let rate = Schedule::constant(&self.decimal("lr")).unwrap().rates_at(0).now;
        let predictions = self.parameter("predictions").as_u64().unwrap();
        let reals = Reals::new(|name| self.parameter(name).as_f64().unwrap());
        let expected = ["w", "m", "v"].map(|name| floats(&self.value["outputs"][name]["data"]));
        let mut s = Saturations::default();
        let (mut worst, mut last) = ([0f64; 3], vec![0f64; w.len()]);
        for (i, (&w, &lo)) in w.iter().zip(&lo).enumerate() {
            let mut e = adamw::Element { w, lo, ..adamw::Element::default() };
            let mut before = [e.whole() as f64 * 2f64.powi(-36), 0.0, 0.0];
            let mut errors = Errors::default();
            for step in 0..gradients.rows {
                let hyper = adamw::Hyper::new(rate, &betas, predictions, (step as u64 + 1, SquareSum::ZERO)).unwrap();
                let sum = gradients.row(step)[i];
                e = adamw::element(&hyper, e, sum.into(), &mut s);
                let found = [(e.whole().into(), 36), (e.first.into(), 30), (e.second, 60)];
                let after = [0, 1, 2].map(|k| expected[k][step * gradients.cols + i]);
                let movement = errors.step(&reals, before, after, (sum as f64 * 2f64.powi(-36), step as i32 + 1));
                before = after;
                for (k, (x, frac)) in found.into_iter().enumerate() {
                    let error = (x as f64 * 2f64.powi(-frac) - after[k]).abs();
                    // The file has 12 digits.
                    let allowed = errors.list()[k] + 1e-11 * after[k].abs();
                    let place = format!("{}: {} of element {i} after step {step}", self.title(), ["w", "m", "v"][k]);
                    assert!(error <= allowed, "{place} is off by {error:e}, {allowed:e} are allowed");
                    worst[k] = worst[k].max(error / allowed.max(f64::MIN_POSITIVE));
                    if k == 0 {
                        last[i] = error / reals.lr;
                    }
                }
                // Columns grow from no gradient over 1e-9 by tens.
                let gross = i >= 5 && movement > 1e-2 * reals.lr;
                assert!(!gross, "{}: {movement:e} are allowed of element {i} in step {step}", self.title());
            }
        }
        self.saturations = s;
        println!("{}: at most {worst:.2?} of the bounds of w, m, v", self.title());
        println!("{}: at last w is off by {last:.5?} learning rates", self.title());
        self.checked = ["w", "m", "v"].map(String::from).to_vec();
    }
}

/// The numbers of AdamW as reals.
struct Reals {
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    weight_decay: f64,
    predictions: f64,
}

impl Reals {
    fn new(of: impl Fn(&str) -> f64) -> Self {
        Reals {
            lr: of("lr"),
            beta1: of("beta1"),
            beta2: of("beta2"),
            eps: of("eps"),
            weight_decay: of("weight_decay"),
            predictions: of("predictions"),
        }
    }
}

/// How far an element of AdamW's state may lie from the oracle's.
#[derive(Clone, Copy, Default)]
struct Errors {
    w: f64,
    m: f64,
    v: f64,
}

impl Errors {
    fn list(&self) -> [f64; 3] {
        [self.w, self.m, self.v]
    }

    /// After one more step, from the oracle's state before and after it and the sum of the gradients; returns what the
    /// step's movement adds.
    ///
    /// A unit of frac 30 for m and one of frac 60 for v, rounded down and up in turns; of frac 30 for γ times the sum, rounded down; of
    /// frac 24 for β₁, which is odd; of frac 30 for the root of 2v, which is `root + 1/2` to `root + 3/2`. Half a unit each: of frac 30 for the
    /// mean gradient; of frac 24 for β₂ and ω; of frac 36 for the rate, η and the weight; of frac 30 for ε, and again for ε, whose root is
    /// floored. The errors of the state before are carried on.
    fn step(&mut self, reals: &Reals, before: [f64; 3], after: [f64; 3], (sum, step): (f64, i32)) -> f64 {
        let half = |frac: i32| 2f64.powi(-frac - 1);
        let Reals { lr, beta1, beta2, eps, weight_decay, predictions } = *reals;
        let ([w, m, v], [_, first, second], g) = (before, after, sum / predictions);

        let mean = half(30) * (1.0 + 2.0 * sum.abs());
        let square = 2.0 * g.abs() * mean + mean * mean;
        self.m = beta1 * self.m + (1.0 - beta1) * mean + half(23) * ((m - g).abs() + self.m + mean) + 2.0 * half(30);
        self.v =
            beta2 * self.v + (1.0 - beta2) * square + half(24) * ((v - g * g).abs() + self.v + square) + 2.0 * half(60);

        // Of the corrections, relative: an error of β is at most `step` times as large in its power.
        let correction = |beta: f64| 1.0 - beta.powi(step);
        let relative = |beta: f64| f64::from(step) * half(24) / correction(beta);
        let root = correction(beta2).sqrt();
        let eta = lr * root / correction(beta1);
        let d_eta = 2.0 * relative(beta1) + relative(beta2) / 2.0 + half(36) / eta + half(36) / lr;
        let divisor = second.sqrt() + eps * root;
        let d_root = (self.v / second.sqrt()).min(self.v.sqrt()) + 2f64.sqrt() * half(30);
        let d_divisor = d_root + 2.0 * half(30) + eps * root * relative(beta2) / 2.0;
        // m̃/D̃ − m/D = (m̃ − m)/D̃ + m/D·(D − D̃)/D̃, and D̃ is at least half a unit.
        let least = (divisor - d_divisor).max(half(30));
        let quotient = (self.m + first.abs() / divisor * d_divisor) / least;
        let movement = eta * (quotient * (1.0 + d_eta) + first.abs() / divisor * d_eta);

        // The decay acts on the 12 bits of the weight in use.
        let decay = half(24) * (w.abs() + self.w) + lr * weight_decay * 2f64.powi(-12);
        self.w += decay + movement + half(36);
        movement
    }
}

#[test]
fn every_op_is_that_of_the_oracle() {
    let all = cases("ops.json");
    assert!(all.len() >= 20);
    let has = |op: &str, key: &str| all.iter().any(|c| c["op"] == op && c["params"].get(key).is_some());
    assert!(has("attention", "kv_heads") && has("rope", "scaling"));
    assert!(all.iter().any(|c| c["inputs"].get("b").is_some()), "a bias");
    for value in all {
        Case { value, checked: vec![], saturations: Saturations::default() }.run();
    }
}
