//! Where a model's state and gradients stand in columns, and their canonical commitments.

use super::state::{commit_movement, commit_whole, same_length};
use super::{Encoding, SegmentPoints, SegmentState, StateCommitments};
use crate::arithmetic::gadgets::PortLayout;
use crate::arithmetic::tensor::Matrix;
use crate::model::{Config, Gradients, Slot, State, Weights};
use crate::segments::{head, layer, update};
use backend::curve::{F, Params as CommitmentParams, Point, PointSum};
use backend::ports::{PortError, check_height, commit_port};
use group::GroupEncoding;
use plonkish::{PortId, field};

/// Layouts of the weight ports of a model.
#[derive(Clone, Debug)]
pub struct Layouts {
    layer: PortLayout,
    head: PortLayout,
    layers: usize,
}

impl Layouts {
    /// Layouts of a configuration.
    pub fn new(config: &Config) -> Self {
        let k = config.k();
        Layouts { layer: layer::weight_layout(config, k), head: head::weight_layout(config, k), layers: config.layers }
    }

    /// Segments: layers, then the head.
    pub fn segments(&self) -> usize {
        self.layers + 1
    }

    /// Layout of a segment's weight port.
    pub fn of(&self, segment: usize) -> &PortLayout {
        if segment < self.layers { &self.layer } else { &self.head }
    }

    /// `(segment, lane group)` of each update instance, in order.
    pub fn updates(&self) -> Vec<(usize, usize)> {
        (0..self.segments()).flat_map(|s| (0..self.of(s).groups).map(move |g| (s, g))).collect()
    }

    /// A port's columns of a segment, over all lane groups, by the ports of an update's instances: `[lane group][port][column]`.
    pub fn join<T: Clone>(&self, ports: &[Vec<Vec<T>>], which: PortId, segment: usize) -> Vec<T> {
        let places = self.updates();
        let of_segment = places.iter().zip(ports).filter(|((s, _), _)| *s == segment);
        of_segment.flat_map(|(_, ports)| ports[which].iter().cloned()).collect()
    }

    /// The state that an update of `before` leaves, by the ports of its instances. `zero` is the canonical commitment of a zero
    /// column.
    pub fn state_after(
        &self,
        before: &[SegmentPoints],
        ports: &[Vec<Vec<Point>>],
        zero: &Point,
    ) -> Result<StateCommitments, PortError> {
        let encode = |points: &[Point]| -> Vec<Encoding> { points.iter().map(Point::to_bytes).collect() };
        let segment = |(segment, before): (usize, &SegmentPoints)| {
            let [w, lo] = [update::NEW_WEIGHTS, update::NEW_LOW].map(|port| self.join(ports, port, segment));
            let whole: Vec<PointSum> = before.whole().collect();
            same_length(&[&w, &lo], whole.len())?;
            let v = commit_movement(whole.into_iter(), commit_whole(&w, &lo), zero);
            let slots = Slot::SGD.into_iter().zip([encode(&lo), encode(&v)]).collect();
            Ok(SegmentState { w: encode(&w), slots })
        };
        Ok(StateCommitments { segments: before.iter().enumerate().map(segment).collect::<Result<_, _>>()? })
    }

    /// Columns of a segment's port, for any tensor-shaped part of the model.
    pub fn columns<E: Copy + Default>(
        &self,
        segment: usize,
        parameters: &crate::model::Parameters<Matrix<E>>,
    ) -> Vec<Vec<E>> {
        let tensors: Vec<&Matrix<E>> = match parameters.layers.get(segment) {
            Some(layer) => layer.fields(),
            None => [&parameters.embed, &parameters.norm_f].into_iter().chain(&parameters.head).collect(),
        };
        self.of(segment).fill(|tensor, run, column| {
            let t = tensors[tensor];
            t.data[run * t.cols + column]
        })
    }

    /// Columns of the state's ports of a segment: weights, then slots.
    pub fn state_columns(&self, segment: usize, state: &State) -> [Vec<Vec<i64>>; 3] {
        let [(_, lo), (_, v)] = state.slots();
        [&state.w, lo, v].map(|p: &Weights| self.columns(segment, p))
    }

    /// Columns of a segment's gradient port.
    pub fn gradient_columns(&self, segment: usize, gradients: &Gradients) -> Vec<Vec<i128>> {
        self.columns(segment, gradients)
    }

    /// Canonical commitments of a state.
    pub fn commit_state(&self, params: &CommitmentParams, state: &State) -> Result<StateCommitments, PortError> {
        check_height(params, self.head.usable)?;
        let commit = |columns: Vec<Vec<i64>>| -> Result<Vec<Encoding>, PortError> {
            let columns = columns.into_iter().map(|c| c.into_iter().map(|x| field(x.into())).collect::<Vec<F>>());
            let points = commit_port(params, &columns.collect::<Vec<_>>())?;
            Ok(points.iter().map(GroupEncoding::to_bytes).collect())
        };
        let segment = |segment| {
            let [w, lo, v] = self.state_columns(segment, state);
            let slots = Slot::SGD.into_iter().zip([commit(lo)?, commit(v)?]).collect();
            Ok(SegmentState { w: commit(w)?, slots })
        };
        Ok(StateCommitments { segments: (0..self.segments()).map(segment).collect::<Result<_, _>>()? })
    }

    /// Canonical commitments of a gradient, by segment.
    pub fn commit_gradients(
        &self,
        params: &CommitmentParams,
        gradients: &Gradients,
    ) -> Result<Vec<Vec<Point>>, PortError> {
        check_height(params, self.head.usable)?;
        let segment = |segment| {
            let columns = self.gradient_columns(segment, gradients).into_iter();
            let columns: Vec<Vec<F>> = columns.map(|c| c.into_iter().map(field).collect()).collect();
            commit_port(params, &columns)
        };
        (0..self.segments()).map(segment).collect()
    }
}
