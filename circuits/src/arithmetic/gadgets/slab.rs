//! A tensor's place: `runs × columns` elements, some (the *lanes*) of a run side by side in a row, runs one below another.

use backend::{Builder, Local};
use plonkish::{BlockId, Cell, Col, Declared, Kind, LANES, PortId};
use std::sync::Arc;

/// Rows of blocks in which tensors of one shape stand, aligned with each other.
#[derive(Clone, Debug)]
pub struct Slab {
    /// Consecutive parts.
    pub pieces: Vec<Piece>,
    /// Number of runs (the outer dimension).
    pub runs: usize,
    /// Elements of a run (the inner dimension), a multiple of the lanes.
    pub columns: usize,
    /// Elements side by side in a row: 1, 2 or 4. More lanes make projections cheaper and blocks wider.
    pub lanes: usize,
}

/// Part of a slab: some runs in one block.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// The block.
    pub block: BlockId,
    /// First run.
    pub first: usize,
    /// Number of runs.
    pub runs: usize,
    /// Rows before the first run: one run's worth, for carrying an outer projection over from the piece before.
    pub carry: usize,
}

impl Slab {
    /// A new slab in blocks of its own.
    pub fn new<V>(b: &mut Builder<V>, op: &str, runs: usize, columns: usize) -> Self {
        let lanes = LANES;
        assert_eq!(columns % lanes, 0, "{op}: inner dimension {columns} is no multiple of {lanes}");
        let run_rows = columns / lanes;
        // What fits one column is cut into halves of one, so that any two pieces fill it; a taller tensor into whole columns.
        let column = b.usable();
        let rows = if runs * run_rows <= column { column / 2 } else { column };
        let most = (rows / run_rows).max(2);
        let (mut pieces, mut first) = (vec![], 0);
        while first < runs {
            let carry = if first == 0 { 0 } else { run_rows };
            let here = (runs - first).min(most - usize::from(first != 0));
            pieces.push(Piece { block: b.block(op, carry + here * run_rows), first, runs: here, carry });
            first += here;
        }
        Slab { pieces, runs, columns, lanes }
    }

    /// A slab over pieces of a port: `(row, first run, runs, carry)`.
    pub fn over<V>(
        b: &mut Builder<V>,
        op: &str,
        runs: usize,
        columns: usize,
        places: impl IntoIterator<Item = (usize, usize, usize, usize)>,
    ) -> Self {
        let run_rows = columns / LANES;
        let pieces = places
            .into_iter()
            .map(|(row, first, here, carry)| Piece {
                block: b.block_at(op, row - carry, carry + here * run_rows),
                first,
                runs: here,
                carry,
            })
            .collect();
        Slab { pieces, runs, columns, lanes: LANES }
    }

    /// Rows of one run.
    pub fn run_rows(&self) -> usize {
        self.columns / self.lanes
    }

    /// Row of a run's first elements in its piece.
    pub fn row(&self, piece: &Piece, run: usize) -> usize {
        piece.carry + (run - piece.first) * self.run_rows()
    }

    /// Rows of a piece that hold elements.
    pub fn data(&self, piece: &Piece) -> std::ops::Range<usize> {
        piece.carry..piece.carry + piece.runs * self.run_rows()
    }

    /// Rows of a piece that hold elements, but for the last row of each run.
    pub fn inside(&self, piece: &Piece) -> Vec<usize> {
        let run_rows = self.run_rows();
        self.data(piece).filter(|r| !(r - piece.carry + 1).is_multiple_of(run_rows)).collect()
    }

    /// First rows of the runs of a piece.
    pub fn starts(&self, piece: &Piece) -> Vec<usize> {
        self.data(piece).step_by(self.run_rows()).collect()
    }

    /// Last rows of the runs of a piece.
    pub fn ends(&self, piece: &Piece) -> Vec<usize> {
        self.starts(piece).into_iter().map(|row| row + self.run_rows() - 1).collect()
    }

    /// The cell on the last row of a run, in a column per piece.
    pub fn end<V>(&self, b: &Builder<V>, columns: &[Col], run: usize) -> Cell {
        let index = self.pieces.iter().position(|p| run < p.first + p.runs).expect("a run of the slab");
        let piece = &self.pieces[index];
        b.cell(piece.block, columns[index], self.row(piece, run) + self.run_rows() - 1)
    }

    /// The piece that holds a run.
    pub fn piece_of(&self, run: usize) -> &Piece {
        self.pieces.iter().find(|p| run < p.first + p.runs).expect("a run of the slab")
    }

    /// Block, row and lane of an element.
    pub fn position(&self, run: usize, column: usize) -> (BlockId, usize, usize) {
        let piece = self.piece_of(run);
        (piece.block, self.row(piece, run) + column / self.lanes, column % self.lanes)
    }

    /// One new column in each piece.
    pub fn column<V>(&self, b: &mut Builder<V>, kind: Kind, name: &str) -> Vec<Col> {
        self.pieces.iter().map(|p| b.column(p.block, kind, name)).collect()
    }

    /// One new column per lane in each piece.
    pub fn lane_columns<V>(&self, b: &mut Builder<V>, kind: Kind, name: &str) -> Vec<Vec<Col>> {
        let lanes = |p: &Piece| (0..self.lanes).map(|lane| b.column(p.block, kind, &format!("{name}{lane}"))).collect();
        self.pieces.iter().map(lanes).collect()
    }

    /// Run and column of the element of a lane on a row of a piece.
    pub fn element(&self, piece: &Piece, row: usize, lane: usize) -> (usize, usize) {
        let offset = row - piece.carry;
        (piece.first + offset / self.run_rows(), (offset % self.run_rows()) * self.lanes + lane)
    }

    /// Assigns every element of lane columns from the values.
    pub fn fill<V: 'static>(
        &self,
        b: &mut Builder<V>,
        lanes: &[Vec<Col>],
        value: impl Fn(&V, usize, usize) -> i128 + Send + Sync + 'static,
    ) {
        let value = Arc::new(value);
        for (&piece, lanes) in self.pieces.iter().zip(lanes) {
            let (value, lanes, columns, run_rows) = (value.clone(), lanes.clone(), self.columns, self.run_rows());
            b.assign(piece.block, move |values, cells| {
                for run in 0..piece.runs {
                    let row = piece.carry + run * run_rows;
                    for column in 0..columns {
                        let (lane, row) = (lanes[column % lanes.len()], row + column / lanes.len());
                        cells.set(lane, row, value(values, piece.first + run, column));
                    }
                }
            });
        }
    }

    /// A new unchecked column per lane, filled: cells that other constraints must determine. Where they lie is declared,
    /// unless a gate will show it.
    pub fn unchecked<V: 'static>(
        &self,
        b: &mut Builder<V>,
        name: &str,
        declared: Option<Declared>,
        value: impl Fn(&V, usize, usize) -> i128 + Send + Sync + 'static,
    ) -> Placed {
        let lanes = self.lane_columns(b, Kind::Unchecked, name);
        if let Some(declared) = declared {
            self.declare(b, &lanes, declared);
        }
        self.fill(b, &lanes, value);
        self.placed(&lanes)
    }

    /// Declares where the cells of lane columns lie.
    pub fn declare<V>(&self, b: &mut Builder<V>, lanes: &[Vec<Col>], declared: Declared) {
        for (piece, lanes) in self.pieces.iter().zip(lanes) {
            for &column in lanes {
                b.declare(piece.block, column, declared);
            }
        }
    }

    /// New constants of the circuit, one per element.
    pub fn constants<V>(&self, b: &mut Builder<V>, name: &str, value: impl Fn(usize, usize) -> i128) -> Placed {
        let lanes = self.lane_columns(b, Kind::Fixed, name);
        for (piece, lanes) in self.pieces.iter().zip(&lanes) {
            for row in self.data(piece) {
                for (lane, &cells) in lanes.iter().enumerate() {
                    let (run, column) = self.element(piece, row, lane);
                    b.set(piece.block, cells, row, value(run, column));
                }
            }
        }
        self.placed(&lanes)
    }

    /// A new column with one value per run on each of its rows, tied together within the run; where the values lie is
    /// declared, if it is known.
    #[track_caller]
    pub fn per_run<V: 'static>(
        &self,
        b: &mut Builder<V>,
        name: &str,
        declared: Option<Declared>,
        value: impl Fn(&V, usize) -> i128 + Send + Sync + 'static,
    ) -> Vec<Col> {
        let value = Arc::new(value);
        let columns = self.column(b, Kind::Copyable, name);
        for (piece, &column) in self.pieces.iter().zip(&columns) {
            if let Some(declared) = declared {
                b.declare(piece.block, column, declared);
            }
            let (value, piece, run_rows) = (value.clone(), *piece, self.run_rows());
            b.assign(piece.block, move |values, cells| {
                for run in 0..piece.runs {
                    let value = value(values, piece.first + run);
                    (0..run_rows).for_each(|row| cells.set(column, piece.carry + run * run_rows + row, value));
                }
            });
            b.gate(
                piece.block,
                &format!("{name} is the same along a run"),
                column.cur() - column.at(1),
                self.inside(&piece),
            );
        }
        columns
    }

    /// A new column that adds up `term` (per piece) along each run, in phase 1. The sum of run `t` is in the cell on the
    /// run's last row.
    #[track_caller]
    pub fn running_sum<V>(&self, b: &mut Builder<V>, name: &str, term: &[Local]) -> Vec<Col> {
        let columns = self.column(b, Kind::Copyable, name);
        for ((piece, &column), term) in self.pieces.iter().zip(&columns).zip(term) {
            let starts = self.starts(piece);
            let rest: Vec<usize> = self.data(piece).filter(|r| !starts.contains(r)).collect();
            b.define(piece.block, &format!("{name} begins a run"), column, term.clone(), starts);
            b.define(piece.block, &format!("{name} adds up a run"), column, column.at(-1) + term.clone(), rest);
        }
        columns
    }

    /// The tensor whose elements are the cells of lane columns.
    pub fn placed(&self, lanes: &[Vec<Col>]) -> Placed {
        Placed { slab: self.clone(), lanes: lanes.iter().map(|l| l.iter().map(|c| c.cur()).collect()).collect() }
    }

    /// A tensor by an expression per piece and lane.
    pub fn expressions(&self, lane: impl Fn(usize, usize) -> Local) -> Placed {
        let lanes = (0..self.pieces.len()).map(|p| (0..self.lanes).map(|l| lane(p, l)).collect()).collect();
        Placed { slab: self.clone(), lanes }
    }

    /// Requires `poly(piece, lane) = 0` on every row of elements.
    #[track_caller]
    pub fn gate<V>(&self, b: &mut Builder<V>, name: &str, poly: impl Fn(usize, usize) -> Local) {
        for (p, piece) in self.pieces.iter().enumerate() {
            for lane in 0..self.lanes {
                b.gate(piece.block, name, poly(p, lane), self.data(piece));
            }
        }
    }

    /// As [`Self::gate`], where the constraint determines the elements of `of`, which are cells: see
    /// [`Builder::determine`].
    #[track_caller]
    pub fn determine<V>(&self, b: &mut Builder<V>, name: &str, of: &Placed, poly: impl Fn(usize, usize) -> Local) {
        for (p, piece) in self.pieces.iter().enumerate() {
            for lane in 0..self.lanes {
                b.determine(piece.block, name, &of.lane(p, lane), poly(p, lane), self.data(piece));
            }
        }
    }

    /// The columns of port lanes under each piece, `groups[piece]` being its lane group, and where their cells lie.
    pub fn port_lanes<V>(
        &self,
        b: &mut Builder<V>,
        port: PortId,
        groups: &[usize],
        (name, declared): (&str, Declared),
    ) -> Vec<Vec<Col>> {
        let lanes: Vec<Vec<Col>> = self
            .pieces
            .iter()
            .zip(groups)
            .map(|(p, &group)| b.port_lanes(p.block, port, group, name).to_vec())
            .collect();
        for (piece, lanes) in self.pieces.iter().zip(&lanes) {
            lanes.iter().for_each(|&column| b.carries_data(piece.block, column, self.data(piece)));
        }
        self.declare(b, &lanes, declared);
        lanes
    }
}

/// A tensor that stands in a slab: one expression per piece and lane.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Where.
    pub slab: Slab,
    /// `lanes[piece][lane]`.
    pub lanes: Vec<Vec<Local>>,
}

impl Placed {
    /// Element-wise expression of this tensor and others of the same slab.
    pub fn map(&self, f: impl Fn(Local) -> Local) -> Placed {
        Placed {
            slab: self.slab.clone(),
            lanes: self.lanes.iter().map(|l| l.iter().cloned().map(&f).collect()).collect(),
        }
    }

    /// Element-wise expression of two tensors of the same slab.
    pub fn zip(&self, other: &Placed, f: impl Fn(Local, Local) -> Local) -> Placed {
        let lanes = self
            .lanes
            .iter()
            .zip(&other.lanes)
            .map(|(a, b)| a.iter().zip(b).map(|(a, b)| f(a.clone(), b.clone())).collect())
            .collect();
        Placed { slab: self.slab.clone(), lanes }
    }

    /// The same cells as runs of `1/parts` the length: `[t × (parts·c)]` seen as `[(t·parts) × c]`.
    pub fn split(&self, parts: usize) -> Placed {
        let pieces = self
            .slab
            .pieces
            .iter()
            .map(|p| Piece { block: p.block, first: p.first * parts, runs: p.runs * parts, carry: p.carry })
            .collect();
        let slab =
            Slab { pieces, runs: self.slab.runs * parts, columns: self.slab.columns / parts, lanes: self.slab.lanes };
        Placed { slab, lanes: self.lanes.clone() }
    }

    /// For each piece the sum over its lanes of an expression of (piece, lane).
    pub fn row_sums(slab: &Slab, f: impl Fn(usize, usize) -> Local) -> Vec<Local> {
        (0..slab.pieces.len()).map(|p| Local::sum((0..slab.lanes).map(|l| f(p, l)))).collect()
    }

    /// Expression of one lane of one piece.
    pub fn lane(&self, piece: usize, lane: usize) -> Local {
        self.lanes[piece][lane].clone()
    }
}
