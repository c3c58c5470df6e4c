//! Tests of what is pure: documents, figures, tables, plots.

use super::*;
use crate::machine::{Commit, Machine};
use crate::ops::Op;
use crate::timing;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

fn measured(preset: &str, parameters: usize, seconds: f64) -> Measured {
    let timed = |seconds| timing::seconds(Duration::from_secs_f64(seconds));
    let op = |cells, seconds| Op { cells, commit_seconds: [1.0, 3.0, 2.0].map(|x| timed(x * seconds)).into() };
    Measured {
        preset: preset.into(),
        parameters,
        columns: 238,
        cells: 974_848,
        assigned: 546_671,
        circuit_proof_bytes: 31_136,
        proof_bytes: 37_683,
        key_bytes: 68_000,
        proving: [1.1, 1.0, 1.3]
            .map(|x| Proving { seconds: timed(x * seconds), processor_seconds: Some(timed(1.8 * x * seconds)) })
            .into(),
        peak_memory: Some((seconds * 1e8) as u64),
        verifying: vec![0.025, 0.024, 0.029, 0.026],
        genesis: (preset != "mini").then(|| Genesis {
            proving: vec![0.7],
            verifying: vec![0.018],
            proof_bytes: 11_571,
        }),
        native: vec![0.00041],
        native_of_8: vec![0.0028],
        ops: BTreeMap::from([("rmsnorm".into(), op(400_000, 0.1)), ("swiglu".into(), op(146_671, 0.3))]),
    }
}

fn results() -> Results {
    Results {
        format: FORMAT,
        date: "2000-12-31 23:59:59".into(),
        commit: Some(Commit { id: "0123456789ab".into(), dirty: false }),
        circuit_version: 3,
        machine: Machine {
            processor: "A processor".into(),
            arch: "x86_64".into(),
            threads: 2,
            memory: Some(1 << 33),
            os: "A system".into(),
            rustc: None,
            asm: true,
            ifma: false,
        },
        command: vec!["results".into()],
        setting: "Batch 1".into(),
        presets: vec![measured("nano", 7280, 2.3), measured("micro", 114_752, 11.1), measured("mini", 820_000, 84.0)],
    }
}

#[test]
fn figures_are_medians_with_their_spread() {
    let figure = |unit, runs: &[f64]| Figure::new("a figure", unit, runs.to_vec());
    assert_eq!(figure(Unit::Count, &[9.0, 1.0, 2.0]).median(), Some(2.0));
    assert_eq!(figure(Unit::Count, &[4.0, 9.0, 2.0, 1.0]).median(), Some(3.0));
    assert_eq!(figure(Unit::Count, &[]).median(), None);
    for (unit, runs, shown) in [
        (Unit::Count, &[1_234_567.0][..], "1 234 567"),
        (Unit::Count, &[238.0], "238"),
        (Unit::Seconds, &[2.31], "2.3 s"),
        (Unit::Seconds, &[0.5, 2.0, 1.0], "1.0 s (500 ms to 2.0 s)"),
        (Unit::Seconds, &[0.00041], "0.41 ms"),
        (Unit::Bytes, &[37_683.0], "36.8 KiB"),
        (Unit::Bytes, &[290e6], "0.27 GiB"),
        (Unit::Share, &[0.5608], "56.1 %"),
        (Unit::Ratio, &[0.594], "0.59"),
        (Unit::Ratio, &[5610.0], "5 610"),
        (Unit::Seconds, &[], "–"),
    ] {
        assert_eq!(figure(unit, runs).to_string(), shown);
    }
}

#[test]
fn the_table_has_each_figure_of_each_preset() {
    let table = table(&results());
    for line in [
        "| | `nano` | `micro` | `mini` |",
        "| parameters | 7 280 | 114 752 | 820 000 |",
        "| rows of each | 4 096 | 4 096 | 4 096 |",
        "| proving a step | 2.5 s (2.3 s to 3.0 s) | 12.2 s (11.1 s to 14.4 s) | 92.4 s (84.0 s to 109.2 s) |",
        "| share of all threads' time | 90.0 % | 90.0 % | 90.0 % |",
        "| commitments to its columns, on one thread | 800 ms (400 ms to 1.2 s) | 800 ms (400 ms to 1.2 s) | 800 ms (400 ms to 1.2 s) |",
        "| proof bytes of a step | 36.8 KiB | 36.8 KiB | 36.8 KiB |",
        "| a genesis proof, once a run | 700 ms | 700 ms | – |",
        "| machine | A processor, 2 threads, x86_64, `asm` | the same | the same |",
        "| commit | 0123456789ab | the same | the same |",
        "| rmsnorm | 400 000 | 41.0 % | 200 ms (100 ms to 300 ms) | 25.0 % |",
        "| no op: zeros and blinding | 428 177 | 43.9 % | – | – |",
    ] {
        assert!(table.lines().any(|found| found == line), "no line {line}\n{table}");
    }
}

#[test]
fn ratios_are_of_medians_and_say_what_differs() {
    let (now, mut then) = (results(), results());
    then.presets[0] = measured("nano", 7280, 4.6);
    then.presets.remove(1);
    let same = ratios(&now, &then);
    assert!(same.contains("| proving a step | 2.5 s (2.3 s to 3.0 s) | 5.1 s (4.6 s to 6.0 s) | 0.500 |"), "{same}");
    assert!(!same.contains("micro") && !same.contains("different"), "{same}");
    then.machine.threads = 4;
    assert!(ratios(&now, &then).contains("different machines"));
}

#[test]
fn the_plot_has_a_point_for_each_preset_and_is_the_same_each_time() {
    let results = results();
    let svg = plot(&results, None).unwrap();
    assert_eq!(svg, plot(&results, None).unwrap());
    assert_eq!(svg.matches("<circle").count(), 3 * results.presets.len());
    for preset in &results.presets {
        assert_eq!(svg.lines().filter(|line| *line == preset.preset).count(), 3, "{svg}");
    }
    for value in ["2.53", "92.4", "36.8", "0123456789ab"] {
        assert!(svg.contains(value), "{value}");
    }
    // What is not known has no point.
    let mut unknown = results.clone();
    unknown.presets[2].peak_memory = None;
    assert_eq!(plot(&unknown, None).unwrap().matches("<circle").count(), 8);
    unknown.presets.clear();
    assert!(!plot(&unknown, None).unwrap().contains("<circle"));
}

fn system(seconds: f64, bytes: u64) -> System {
    System {
        version: (seconds > 1.0).then(|| "1.2.3".into()),
        rows_log2: 10,
        setup: seconds,
        proving: vec![Proving { seconds, processor_seconds: Some(2.0 * seconds) }],
        verifying: vec![seconds / 10.0],
        proof_bytes: 10_000,
        key_bytes: bytes,
        verifying_key_bytes: bytes / 10,
        peak_memory: Some(bytes * 2),
        distance: 0.000_122_070_312_5,
    }
}

fn peers(date: &str) -> Peers {
    let Results { commit, machine, .. } = results();
    let step = PeerStep {
        shape: "8,16,32,16".into(),
        parameters: 1024,
        ours: system(0.1, 1 << 24),
        ezkl: Some(system(20.0, 1 << 30)),
    };
    let (command, setting) = (vec!["peers".into()], "A step".into());
    Peers { format: PEERS_FORMAT, date: date.into(), commit, machine, command, setting, steps: vec![step] }
}

#[test]
fn ratios_to_a_peer_stand_beside_what_is_aimed_at() {
    let mut peers = peers("2000-12-31 23:59:59");
    let table = peers.table();
    for line in [
        "| 8,16,32,16: 1024 parameters | ours | EZKL 1.2.3 | EZKL over ours | at least |",
        "| proving a step | 100 ms | 20.0 s | 200 | 40 |",
        "| its processor time | 200 ms | 40.0 s | 200 |  |",
        "| bytes of the keys | 0.02 GiB | 1.00 GiB | 64 | 20 |",
        "| verifying key | 1638.4 KiB | 0.10 GiB | 64 |  |",
        "| largest distance from float64 | 2^-13.0 | 2^-13.0 | | |",
    ] {
        assert!(table.lines().any(|found| found == line), "no line {line}\n{table}");
    }
    assert_eq!(peers.steps[0].reaches_bars(), Some(true));
    peers.steps[0].ours.proving[0].seconds = 0.6;
    assert_eq!(peers.steps[0].reaches_bars(), Some(false));
    peers.steps[0].ezkl = None;
    assert_eq!(peers.steps[0].reaches_bars(), None);
    assert!(peers.table().contains("| proving a step | 600 ms | – | – | 40 |"));
}

#[test]
fn the_newest_measurement_with_a_peer_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Peers::newest(&dir.path().join("none")).unwrap(), None);
    let (old, new, mut alone) =
        (peers("2000-12-31 23:59:58"), peers("2000-12-31 23:59:59"), peers("2001-01-01 00:00:00"));
    alone.steps[0].ezkl = None;
    let files = [&new, &old, &alone].map(|peers| peers.write(dir.path()).unwrap());
    assert!(files[0].ends_with("2000-12-31-0123456789ab-peers.json"), "{}", files[0].display());
    assert_eq!(Peers::read(&files[2]).unwrap(), alone);
    assert_eq!(Peers::newest(dir.path()).unwrap(), Some(new.clone()));
    let [_, svg] = results().write(dir.path()).unwrap();
    let svg = fs::read_to_string(svg).unwrap();
    assert_eq!(svg, plot(&results(), Some(&new)).unwrap());
    assert_eq!(svg.matches("<circle").count(), 3 * (3 + 2));
    fs::write(&files[1], "{}").unwrap();
    assert!(matches!(Peers::newest(dir.path()), Err(ResultsError::Malformed { .. })));
}

#[test]
fn documents_are_read_as_they_were_written_and_never_written_over() {
    let (dir, results) = (tempfile::tempdir().unwrap(), results());
    let [json, svg] = results.write(&dir.path().join("new")).unwrap();
    assert!(json.ends_with("new/2000-12-31-0123456789ab.json"), "{}", json.display());
    assert_eq!(Results::read(&json).unwrap(), results);
    assert_eq!(fs::read_to_string(svg).unwrap(), plot(&results, None).unwrap());
    let mut dirty = results.clone();
    dirty.commit.as_mut().unwrap().dirty = true;
    for (results, name) in [(&results, "2000-12-31-0123456789ab-2"), (&dirty, "2000-12-31-0123456789ab-dirty")] {
        assert_eq!(results.write(json.parent().unwrap()).unwrap()[0].file_stem().unwrap(), name);
    }
}

#[test]
fn what_is_no_document_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file.json");
    assert!(matches!(Results::read(&file), Err(ResultsError::Read { .. })));
    let text = results().json().unwrap();
    for bad in ["", "{}", &text[..text.len() / 2], &text.replace("\"threads\"", "\"cores\"")] {
        fs::write(&file, bad).unwrap();
        assert!(matches!(Results::read(&file), Err(ResultsError::Malformed { .. })), "{bad}");
    }
    fs::write(&file, "{\"format\": 2}").unwrap();
    assert!(matches!(Results::read(&file), Err(ResultsError::Format { found: 2, .. })));
}
