//! `audit`: what the circuits are made of, and whether any of their cells is free.

mod audited;
mod cost;
mod html;
#[cfg(feature = "lean")]
mod lean;

use crate::error::CliError;
use crate::files;
use crate::format::{bytes, hex, plural};
use crate::model_choice::ModelChoice;
use crate::training_args::OptimizerName;
use crate::ui::{Output, Ui};
use audit::{Choice, Findings, Forge, Report};
use audited::{Audited, ReadmeOf, Sample};
use backend::curve::{CIRCUIT_VERSION, F, Params};
use backend::keys::{KeyError, VerifyingKey};
use backend::{Plan, Witness};
use circuits::model::{Config, Spec, State, Token, UpdateKind, public_loss, sequence_gradient};
use circuits::ops::{adamw, sgd};
use circuits::segments::head::HeadValues;
use circuits::segments::layer::LayerValues;
use circuits::segments::update::UpdateValues;
use circuits::segments::{Circuits, Privacy, SegmentKind, Variant, update};
use plonkish::LANES;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Subcommand>,
    #[command(flatten)]
    model: ModelChoice,
    /// The circuits of private runs
    #[arg(long)]
    private: bool,
    /// The circuits of runs with this optimizer [default: sgd]
    #[arg(long, value_enum, default_value_t, hide_default_value = true)]
    optimizer: OptimizerName,
    /// Of a run that clips gradients, as those of adamw always do
    #[arg(long)]
    clip: bool,
    /// Only this circuit
    #[arg(long, value_name = "CIRCUIT", value_parser = SegmentKind::ALL.map(SegmentKind::name), conflicts_with = "cost")]
    circuit: Option<String>,
    /// Write a page to read or print: the grid, every gate as an equation, ports, lookups, ranges, what is free. A page per
    /// circuit: without --circuit, the circuit's name is put before the file's extension (a.html: a-layer.html, a-head.html,
    /// a-update.html). No file is replaced. --json has the same for machines
    #[arg(long, value_name = "FILE", conflicts_with = "cost")]
    html: Option<PathBuf>,
    /// Prove one instance, and write what halo2's verifier makes of it as a Lean file: key, proof, challenges and sum of points,
    /// with theorems for halo2's formal model of the verifier. A file per circuit, named as with --html. No file is replaced
    #[cfg(feature = "lean")]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cost", "html", "forge"])]
    lean: Option<PathBuf>,
    /// What the circuits cost, as far as it follows from them alone: columns, cells, lookups, points and bytes, by circuit and
    /// op, and of a step of batch 1
    #[arg(long, conflicts_with = "forge")]
    cost: bool,
    /// Search for unconstrained cells: perturb a sample of each circuit's cells one by one and in consistent pairs.
    /// Lists what is not clean, and ends with a verdict
    #[arg(long)]
    forge: bool,
    /// With the search, also list what the circuits consist of
    #[arg(long, requires = "forge")]
    all: bool,
    /// Cells of each circuit to perturb; 0 for all
    #[arg(long, value_name = "N", default_value_t = 300, requires = "forge")]
    cells: usize,
    /// Seed of the sample
    #[arg(long, default_value_t = 1, requires = "forge")]
    seed: u64,
}

/// What else can be asked of circuits.
#[derive(clap::Subcommand)]
enum Subcommand {
    /// Compare what circuits cost, between configurations or with what another version wrote
    Diff(cost::DiffArgs),
}

/// A circuit with honest values of one instance.
struct Subject {
    variant: Variant,
    kind: SegmentKind,
    plan: Arc<Plan>,
    witness: Witness,
    publics: Vec<F>,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    if let Some(Subcommand::Diff(args)) = &args.command {
        return cost::diff(args);
    }
    let config = args.model.config()?;
    let privacy = if args.private { Privacy::Private } else { Privacy::Public };
    let variant = Variant { privacy, update: args.optimizer.update(args.clip) };
    if args.cost {
        let costs = cost::of(config, variant)?;
        return Ok(Output {
            text: cost::text(&costs),
            json: json!({ "ok": true, "costs": { args.model.name(): costs } }),
        });
    }
    let chosen = |kind: &SegmentKind| args.circuit.as_ref().is_none_or(|name| name == kind.name());
    let kinds: Vec<SegmentKind> = SegmentKind::ALL.into_iter().filter(chosen).collect();
    #[cfg(feature = "lean")]
    if let Some(file) = &args.lean {
        return write_lean(file, &args.model.name(), (variant, config), &kinds, ui);
    }
    let pages = args.html.as_deref().map_or(Ok(vec![]), |file| pages(file, &kinds))?;
    let params = ui.params(&config)?;
    let choice = args.forge.then_some(match args.cells {
        0 => Choice::All,
        n => Choice::Sample(n, args.seed),
    });
    let audited = subjects(variant, config)?
        .into_iter()
        .filter(|subject| kinds.contains(&subject.kind))
        .map(|subject| Ok(Audited { model: args.model.name(), ..audit(&params, subject, choice.as_ref(), ui)? }))
        .collect::<Result<Vec<_>, CliError>>()?;
    let mut text = text(&audited, args.all || !args.forge && args.html.is_none());
    // Also of circuits with holes.
    for (audited, file) in audited.iter().zip(&pages) {
        let page = html::page(audited);
        files::write(file, page.as_bytes(), false)?;
        let _ = write!(text, "\n{}: {}, {}", audited.circuit, file.display(), bytes(page.len() as u64));
    }
    let text = text.trim_start().to_owned();
    let holes = audited.iter().filter_map(|a| a.findings.as_ref()).map(Findings::holes).sum();
    let mut report = json!({ "circuits": audited });
    if !pages.is_empty() {
        report["pages"] = pages.iter().map(|file| file.display().to_string()).collect();
    }
    if holes > 0 {
        ui.say(&text);
        return Err(CliError::Free { holes, report });
    }
    report["ok"] = true.into();
    Ok(Output { text, json: report })
}

#[cfg(feature = "lean")]
fn write_lean(
    file: &Path,
    model: &str,
    (variant, config): (Variant, Config),
    kinds: &[SegmentKind],
    ui: &Ui,
) -> Result<Output, CliError> {
    let (files, params) = (pages(file, kinds)?, ui.params(&config)?);
    let subjects = subjects(variant, config)?.into_iter().filter(|subject| kinds.contains(&subject.kind));
    let (mut lines, mut written) = (vec![], vec![]);
    for (subject, file) in subjects.zip(files) {
        let name = subject.kind.name();
        let fixture = {
            let _spinner = ui.spinner(&format!("{name} circuit"));
            lean::fixture(&params, &subject, model)?
        };
        files::write(&file, fixture.as_bytes(), false)?;
        lines.push(format!("{name}: {}, {}", file.display(), bytes(fixture.len() as u64)));
        written.push(file.display().to_string());
    }
    Ok(Output { text: lines.join("\n"), json: json!({ "ok": true, "files": written }) })
}

/// The files of the circuits' pages, none of which is there; their folder is.
fn pages(file: &Path, kinds: &[SegmentKind]) -> Result<Vec<PathBuf>, CliError> {
    let name = |kind: &SegmentKind| {
        let mut name = file.file_stem().unwrap_or_default().to_owned();
        name.push(format!("-{}", kind.name()));
        if let Some(extension) = file.extension() {
            name.push(".");
            name.push(extension);
        }
        file.with_file_name(name)
    };
    let pages = if let [_] = kinds { vec![file.to_owned()] } else { kinds.iter().map(name).collect() };
    if let Some(file) = pages.iter().find(|file| file.exists()) {
        return Err(CliError::Usage(format!("{} already exists", file.display())));
    }
    if let Some(dir) = file.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        files::create_dir(dir)?;
    }
    Ok(pages)
}

/// One layer, the head and an update, with the values of a first training step.
fn subjects(variant: Variant, config: Config) -> Result<Vec<Subject>, CliError> {
    let spec = Spec::new(config);
    let state = State::init(&spec.config, 1);
    let vocab = spec.config.vocab;
    let sequence: Vec<Token> =
        (0..=spec.config.context).map(|i| ((i * i * 31 + 7 * i + 13) % vocab) as Token).collect();
    let trace = sequence_gradient(&spec, &state.w, &sequence).expect("a sequence of the configuration");
    let loss = public_loss(trace.loss())?;
    let values = update_values(variant.update);
    let of_update = values.publics(variant);
    let circuits = Circuits::of(&spec, variant);
    let witnesses = [
        circuits.layer.fill(&LayerValues::of(&state.w, &trace, 0))?,
        circuits.head.fill(&HeadValues::of(&state.w, &trace))?,
        circuits.update.fill(&values)?,
    ];
    let of_head = match variant.privacy {
        Privacy::Public => vec![F::from(loss)],
        Privacy::Private => vec![],
    };
    let publics = [vec![], of_head, of_update];
    let subject = |((kind, witness), publics): ((SegmentKind, Witness), Vec<F>)| {
        let plan = circuits.plan(kind).clone();
        Subject { variant, kind, plan, witness, publics }
    };
    Ok(SegmentKind::ALL.into_iter().zip(witnesses).zip(publics).map(subject).collect())
}

/// Values of all sizes.
fn update_values(kind: UpdateKind) -> UpdateValues {
    let value = |i: i64, lane: usize| (i * 7919 + lane as i64 * 104_729) % 60_000 - 30_000;
    let gradient = |i: i64, lane: usize| i128::from(value(i, lane)) << (i % 40);
    let lanes = |at: &dyn Fn(i64, usize) -> i128| -> [Vec<i128>; LANES] {
        std::array::from_fn(|lane| (0..4000).map(|i| at(i, lane)).collect())
    };
    match kind {
        UpdateKind::Sgd | UpdateKind::ClippedSgd => {
            let hyper = sgd::Hyper { lambda: 1 << 28, mu: 61_847_529_062, omega: 1 << 20 };
            let x = |i: i64, lane: usize| {
                let value = value(i, lane);
                let element = sgd::Element { w: value, lo: value.rem_euclid(1 << 24), v: value << 25 };
                sgd::dividend(&hyper, &element, gradient(i, lane)).expect("128 bits hold it")
            };
            let entering = [lanes(&x), lanes(&gradient)].into_iter().take(update::entering(kind).len()).collect();
            UpdateValues { integers: vec![], entering }
        }
        UpdateKind::AdamW => {
            // A rate of 0.001, usual decays, the first steps.
            let integers = adamw::Integers {
                eta: 28 << 20,
                epsilon: 7,
                beta1: 15_099_495,
                share1: 1_677_721,
                beta2: 16_760_439,
                share2: 16_777,
                rounding: 0,
            };
            let hyper = adamw::Hyper { gamma: 1 << 25, omega: 167, integers };
            let entering = |i: i64, lane: usize| {
                let (w, first) = (value(i, lane), value(i + 1, lane) << (i % 18));
                let (lo, second) = (w.rem_euclid(1 << 24), i128::from(first).pow(2) * i128::from(i % 5));
                let element = adamw::Element { w, lo, first, second };
                adamw::entering(&hyper, &element, gradient(i, lane) >> 16)
            };
            let entering = vec![
                lanes(&|i, lane| entering(i, lane).gradient),
                lanes(&|i, lane| entering(i, lane).decayed),
                lanes(&|i, lane| entering(i, lane).first),
                lanes(&|i, lane| entering(i, lane).second),
            ];
            UpdateValues { integers: integers.list().to_vec(), entering }
        }
    }
}

fn audit(params: &Params, subject: Subject, choice: Option<&Choice>, ui: &Ui) -> Result<Audited, CliError> {
    let Subject { variant, kind, plan, witness, publics } = subject;
    let name = kind.name();
    let spinner = ui.spinner(&format!("{name} circuit"));
    let key = VerifyingKey::with_publics(params, &plan, kind.publics(variant))?;
    let margins = plan.check_bounds().map_err(KeyError::from)?;
    let forge = choice.map(|choice| Ok((choice, Forge::new(&plan, witness, &publics, &kind.roles(variant))?)));
    let forge = forge.transpose().map_err(CliError::Audit)?;
    drop(spinner);
    let findings = forge.map(|(choice, forge)| {
        let bar = ui.bar(0, 0, "{prefix} [{bar:30}] {pos}/{len} cells ({per_sec}, {eta} left)");
        bar.set_prefix(name);
        let findings = forge.search_with(choice, &|done, of| {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        findings
    });
    let report = Report::of(&plan);
    Ok(Audited {
        circuit: name,
        model: String::new(),
        circuit_version: CIRCUIT_VERSION,
        kind: variant.name(),
        readmes: ReadmeOf::all(&report),
        report,
        blinding_rows: key.shape.blinding_rows,
        proof_bytes: key.shape.proof_length(1),
        key_digest: hex(&key.digest),
        margins,
        publics: kind.publics(variant),
        roles: kind.roles(variant),
        wires: kind.wires(variant),
        findings,
        sample: choice.and_then(|choice| match *choice {
            Choice::Sample(cells, seed) => Some(Sample { cells, seed }),
            Choice::All | Choice::Cells(_) => None,
        }),
    })
}

/// What the circuits are made of, if wanted; what the search found that is not clean; a verdict for each circuit and one
/// for all.
fn text(audited: &[Audited], with_circuits: bool) -> String {
    let mut text = String::new();
    for circuit in audited {
        if with_circuits {
            describe(&mut text, circuit);
        }
        if let Some(findings) = &circuit.findings {
            describe_holes(&mut text, circuit.circuit, findings);
            let _ = writeln!(text, "{}: {}", circuit.circuit, verdict(findings));
        }
    }
    let all: Vec<&Findings> = audited.iter().filter_map(|a| a.findings.as_ref()).collect();
    if !all.is_empty() {
        let sum = |f: fn(&Findings) -> usize| all.iter().map(|findings| f(findings)).sum::<usize>();
        let among = among(sum(|f| f.tried), sum(|f| f.cells));
        let circuits = plural(all.len() as u64, "circuit");
        let _ = match sum(Findings::holes) {
            0 => writeln!(text, "no unconstrained cell found {among}, in {circuits}"),
            holes => writeln!(text, "NOT CLEAN: {} found {among}, in {circuits}", plural(holes as u64, "hole")),
        };
    }
    text.trim_end().to_owned()
}

fn among(tried: usize, cells: usize) -> String {
    format!("among {tried} tried of {cells}")
}

/// One circuit's, in one line.
fn verdict(findings: &Findings) -> String {
    let among = among(findings.tried, findings.cells);
    let how = format!(
        "{}, {} free by design; in addition {} idle, {} forced to zero",
        plural(findings.changes as u64, "change"),
        findings.declared,
        findings.idle,
        findings.zero
    );
    match findings.holes() {
        0 => format!("no unconstrained cell found {among}; {how}"),
        holes => format!("NOT CLEAN: {} found {among}; {how}", plural(holes as u64, "hole")),
    }
}

fn describe(text: &mut String, circuit: &Audited) {
    let Audited { circuit: name, report, margins, .. } = circuit;
    let _ = writeln!(
        text,
        "{name}: 2^{} rows, {} columns of phase 1, {} of phase 2, {} fixed, {} copies, degree {}",
        report.k, report.phase1_columns, report.phase2_columns, report.fixed_columns, report.copies, report.degree
    );
    for port in &report.ports {
        let kind = port.blinding;
        let _ = writeln!(text, "  port {}: {} columns, {} cells of data, {kind}", port.name, port.columns, port.data);
    }
    let _ = writeln!(
        text,
        "  lookups: {} lanes of limbs, {} of pairs, {} helpers, {} tables in {} columns, {} terms",
        report.limb_lanes,
        report.pair_lanes,
        report.helpers,
        report.tables.len(),
        report.table_columns,
        report.lookup_terms
    );
    for (op, cells) in &report.ops {
        let rows = cells.div_ceil(report.usable_rows);
        let _ = writeln!(text, "  op {op}: {cells} cells ({rows} columns' worth)");
    }
    for gate in &report.gates {
        let _ = writeln!(text, "  gate {} | degree {} | {} rows", gate.name, gate.degree, gate.rows);
    }
    for range in &report.declared {
        let _ = writeln!(text, "  range {}: {} within {}, {}", range.op, range.column, range.range, range.because);
    }
    let _ = writeln!(
        text,
        "  bounds: constraints have at most {} bits, coefficients of the {} at most {}; the field has 255",
        margins.constraint.bits,
        plural(margins.equations as u64, "equation"),
        margins.coefficient.bits
    );
    let _ = writeln!(text, "  blinding: {} rows", circuit.blinding_rows);
    let _ = writeln!(text, "  proof of one instance: {}", bytes(circuit.proof_bytes as u64));
    let _ = writeln!(text, "  key: {}", circuit.key_digest);
}

/// What is not clean.
fn describe_holes(text: &mut String, name: &str, findings: &Findings) {
    for unnoticed in &findings.unnoticed {
        let _ = writeln!(text, "{name}: UNNOTICED {}, row {}: {}", unnoticed.cell, unnoticed.row, unnoticed.change);
    }
    for cell in &findings.undetermined {
        let _ = writeln!(text, "{name}: UNDETERMINED in phase 2: {cell}");
    }
    for row in &findings.unread_publics {
        let _ = writeln!(text, "{name}: UNREAD instance row {row}");
    }
    if !findings.lookups_hold {
        let _ = writeln!(text, "{name}: LOOKUPS: a value outside every table passes");
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use audit::Unnoticed;
    use backend::testing::toy;
    use plonkish::{Margin, Margins};

    pub fn audited(report: Report, findings: Option<Findings>) -> Audited {
        let margin = Margin { bits: 9, place: "there".into() };
        Audited {
            circuit: "toy",
            model: "toy".into(),
            circuit_version: 0,
            kind: "public".into(),
            report,
            publics: 2,
            roles: SegmentKind::Head.roles(Variant::default()),
            wires: SegmentKind::Layer.wires(Variant::default()),
            readmes: vec![],
            sample: None,
            blinding_rows: 6,
            proof_bytes: 100,
            key_digest: "aa".into(),
            margins: Margins { constraint: margin.clone(), coefficient: margin, equations: 1, degree: 3 },
            findings,
        }
    }

    fn of_toy(findings: Option<Findings>) -> Audited {
        audited(Report::of(&toy(1).plan), findings)
    }

    fn clean() -> Findings {
        Findings { cells: 50, tried: 10, changes: 80, lookups_hold: true, ..Findings::default() }
    }

    /// 7.22: a verdict, and nothing of what is clean.
    #[test]
    fn a_clean_search_ends_with_a_verdict_alone() {
        let found = text(&[of_toy(Some(clean())), of_toy(Some(clean()))], false);
        let lines: Vec<&str> = found.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[0].starts_with("toy: no unconstrained cell found among 10 tried of 50; 80 changes, 0 free by design")
        );
        assert_eq!(lines[2], "no unconstrained cell found among 20 tried of 100, in 2 circuits");
        let all = text(&[of_toy(Some(clean()))], true);
        assert!(all.contains("  gate toy/double: y = 2x | degree 2 | ") && all.ends_with(", in 1 circuit"));
        assert!(!text(&[of_toy(None)], true).contains("found"));
    }

    #[test]
    fn holes_are_listed_before_the_verdict() {
        let hole = Unnoticed {
            cell: "op: column".into(),
            row: 7,
            change: "+1".into(),
            with: vec!["op: column, row 7".into()],
            downstream: None,
        };
        let findings = Findings {
            unnoticed: vec![hole],
            undetermined: vec!["acc 1, row 2".into()],
            unread_publics: vec![9],
            lookups_hold: false,
            ..clean()
        };
        let found = text(&[of_toy(Some(clean())), of_toy(Some(findings))], false);
        let lines: Vec<&str> = found.lines().skip(1).collect();
        assert_eq!(
            lines[..4],
            [
                "toy: UNNOTICED op: column, row 7: +1",
                "toy: UNDETERMINED in phase 2: acc 1, row 2",
                "toy: UNREAD instance row 9",
                "toy: LOOKUPS: a value outside every table passes",
            ]
        );
        assert!(lines[4].starts_with("toy: NOT CLEAN: 4 holes found among 10 tried of 50; "), "{}", lines[4]);
        assert_eq!(lines[5..], ["NOT CLEAN: 4 holes found among 20 tried of 100, in 2 circuits"]);
    }

    #[test]
    fn each_circuit_has_a_page_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let names = |file: &str, kinds: &[SegmentKind]| -> Vec<String> {
            let pages = pages(&dir.path().join(file), kinds).unwrap();
            pages.iter().map(|page| page.strip_prefix(dir.path()).unwrap().display().to_string()).collect()
        };
        assert_eq!(names("a.b.html", &SegmentKind::ALL), ["a.b-layer.html", "a.b-head.html", "a.b-update.html"]);
        assert_eq!(names("page", &SegmentKind::ALL[1..]), ["page-head", "page-update"]);
        assert_eq!(names("in/page.html", &[SegmentKind::Head]), ["in/page.html"]);
        assert!(dir.path().join("in").is_dir());
    }
}
