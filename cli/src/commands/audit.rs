//! `audit`: what the circuits are made of, and whether any of their cells is free.

use crate::error::CliError;
use crate::format::{bytes, hex};
use crate::model_choice::ModelChoice;
use crate::ui::{Output, Ui};
use circuits::audit::{self, Choice, Findings, Forge, Report, Roles};
use circuits::curve::{DEFAULT_K, F, Params};
use circuits::keys::VerifyingKey;
use circuits::model::{Config, Spec, State, sequence_gradient};
use circuits::ops::sgd::{Element, Hyper};
use circuits::plan::LANES;
use circuits::segments::{PUBLICS, Segment, head, layer, update};
use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::Arc;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelChoice,
    /// Search for unconstrained cells: a sample of each circuit's, perturbed one by one and in consistent pairs
    #[arg(long)]
    forge: bool,
    /// Cells of each circuit to perturb; 0 for all
    #[arg(long, value_name = "N", default_value_t = 300, requires = "forge")]
    cells: usize,
    /// Seed of the sample
    #[arg(long, default_value_t = 1, requires = "forge")]
    seed: u64,
}

/// A circuit with honest values of one instance.
struct Subject {
    name: &'static str,
    segment: Segment,
    publics: Vec<F>,
    roles: Roles,
    public_values: usize,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let config = args.model.config()?;
    let params = ui.params()?;
    let choice = args.forge.then_some(match args.cells {
        0 => Choice::All,
        n => Choice::Sample(n, args.seed),
    });
    let (mut text, mut circuits, mut free) = (String::new(), vec![], 0);
    for subject in subjects(config) {
        let _spinner = ui.spinner(&format!("{} circuit", subject.name));
        let (part, value, unnoticed) = audit(&params, subject, choice.as_ref())?;
        text += &part;
        circuits.push(value);
        free += unnoticed;
    }
    let json = json!({ "ok": free == 0, "circuits": circuits });
    if free > 0 {
        ui.say(text.trim_end());
        return Err(CliError::Free(free));
    }
    Ok(Output { text: text.trim_end().to_owned(), json })
}

/// One layer, the head and an update, with the values of a first training step.
fn subjects(config: Config) -> [Subject; 3] {
    let spec = Spec::new(config);
    let state = State::init(&spec.config, 1);
    let vocab = spec.config.vocab;
    let sequence: Vec<u8> = (0..=spec.config.context).map(|i| ((i * i * 31 + 7 * i + 13) % vocab) as u8).collect();
    let trace = sequence_gradient(&spec, &state.w, &sequence).expect("a sequence of the configuration");
    let hyper = Hyper { lambda: 1 << 28, mu: 15_099_494, omega: 1 << 20 };
    let lanes: [Vec<(Element, i128)>; LANES] = std::array::from_fn(|lane| {
        let value = |i: i64| (i * 7919 + lane as i64 * 104_729) % 60_000 - 30_000;
        let element = |i| Element { w: value(i), lo: value(i).rem_euclid(1 << 24), v: value(i) << 15 };
        (0..4000).map(|i| (element(i), i128::from(value(i)) << (i % 40))).collect()
    });
    let w = &state.w;
    let subject =
        |name, segment, publics, roles, public_values| Subject { name, segment, publics, roles, public_values };
    [
        subject(
            "layer",
            layer::build(&spec, DEFAULT_K, &w.layers[0], &trace.forward[0], &trace.backward[0]),
            vec![],
            audit::LAYER,
            PUBLICS[0],
        ),
        subject(
            "head",
            head::build(&spec, DEFAULT_K, w, &trace),
            vec![F::from(trace.loss() as u64)],
            audit::HEAD,
            PUBLICS[1],
        ),
        subject(
            "update",
            update::build(DEFAULT_K, &hyper, &lanes),
            [hyper.lambda, hyper.mu, hyper.omega].map(F::from).to_vec(),
            audit::UPDATE,
            PUBLICS[2],
        ),
    ]
}

/// Text and JSON of one circuit, and the number of findings.
fn audit(params: &Params, subject: Subject, choice: Option<&Choice>) -> Result<(String, Value, usize), CliError> {
    let Subject { name, segment, publics, roles, public_values } = subject;
    let plan = Arc::new(segment.plan);
    let key = VerifyingKey::with_publics(params, &plan, public_values)?;
    let report = Report::of(&plan);
    let (digest, proof_bytes) = (hex(&key.digest), key.shape.proof_length(1));
    let mut text = String::new();
    describe(&mut text, name, &report);
    let _ = writeln!(text, "  blinding: {} rows", key.shape.blinding_rows);
    let _ = writeln!(text, "  proof of one instance: {}", bytes(proof_bytes as u64));
    let _ = writeln!(text, "  key: {digest}");
    let mut value = json!({
        "circuit": name,
        "report": report,
        "blinding_rows": key.shape.blinding_rows,
        "proof_bytes": proof_bytes,
        "key_digest": digest,
    });
    let mut count = 0;
    if let Some(choice) = choice {
        let findings = Forge::new(&plan, segment.witness, &publics, &roles)?.search(choice);
        count = findings.unnoticed.len() + findings.undetermined.len() + findings.unread_publics.len();
        count += usize::from(!findings.lookups_hold);
        describe_findings(&mut text, &findings);
        value["forge"] = json!(findings);
    }
    Ok((text, value, count))
}

fn describe(text: &mut String, name: &str, report: &Report) {
    let _ = writeln!(
        text,
        "{name}: 2^{} rows, {} columns of phase 1, {} of phase 2, {} fixed, {} copies, degree {}",
        report.k, report.phase1_columns, report.phase2_columns, report.fixed_columns, report.copies, report.degree
    );
    for port in &report.ports {
        let kind = if port.canonical { "canonical" } else { "secret" };
        let _ = writeln!(text, "  port {}: {} columns, {} cells of data, {kind}", port.name, port.columns, port.data);
    }
    let _ = writeln!(
        text,
        "  lookups: {} lanes of limbs, {} of pairs, {} helpers, {} tables in {} columns",
        report.limb_lanes,
        report.pair_lanes,
        report.helpers,
        report.tables.len(),
        report.table_columns
    );
    for (room, cells) in &report.rooms {
        let rows = cells.div_ceil(report.usable_rows);
        let _ = writeln!(text, "  room {room}: {cells} cells ({rows} columns' worth)");
    }
    for gate in &report.gates {
        let _ = writeln!(text, "  gate {} | degree {} | {} rows", gate.name, gate.degree, gate.rows);
    }
}

fn describe_findings(text: &mut String, findings: &Findings) {
    let _ = writeln!(
        text,
        "  forge: {} of {} cells perturbed in {} ways; {} idle, {} forced to zero, {} free by design; {} unnoticed",
        findings.tried,
        findings.cells,
        findings.changes,
        findings.idle,
        findings.zero,
        findings.declared,
        findings.unnoticed.len()
    );
    for unnoticed in &findings.unnoticed {
        let _ = writeln!(text, "  UNNOTICED {}, row {}: {}", unnoticed.cell, unnoticed.row, unnoticed.change);
    }
    for cell in &findings.undetermined {
        let _ = writeln!(text, "  UNDETERMINED in phase 2: {cell}");
    }
    for row in &findings.unread_publics {
        let _ = writeln!(text, "  UNREAD instance row {row}");
    }
    if !findings.lookups_hold {
        let _ = writeln!(text, "  LOOKUPS: a value of no table passes");
    }
}
