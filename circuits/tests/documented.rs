//! The READMEs of ops and gadgets name every constraint, with its degree.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

mod common;

use circuits::segments::{Privacy, Variant};
use circuits::{
    model::{Config, Spec, State, Token, UpdateKind, sequence_gradient},
    ops::{
        readmes::{constraints, readmes, undocumented},
        sgd::Hyper,
    },
};
use common::{adamw_case, adamw_hyper, head_segment, layer_segment, sgd_case};

#[test]
fn every_constraint_is_documented() {
    let mut found = vec![];
    let mut biased = Config::NANO;
    (biased.kv_heads, biased.biased) = (Some(1), true);
    let mut wide = Config::NANO;
    wide.vocab = 260;
    for config in [Config::NANO, Config::NANO.untied(), biased, wide] {
        let spec = Spec::new(config);
        let state = State::init(&spec.config, 7);
        let sequence: Vec<Token> = (0..=spec.config.context as Token).collect();
        let trace = sequence_gradient(&spec, &state.w, &sequence).unwrap();
        let hyper = Hyper { lambda: 1 << 28, mu: 1 << 35, omega: 1 };
        let clipped = Variant { privacy: Privacy::Private, update: UpdateKind::ClippedSgd };
        let segments = [
            layer_segment(&spec, 12, &state.w, &trace),
            head_segment(&spec, 12, &state.w, &trace),
            sgd_case(Variant::public(UpdateKind::Sgd), 12, &hyper, &Default::default()).segment,
            sgd_case(clipped, 12, &hyper, &Default::default()).segment,
            adamw_case(Privacy::Public, 12, &adamw_hyper(), &Default::default()).segment,
        ];
        found.extend(segments.iter().flat_map(|s| constraints(&s.plan)));
    }
    let mut missing = undocumented(&found, readmes);
    // It is the layer's own.
    missing.retain(|gate| !gate.starts_with("residual: x out is the rounded sum, "));
    assert!(missing.is_empty(), "{missing:#?}");
}
