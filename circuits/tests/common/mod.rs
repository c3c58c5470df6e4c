//! Small segments for the audit: every op, few cells, and witnesses from all corners of their ranges.
#![allow(dead_code)]

use backend::{Circuit, Plan, Witness, curve::F};
use circuits::{
    arithmetic::fixed::Saturations,
    arithmetic::tensor::Tensor,
    model::{
        Config, RopeScaling, SequenceTrace, Spec, SquareSum, State, TensorKind, Token, UpdateKind, Weights,
        head_forward_backward, layer_backward, layer_forward, sequence_gradient, tensors,
    },
    ops::adamw,
    ops::sgd::{Element, Hyper, dividend},
    segments::{
        Privacy, SegmentKind, Variant,
        head::{self, HeadValues},
        layer::{self, LayerValues},
        update::{self, UpdateValues},
    },
};
use plonkish::{LANES, Roles};
use std::sync::Arc;

/// A circuit with the values of one instance.
pub struct Segment {
    pub plan: Arc<Plan>,
    pub witness: Witness,
}

impl Segment {
    pub fn new<V>(circuit: Circuit<V>, values: &V) -> Self {
        Segment { witness: circuit.fill(values).unwrap(), plan: circuit.plan }
    }
}

/// A layer of a traced sequence.
pub fn layer_segment(spec: &Spec, k: u32, w: &Weights, trace: &SequenceTrace) -> Segment {
    Segment::new(layer::circuit(spec, k, Privacy::Public), &LayerValues::of(w, trace, 0))
}

/// The head of a traced sequence.
pub fn head_segment(spec: &Spec, k: u32, w: &Weights, trace: &SequenceTrace) -> Segment {
    Segment::new(head::circuit(spec, k, Privacy::Public), &HeadValues::of(w, trace))
}

/// The update of one lane group.
pub fn update_segment(k: u32, hyper: &Hyper, lanes: &[Vec<(Element, i128)>; LANES]) -> Segment {
    sgd_case(Variant::public(UpdateKind::Sgd), k, hyper, lanes).segment
}

/// The same, clipped or not.
pub fn sgd_case(variant: Variant, k: u32, hyper: &Hyper, lanes: &[Vec<(Element, i128)>; LANES]) -> Case {
    let dividends = |lane: &Vec<(Element, i128)>| lane.iter().map(|(e, g)| dividend(hyper, e, *g).unwrap()).collect();
    let gradients = |lane: &Vec<(Element, i128)>| lane.iter().map(|(_, g)| *g).collect();
    let mut entering = vec![lanes.each_ref().map(dividends), lanes.each_ref().map(gradients)];
    entering.truncate(update::entering(variant.update).len());
    case_of(variant, k, &UpdateValues { integers: vec![], entering })
}

/// The same of AdamW.
pub fn adamw_case(
    privacy: Privacy,
    k: u32,
    hyper: &adamw::Hyper,
    lanes: &[Vec<(adamw::Element, i128)>; LANES],
) -> Case {
    let lanes = lanes
        .each_ref()
        .map(|lane| lane.iter().map(|(e, g)| adamw::entering(hyper, e, *g)).collect::<Vec<adamw::Entering>>());
    let port = |get: fn(&adamw::Entering) -> i128| lanes.each_ref().map(|lane| lane.iter().map(get).collect());
    let values = UpdateValues {
        integers: hyper.integers.list().to_vec(),
        entering: vec![port(|e| e.gradient), port(|e| e.decayed), port(|e| e.first), port(|e| e.second)],
    };
    case_of(Variant { privacy, update: UpdateKind::AdamW }, k, &values)
}

fn case_of(variant: Variant, k: u32, values: &UpdateValues) -> Case {
    values.check(variant.update, k).unwrap();
    Case {
        name: format!("{} update of {}", variant.privacy.name(), variant.update.name()),
        segment: Segment::new(update::circuit(k, variant), values),
        publics: values.publics(variant),
        roles: update::roles(variant),
    }
}

/// A segment with its public values and roles.
pub struct Case {
    pub name: String,
    pub segment: Segment,
    pub publics: Vec<F>,
    pub roles: Roles,
}

/// What the values are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// As at the start of training.
    Usual,
    /// At the ends of their ranges and beyond: everything saturates somewhere.
    Extreme,
    /// As extreme, but for scores, so that attention spreads.
    Flat,
    /// So small that scores are all but equal.
    Tiny,
}

/// Log2 of the rows of small segments.
pub const K: u32 = 10;

/// A model of few cells.
pub fn small(hidden: usize, heads: usize) -> Config {
    let mut config = Config::NANO;
    (config.vocab, config.hidden, config.mlp) = (8, hidden, hidden);
    (config.layers, config.heads, config.context) = (1, heads, 4);
    config
}

/// The same with a vocabulary of as few tokens as take another limb for the sum of the exponentials.
pub fn wide() -> Config {
    let mut config = small(8, 2);
    config.vocab = 260;
    config
}

/// The same with two heads of queries to each of two of keys and values, wider together than the hidden size.
pub fn grouped() -> Config {
    let mut config = small(8, 4);
    (config.kv_heads, config.head_dim) = (Some(2), Some(4));
    config
}

/// The same with one head of keys and values, biases and scaled angles.
pub fn biased() -> Config {
    let mut config = grouped();
    (config.kv_heads, config.biased) = (Some(1), true);
    config.rope_scaling = RopeScaling::Linear { factor: "2.5".parse().unwrap() };
    config
}

fn mix(x: u64) -> u64 {
    let x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 29)
}

/// Within `±bound`.
fn draw(seed: u64, bound: i64) -> i64 {
    (mix(seed) % (2 * bound as u64 + 1)) as i64 - bound
}

/// Rows of all kinds: the upper end, next to nothing, anything, the lower end.
fn rows_of_all_kinds(context: usize, columns: usize, bits: u32, seed: u64) -> Tensor {
    let end = (1i64 << (bits - 1)) - 1;
    Tensor::from_fn(context, columns, |t, j| match t % 4 {
        0 => end,
        1 => draw(seed + (t * columns + j) as u64, 3),
        2 => draw(seed + (t * columns + j) as u64, end),
        _ => -end - 1,
    })
}

fn set_weights(config: &Config, state: &mut State, values: Values) {
    for (m, (matrix, spec)) in state.w.iter_mut().zip(tensors(config)).enumerate() {
        let (rows, cols) = matrix.shape();
        let (is_bias, of_scores) =
            (spec.kind == TensorKind::Bias, spec.name.ends_with('q') || spec.name.ends_with('k'));
        for i in 0..rows {
            for j in 0..cols {
                let seed = ((m * 1000 + i) * 1000 + j) as u64;
                matrix.row_mut(i)[j] = match values {
                    // Biases are zero at first.
                    Values::Usual if is_bias => draw(seed, 3000),
                    Values::Usual => continue,
                    // Gains and columns of one sign, so that sums reach the ends.
                    Values::Flat if of_scores => draw(seed, 4),
                    Values::Extreme | Values::Flat if rows == 1 && !is_bias => 65_535,
                    Values::Extreme | Values::Flat if j % 3 == 0 => 65_535 - (mix(seed) % 4) as i64,
                    Values::Extreme | Values::Flat if j % 3 == 1 => -65_536 + (mix(seed) % 4) as i64,
                    Values::Extreme | Values::Flat => draw(seed, 65_535),
                    Values::Tiny if rows == 1 => 64,
                    Values::Tiny => draw(seed, if m == 0 { 3 } else { 40 }),
                };
            }
        }
    }
}

/// Layer and head of one sequence.
pub fn cases(config: Config, k: u32, values: Values) -> Vec<Case> {
    cases_of(Privacy::Public, config, k, values)
}

/// The same of a kind.
pub fn cases_of(privacy: Privacy, config: Config, k: u32, values: Values) -> Vec<Case> {
    config.check().unwrap();
    let spec = Spec::new(config);
    let mut state = State::init(&spec.config, 7);
    set_weights(&spec.config, &mut state, values);
    let (context, hidden, vocab) = (spec.config.context, spec.config.hidden, spec.config.vocab);
    let sequence: Vec<Token> = (0..=context).map(|i| ((i * i * 31 + 7 * i + 13) % vocab) as Token).collect();
    let mut trace = sequence_gradient(&spec, &state.w, &sequence).unwrap();
    let mut none = Saturations::default();
    if matches!(values, Values::Extreme | Values::Flat) {
        let (x, dx) = (rows_of_all_kinds(context, hidden, 36, 1), rows_of_all_kinds(context, hidden, 36, 5));
        trace.forward[0] = layer_forward(&spec, &state.w.layers[0], &x, &mut none);
        trace.backward[0] = layer_backward(&spec, &state.w.layers[0], &trace.forward[0], &dx, &mut none);
        // The embedding's gradient is the head's business: keep it of this layer's gradient.
        trace.d_embed = circuits::model::embedding_backward(&spec, trace.backward[0].dx_in(), &trace.tokens);
        trace.head =
            head_forward_backward(&spec, state.w.head_matrix(), &state.w.norm_f, &x, &trace.targets, &mut none);
    }
    let l = Segment::new(layer::circuit(&spec, k, privacy), &LayerValues::of(&state.w, &trace, 0));
    let h = Segment::new(head::circuit(&spec, k, privacy), &HeadValues::of(&state.w, &trace));
    let loss = F::from(circuits::model::public_loss(trace.head.loss.total).unwrap());
    let case = |kind: SegmentKind, segment, publics| {
        let name = format!("{} {}, {values:?}", privacy.name(), kind.name());
        Case { name, segment, publics, roles: kind.roles(privacy.into()) }
    };
    let publics = if privacy == Privacy::Public { vec![loss] } else { vec![] };
    vec![case(SegmentKind::Layer, l, vec![]), case(SegmentKind::Head, h, publics)]
}

/// The update of a few elements, saturated ones among them.
pub fn update_case(variant: Variant, k: u32) -> Case {
    let hyper = Hyper { lambda: 1 << 28, mu: 61_847_529_062, omega: 1 << 20 };
    let lanes: [Vec<(Element, i128)>; LANES] = std::array::from_fn(|lane| {
        (0..12)
            .map(|i| {
                if i == 7 {
                    // Saturates with zeros in the limbs of the result: the extra limb alone tells.
                    return (Element::default(), (1 << 48) - (1 << 56));
                }
                let seed = i * 4 + lane as u64;
                let w = if i == 6 { 65_535 } else { draw(seed, 65_535) };
                let v = if i == 6 { 0 } else { w << 24 };
                let g = if i == 6 { 0 } else { i128::from(w) << (i * 4) };
                (Element { w, lo: (mix(seed + 1000) % (1 << 24)) as i64, v }, g)
            })
            .collect()
    });
    sgd_case(variant, k, &hyper, &lanes)
}

/// Integers of AdamW as in training.
pub fn adamw_hyper() -> adamw::Hyper {
    let [beta1, beta2, eps, weight_decay, clip] =
        ["0.9", "0.999", "1e-8", "0.01", "16"].map(|text| text.parse().unwrap());
    let betas = adamw::Betas { beta1, beta2, eps, weight_decay, clip };
    adamw::Hyper::new(3 << 26, &betas, 128, (5, SquareSum::ZERO)).unwrap()
}

/// AdamW's update of a few elements: usual ones, some without gradient or moments, the largest gradients, weights at both ends.
pub fn adamw_cases(privacy: Privacy, k: u32) -> [Case; 2] {
    // With the second, quotients reach beyond a weight's range.
    let far = (1 << adamw::ETA_BITS) - 1;
    [adamw_hyper().integers.eta, far].map(|eta| adamw_case_of_kinds(privacy, k, eta))
}

fn adamw_case_of_kinds(privacy: Privacy, k: u32, eta: i128) -> Case {
    let mut hyper = adamw_hyper();
    hyper.integers.eta = eta;
    let lanes: [Vec<(adamw::Element, i128)>; LANES] = std::array::from_fn(|lane| {
        (0..12)
            .map(|i| {
                let seed = i * 4 + lane as u64;
                let (w, lo) = (draw(seed, 65_535), (mix(seed + 1000) % (1 << 24)) as i64);
                let (first, g) = (draw(seed + 50, 1 << 28), i128::from(draw(seed + 90, 1 << 40)));
                let second = i128::from(first) * i128::from(first) + i128::from(mix(seed + 70) % 1000);
                let (first, second, g) = match i {
                    0 => (0, 0, 0),
                    1 => (first, second, 0),
                    // The mean of what is left is small against that of the squares, or large.
                    2 => (3, 1 << 60, 5),
                    3 => (1 << 30, 0, 0),
                    4 => (-(1 << 30), 0, 0),
                    5 => (0, 0, 1 << 45),
                    6 => (0, 0, -(1 << 45)),
                    // Its quotient is of zeros.
                    7 => (0, 0, 1 << 44),
                    8 => (first >> 20, second >> 40, g >> 30),
                    _ => (first, second, g),
                };
                (adamw::Element { w, lo, first, second }, g)
            })
            .collect()
    });
    let case = adamw_case(privacy, k, &hyper, &lanes);
    Case { name: format!("{}, eta {eta}", case.name), ..case }
}

/// Nano at the start of training, on one sequence.
pub fn nano() -> (Spec, State, SequenceTrace) {
    traced(Config::NANO)
}

/// A model at the start of training, but for biases, which are not zero, on one sequence.
pub fn traced(config: Config) -> (Spec, State, SequenceTrace) {
    let spec = Spec::new(config);
    let mut state = State::init(&spec.config, 11);
    set_weights(&spec.config, &mut state, Values::Usual);
    let vocab = spec.config.vocab;
    let sequence: Vec<Token> =
        (0..=spec.config.context).map(|i| ((i * i * 31 + 7 * i + 13) % vocab) as Token).collect();
    let trace = sequence_gradient(&spec, &state.w, &sequence).unwrap();
    (spec, state, trace)
}
