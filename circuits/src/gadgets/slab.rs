//! A tensor's place: `runs × columns` elements, [`LANES`] of a run side by side in a row, runs one below another.

use crate::plan::{BlockId, Builder, Col, Kind, LANES, Local, PortId};

/// Most rows of one piece of a slab: taller tensors are cut, so that pieces can be packed side by side.
const PIECE_ROWS: usize = 2048;

/// Rows of blocks in which tensors of one shape stand, aligned with each other.
#[derive(Clone, Debug)]
pub struct Slab {
    /// Consecutive parts.
    pub pieces: Vec<Piece>,
    /// Number of runs (the outer dimension).
    pub runs: usize,
    /// Elements of a run (the inner dimension).
    pub columns: usize,
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
    pub lead: usize,
}

impl Slab {
    /// A new slab in blocks of its own.
    pub fn new(b: &mut Builder, room: &str, runs: usize, columns: usize) -> Self {
        assert_eq!(columns % LANES, 0, "{room}: inner dimension {columns} is no multiple of {LANES}");
        let run_rows = columns / LANES;
        let per_piece = (PIECE_ROWS / run_rows).saturating_sub(1).max(1);
        let pieces = (0..runs)
            .step_by(per_piece)
            .map(|first| {
                let here = per_piece.min(runs - first);
                let lead = if first == 0 { 0 } else { run_rows };
                Piece { block: b.block(room, lead + here * run_rows), first, runs: here, lead }
            })
            .collect();
        Slab { pieces, runs, columns }
    }

    /// A slab over pieces of a port: `(row, first run, runs, lead)`.
    pub fn over(
        b: &mut Builder,
        room: &str,
        runs: usize,
        columns: usize,
        places: impl IntoIterator<Item = (usize, usize, usize, usize)>,
    ) -> Self {
        let run_rows = columns / LANES;
        let pieces = places
            .into_iter()
            .map(|(row, first, here, lead)| Piece {
                block: b.block_at(room, row - lead, lead + here * run_rows),
                first,
                runs: here,
                lead,
            })
            .collect();
        Slab { pieces, runs, columns }
    }

    /// Rows of one run.
    pub fn run_rows(&self) -> usize {
        self.columns / LANES
    }

    /// Row of a run's first elements in its piece.
    pub fn row(&self, piece: &Piece, run: usize) -> usize {
        piece.lead + (run - piece.first) * self.run_rows()
    }

    /// Rows of a piece that hold elements.
    pub fn data(&self, piece: &Piece) -> std::ops::Range<usize> {
        piece.lead..piece.lead + piece.runs * self.run_rows()
    }

    /// Rows of a piece that hold elements, but for the last row of each run.
    pub fn inside(&self, piece: &Piece) -> Vec<usize> {
        let run_rows = self.run_rows();
        self.data(piece).filter(|r| (r - piece.lead + 1) % run_rows != 0).collect()
    }

    /// First rows of the runs of a piece.
    pub fn starts(&self, piece: &Piece) -> Vec<usize> {
        self.data(piece).step_by(self.run_rows()).collect()
    }

    /// Last row of a run, with its block.
    pub fn end(&self, run: usize) -> (BlockId, usize) {
        let piece = self.piece_of(run);
        (piece.block, self.row(piece, run) + self.run_rows() - 1)
    }

    /// The piece that holds a run.
    pub fn piece_of(&self, run: usize) -> &Piece {
        self.pieces.iter().find(|p| run < p.first + p.runs).expect("a run of the slab")
    }

    /// Block, row and lane of an element.
    pub fn position(&self, run: usize, column: usize) -> (BlockId, usize, usize) {
        let piece = self.piece_of(run);
        (piece.block, self.row(piece, run) + column / LANES, column % LANES)
    }

    /// One new column in each piece.
    pub fn column(&self, b: &mut Builder, kind: Kind, name: &str) -> Vec<Col> {
        self.pieces.iter().map(|p| b.column(p.block, kind, name)).collect()
    }

    /// One new column per lane in each piece.
    pub fn lanes(&self, b: &mut Builder, kind: Kind, name: &str) -> Vec<[Col; LANES]> {
        self.pieces
            .iter()
            .map(|p| std::array::from_fn(|lane| b.column(p.block, kind, &format!("{name}{lane}"))))
            .collect()
    }

    /// Sets every element of lane columns.
    pub fn fill(&self, b: &mut Builder, lanes: &[[Col; LANES]], value: impl Fn(usize, usize) -> i128) {
        for (piece, lanes) in self.pieces.iter().zip(lanes) {
            for run in piece.first..piece.first + piece.runs {
                let row = self.row(piece, run);
                for column in 0..self.columns {
                    b.set(piece.block, lanes[column % LANES], row + column / LANES, value(run, column));
                }
            }
        }
    }

    /// A new unchecked column per lane, filled: cells that other constraints must determine.
    pub fn hints(&self, b: &mut Builder, name: &str, value: impl Fn(usize, usize) -> i128) -> Placed {
        let lanes = self.lanes(b, Kind::Hint, name);
        self.fill(b, &lanes, value);
        self.placed(&lanes)
    }

    /// New constants of the circuit, one per element.
    pub fn constants(&self, b: &mut Builder, name: &str, value: impl Fn(usize, usize) -> i128) -> Placed {
        let lanes = self.lanes(b, Kind::Fixed, name);
        self.fill(b, &lanes, value);
        self.placed(&lanes)
    }

    /// A new column with one value per run on each of its rows, tied together within the run.
    pub fn per_run(&self, b: &mut Builder, name: &str, value: impl Fn(usize) -> i128) -> Vec<Col> {
        let columns = self.column(b, Kind::Wire, name);
        for (piece, &column) in self.pieces.iter().zip(&columns) {
            for run in piece.first..piece.first + piece.runs {
                let row = self.row(piece, run);
                for r in row..row + self.run_rows() {
                    b.set(piece.block, column, r, value(run));
                }
            }
            b.gate(
                piece.block,
                &format!("{name} is the same along a run"),
                column.cur() - column.at(1),
                self.inside(piece),
            );
        }
        columns
    }

    /// A new column that adds up `term` (per piece) along each run, in phase 1. The sum of run `t` is in the cell on the
    /// run's last row.
    pub fn running_sum(&self, b: &mut Builder, name: &str, term: &[Local]) -> Vec<Col> {
        let columns = self.column(b, Kind::Wire, name);
        for ((piece, &column), term) in self.pieces.iter().zip(&columns).zip(term) {
            let starts = self.starts(piece);
            let rest: Vec<usize> = self.data(piece).filter(|r| !starts.contains(r)).collect();
            b.define(piece.block, &format!("{name} begins a run"), column, term.clone(), starts);
            b.define(piece.block, &format!("{name} adds up a run"), column, column.at(-1) + term.clone(), rest);
        }
        columns
    }

    /// The tensor whose elements are the cells of lane columns.
    pub fn placed(&self, lanes: &[[Col; LANES]]) -> Placed {
        Placed { slab: self.clone(), lanes: lanes.iter().map(|l| l.map(Col::cur)).collect() }
    }

    /// A tensor by an expression per piece and lane.
    pub fn expressions(&self, lane: impl Fn(usize, usize) -> Local) -> Placed {
        let lanes = (0..self.pieces.len()).map(|p| std::array::from_fn(|l| lane(p, l))).collect();
        Placed { slab: self.clone(), lanes }
    }

    /// Requires `poly(piece, lane) = 0` on every row of elements.
    pub fn gate(&self, b: &mut Builder, name: &str, poly: impl Fn(usize, usize) -> Local) {
        for (p, piece) in self.pieces.iter().enumerate() {
            for lane in 0..LANES {
                b.gate(piece.block, name, poly(p, lane), self.data(piece));
            }
        }
    }

    /// The columns of port lanes under each piece, `groups[piece]` being its lane group.
    pub fn port_lanes(&self, b: &mut Builder, port: PortId, groups: &[usize], name: &str) -> Vec<[Col; LANES]> {
        self.pieces.iter().zip(groups).map(|(p, &group)| b.port_lanes(p.block, port, group, name)).collect()
    }
}

/// A tensor that stands in a slab: one expression per piece and lane.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Where.
    pub slab: Slab,
    /// `lanes[piece][lane]`.
    pub lanes: Vec<[Local; LANES]>,
}

impl Placed {
    /// Element-wise expression of this tensor and others of the same slab.
    pub fn map(&self, f: impl Fn(Local) -> Local) -> Placed {
        Placed { slab: self.slab.clone(), lanes: self.lanes.iter().map(|l| l.clone().map(&f)).collect() }
    }

    /// Element-wise expression of two tensors of the same slab.
    pub fn zip(&self, other: &Placed, f: impl Fn(Local, Local) -> Local) -> Placed {
        let lanes = self
            .lanes
            .iter()
            .zip(&other.lanes)
            .map(|(a, b)| std::array::from_fn(|l| f(a[l].clone(), b[l].clone())))
            .collect();
        Placed { slab: self.slab.clone(), lanes }
    }

    /// The same cells as runs of `1/parts` the length: `[t × (parts·c)]` seen as `[(t·parts) × c]`.
    pub fn split(&self, parts: usize) -> Placed {
        let pieces = self
            .slab
            .pieces
            .iter()
            .map(|p| Piece { block: p.block, first: p.first * parts, runs: p.runs * parts, lead: p.lead })
            .collect();
        let slab = Slab { pieces, runs: self.slab.runs * parts, columns: self.slab.columns / parts };
        Placed { slab, lanes: self.lanes.clone() }
    }

    /// Expression of one lane of one piece.
    pub fn lane(&self, piece: usize, lane: usize) -> Local {
        self.lanes[piece][lane].clone()
    }
}

