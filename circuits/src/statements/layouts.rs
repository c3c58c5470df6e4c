//! Where a model's state and gradients stand in columns, and their canonical commitments.

use super::state::{commit_movement, commit_whole, same_length};
use super::{Encoding, SegmentPoints, SegmentState, StateCommitments};
use crate::arithmetic::gadgets::PortLayout;
use crate::arithmetic::tensor::Matrix;
use crate::model::{Config, Gradients, Moments, Slot, SquareSum, State, UpdateKind, Weights};
use crate::segments::{UpdatePort, head, layer, update};
use backend::curve::{F, Params as CommitmentParams, Point, PointSum};
use backend::ports::{PortError, check_height, commit_port};
use group::GroupEncoding;
use plonkish::{LANES, PortId, field};
use std::collections::BTreeMap;

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

    /// The state that an update of `before` leaves, by the ports of its instances. `zero` is the canonical commitment
    /// of a zero column.
    pub fn state_after(
        &self,
        kind: UpdateKind,
        before: &[SegmentPoints],
        ports: &[Vec<Vec<Point>>],
        zero: &Point,
    ) -> Result<StateCommitments, PortError> {
        let encode = |points: &[Point]| -> Vec<Encoding> { points.iter().map(Point::to_bytes).collect() };
        let segment = |(segment, before): (usize, &SegmentPoints)| {
            let new = |which| update::port(kind, which).map(|port| self.join(ports, port, segment));
            let w = new(UpdatePort::NewWeights).unwrap_or_default();
            let whole: Vec<PointSum> = before.whole().collect();
            same_length(&[&w], whole.len())?;
            let mut slots = BTreeMap::new();
            for &slot in kind.optimizer().slots() {
                let points = new(UpdatePort::NewSlot(slot)).unwrap_or_else(|| {
                    // A movement is the difference of two weights.
                    let lo = new(UpdatePort::NewSlot(Slot::Low)).unwrap_or_default();
                    commit_movement(whole.iter().copied(), commit_whole(&w, &lo), zero)
                });
                same_length(&[&points], whole.len())?;
                slots.insert(slot, encode(&points));
            }
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

    /// Columns of the state's ports of a segment: weights, then slots in their order.
    pub fn state_columns(&self, segment: usize, state: &State) -> Vec<Vec<Vec<i128>>> {
        let of = |weights: &Weights| widened(self.columns(segment, weights));
        let mut all = vec![of(&state.w), of(&state.lo)];
        match &state.moments {
            Moments::Sgd { movement } => all.push(of(movement)),
            Moments::AdamW { first, second } => all.extend([of(first), self.columns(segment, second)]),
        }
        all
    }

    /// Columns of a segment's gradient port.
    pub fn gradient_columns(&self, segment: usize, gradients: &Gradients) -> Vec<Vec<i128>> {
        self.columns(segment, gradients)
    }

    /// The sums of squares of a gradient, by instance of an update.
    pub fn squares(&self, gradients: &Gradients) -> Vec<SquareSum> {
        let of_segment = |segment| {
            let columns = self.gradient_columns(segment, gradients);
            columns.chunks(LANES).map(|lanes| SquareSum::of(lanes.iter().flatten().copied())).collect::<Vec<_>>()
        };
        (0..self.segments()).flat_map(of_segment).collect()
    }

    /// Canonical commitments of a state.
    pub fn commit_state(&self, params: &CommitmentParams, state: &State) -> Result<StateCommitments, PortError> {
        check_height(params, self.head.usable)?;
        let commit = |columns: Vec<Vec<i128>>| -> Result<Vec<Encoding>, PortError> {
            let columns = columns.into_iter().map(|c| c.into_iter().map(field).collect::<Vec<F>>());
            let points = commit_port(params, &columns.collect::<Vec<_>>())?;
            Ok(points.iter().map(GroupEncoding::to_bytes).collect())
        };
        let segment = |segment| {
            let ports = self.state_columns(segment, state).into_iter().map(&commit);
            Ok(SegmentState::of(state.moments.kind(), ports.collect::<Result<_, _>>()?))
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

fn widened(columns: Vec<Vec<i64>>) -> Vec<Vec<i128>> {
    columns.into_iter().map(|column| column.into_iter().map(i128::from).collect()).collect()
}
