//! The three circuits of a model, without values: what keys are made of.

use super::{head, layer, update};
use crate::{
    curve::DEFAULT_K,
    model::{Params, Spec, sequence_gradient},
    ops::sgd::Hyper,
    plan::Plan,
};
use std::sync::Arc;

/// The plans of a model's segments.
#[derive(Clone, Debug)]
pub struct Plans {
    /// Layer segment.
    pub layer: Arc<Plan>,
    /// Head segment.
    pub head: Arc<Plan>,
    /// Update segment, the same for every model.
    pub update: Arc<Plan>,
}

/// Public values of the segments, their context included.
pub const PUBLICS: [usize; 3] = [1, 2, 4];

impl Plans {
    /// The plans of a model: those of a zero model on a zero sequence, since values do not change a plan.
    pub fn new(spec: &Spec) -> Self {
        let w = Params::zeros(&spec.config);
        let trace = sequence_gradient(spec, &w, &vec![0; spec.config.context + 1])
            .expect("a sequence of the configuration's length");
        let hyper = Hyper { lambda: 0, mu: 0, omega: 0 };
        Plans {
            layer: Arc::new(layer::build(spec, DEFAULT_K, &w.layers[0], &trace.forward[0], &trace.backward[0]).plan),
            head: Arc::new(head::build(spec, DEFAULT_K, &w, &trace).plan),
            update: Arc::new(update::build(DEFAULT_K, &hyper, &Default::default()).plan),
        }
    }
}
