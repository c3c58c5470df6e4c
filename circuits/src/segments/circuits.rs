//! The three circuits of a model: what keys are made of, and what values fill.

use super::head::HeadValues;
use super::layer::LayerValues;
use super::update::UpdateValues;
use super::{SegmentKind, Variant, head, layer, update};
use crate::model::Spec;
use backend::{Circuit, Plan};
use std::sync::Arc;

/// The circuits of a model's segments.
#[derive(Debug)]
pub struct Circuits {
    /// Which they are.
    pub variant: Variant,
    /// Layer segment.
    pub layer: Circuit<LayerValues>,
    /// Head segment.
    pub head: Circuit<HeadValues>,
    /// Update segment, the same for every model of as many rows and an optimizer.
    pub update: Circuit<UpdateValues>,
}

impl Circuits {
    /// Compiles the public circuits of a model with SGD.
    pub fn new(spec: &Spec) -> Self {
        Self::of(spec, Variant::default())
    }

    /// Compiles the circuits of a model. They depend on its configuration and the variant alone.
    pub fn of(spec: &Spec, variant: impl Into<Variant>) -> Self {
        let variant = variant.into();
        let (k, privacy) = (spec.config.k(), variant.privacy);
        let (layer, head) = (layer::circuit(spec, k, privacy), head::circuit(spec, k, privacy));
        Circuits { variant, layer, head, update: update::circuit(k, variant) }
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
