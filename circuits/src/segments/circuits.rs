//! The three circuits of a model: what keys are made of, and what values fill.

use super::head::HeadValues;
use super::layer::LayerValues;
use super::update::UpdateValues;
use super::{Privacy, SegmentKind, head, layer, update};
use crate::model::Spec;
use backend::{Circuit, Plan};
use std::sync::Arc;

/// The circuits of a model's segments.
#[derive(Debug)]
pub struct Circuits {
    /// Their kind.
    pub privacy: Privacy,
    /// Layer segment.
    pub layer: Circuit<LayerValues>,
    /// Head segment.
    pub head: Circuit<HeadValues>,
    /// Update segment, the same for every model of as many rows.
    pub update: Circuit<UpdateValues>,
}

impl Circuits {
    /// Compiles the public circuits of a model. They depend on its configuration alone.
    pub fn new(spec: &Spec) -> Self {
        Self::of(spec, Privacy::Public)
    }

    /// Compiles the circuits of a kind.
    pub fn of(spec: &Spec, privacy: Privacy) -> Self {
        let k = spec.config.k();
        let (layer, head) = (layer::circuit(spec, k, privacy), head::circuit(spec, k, privacy));
        Circuits { privacy, layer, head, update: update::circuit(k, privacy) }
    }

    /// The plan of a segment.
    pub fn plan(&self, kind: SegmentKind) -> &Arc<Plan> {
        match kind {
            SegmentKind::Layer => &self.layer.plan,
            SegmentKind::Head => &self.head.plan,
            SegmentKind::Update => &self.update.plan,
        }
    }
}
