//! The search for free cells finds none: in all of small segments, in a sample of a larger one.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

mod common;

use audit::{Choice, Findings, Forge, Report};
use circuits::model::{Config, UpdateKind};
use circuits::segments::{Privacy, Variant};
use common::{Case, K, Values, adamw_cases, biased, cases, cases_of, grouped, small, update_case, wide};

fn search(case: &Case, choice: &Choice) -> Findings {
    let start = std::time::Instant::now();
    let forge =
        Forge::new(&case.segment.plan, case.segment.witness.clone(), &case.publics, &case.roles).expect("honest");
    let findings = forge.search(choice);
    println!(
        "{}: {} of {} cells ({} idle, {} zero), {} changes, {} moves, {} constraints, {} declared, {:?}",
        case.name,
        findings.tried,
        findings.cells,
        findings.idle,
        findings.zero,
        findings.changes,
        findings.moves,
        findings.caught.len(),
        findings.declared,
        start.elapsed(),
    );
    assert!(
        findings.is_clean(),
        "{} unnoticed, undetermined {:?}, unread {:?}, lookups hold: {}; first: {:#?}",
        findings.unnoticed.len(),
        findings.undetermined,
        findings.unread_publics,
        findings.lookups_hold,
        findings.unnoticed.iter().take(12).collect::<Vec<_>>()
    );
    // Embeddings of tokens that do not occur.
    assert!(findings.inert.keys().all(|name| name.starts_with("linear: embed")), "{:?}", findings.inert);
    findings
}

#[test]
fn nothing_is_free_in_an_update() {
    for update in [UpdateKind::Sgd, UpdateKind::ClippedSgd] {
        search(&update_case(Variant::public(update), 5), &Choice::All);
    }
    adamw_cases(Privacy::Public, 5).iter().for_each(|case| drop(search(case, &Choice::All)));
}

#[test]
fn nothing_is_free_in_small_segments() {
    for (config, values) in
        [(small(8, 2), Values::Usual), (small(8, 2).untied(), Values::Tiny), (small(12, 3), Values::Extreme)]
    {
        for case in cases(config, K, values) {
            let findings = search(&case, &Choice::All);
            assert_eq!(findings.tried, findings.cells);
        }
    }
}

/// A vocabulary beyond bytes: the sum of the exponentials has another limb.
#[test]
fn nothing_is_free_in_a_head_of_more_tokens_than_bytes() {
    let findings = search(&cases(wide(), K, Values::Usual)[1], &Choice::All);
    assert_eq!(findings.tried, findings.cells);
    search(&cases(wide().untied(), K, Values::Extreme)[1], &Choice::Sample(3000, 1));
}

/// Two heads of queries to each of keys and values; one for all, with biases.
#[test]
fn nothing_is_free_in_grouped_and_biased_layers() {
    for (config, values) in [(grouped(), Values::Usual), (biased(), Values::Usual), (biased(), Values::Extreme)] {
        let findings = search(&cases(config, K, values)[0], &Choice::All);
        assert_eq!(findings.tried, findings.cells);
    }
}

/// Idle rows of their ports are zero by gates on usable rows alone; the loss is a port.
#[test]
fn nothing_is_free_in_private_segments() {
    for update in [UpdateKind::Sgd, UpdateKind::ClippedSgd] {
        search(&update_case(Variant { privacy: Privacy::Private, update }, 5), &Choice::All);
    }
    adamw_cases(Privacy::Private, 5).iter().for_each(|case| drop(search(case, &Choice::All)));
    for case in cases_of(Privacy::Private, small(8, 2), K, Values::Usual) {
        let findings = search(&case, &Choice::All);
        assert_eq!(findings.tried, findings.cells);
    }
}

#[test]
fn nothing_is_free_in_a_sample_of_nano() {
    for case in cases(Config::NANO, 12, Values::Usual) {
        search(&case, &Choice::Sample(1500, 1));
    }
}

/// Ports that continue a tensor in the next lane group leave rows without data before it.
#[test]
fn rows_without_data_are_zero_in_ports() {
    let mut config = small(32, 2);
    config.mlp = 64;
    for case in cases(config, 11, Values::Usual) {
        let plan = &case.segment.plan;
        let forge = Forge::new(plan, case.segment.witness.clone(), &case.publics, &case.roles).expect("honest");
        let ports = plan.port_rows.len();
        let cells = forge.cells().0.into_iter().filter(|c| c.0 < ports).step_by(7).collect();
        search(&case, &Choice::Cells(cells));
    }
}

#[test]
fn a_report_adds_up() {
    for case in cases(small(8, 2), K, Values::Usual) {
        let plan = &case.segment.plan;
        let report = Report::of(plan);
        assert_eq!(report.phase1_columns + report.phase2_columns, plan.advice.len());
        assert_eq!(report.gates.iter().map(|g| g.polynomials).sum::<usize>(), plan.gates.len());
        assert_eq!(report.gates.iter().map(|g| g.degree).max(), Some(report.degree));
        assert_eq!(report.pools.values().map(|p| p.columns).sum::<usize>(), plan.advice.len());
        assert_eq!(report.pools.values().map(|p| p.owned).sum::<usize>(), report.ops.values().sum::<usize>());
        assert_eq!(report.tables[&0], 4096);
        assert!(report.pools.values().all(|p| p.owned <= p.cells));
    }
}
