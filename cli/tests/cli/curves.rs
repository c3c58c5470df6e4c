//! Loss curves: drawn, and as event files.

use crate::common::{corpus, run, with_model};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// CRC-32C, bit by bit, as TFRecord masks it.
fn masked_crc(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 })
    });
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The records of a file: length and data, each with its checksum.
fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut records = vec![];
    while !bytes.is_empty() {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let crc = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(crc(8), masked_crc(&bytes[..8]));
        assert_eq!(crc(12 + length), masked_crc(&bytes[12..12 + length]));
        records.push(&bytes[12..12 + length]);
        bytes = &bytes[16 + length..];
    }
    records
}

/// Fields of a protobuf message: the bytes of those that have a length, little-endian numbers of the others.
fn fields(mut bytes: &[u8]) -> BTreeMap<u64, Vec<u8>> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }
    let mut fields = BTreeMap::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                let value = varint(&mut bytes);
                fields.insert(key >> 3, value.to_le_bytes().to_vec());
                continue;
            }
            1 => 8,
            2 => varint(&mut bytes) as usize,
            5 => 4,
            wire => panic!("wire type {wire}"),
        };
        fields.insert(key >> 3, bytes[..length].to_vec());
        bytes = &bytes[length..];
    }
    fields
}

/// Tag, step and value of each scalar, by an event's fields: step 2, version 3, summary 5; a summary's value 1; its tag 1, number 2.
fn scalars(file: &Path) -> Vec<(String, u64, f32)> {
    let bytes = fs::read(file).unwrap();
    let records = records(&bytes);
    assert_eq!(fields(records[0])[&3], b"brain.Event:2");
    let scalar = |record: &&[u8]| {
        let event = fields(record);
        let value = fields(&fields(&event[&5])[&1]);
        // A step of 0 is left out.
        let step = event.get(&2).map_or(0, |step| u64::from_le_bytes(step[..].try_into().unwrap()));
        let number = value.get(&2).map_or(0.0, |number| f32::from_le_bytes(number[..].try_into().unwrap()));
        (String::from_utf8(value[&1].clone()).unwrap(), step, number)
    };
    records[1..].iter().map(scalar).collect()
}

fn event_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn event_files_say_what_the_logs_say() {
    let dir = with_model();
    let dir = dir.path();
    let train = format!("train --model m --corpus {} --held-out 0.001 --eval-every 2 --batch 1", corpus());
    run(dir, &format!("{train} --steps 3 --out r --tensorboard tb")).ok();
    run(dir, "train --resume --steps 4 --out r --tensorboard tb").ok();
    let files = event_files(&dir.join("tb"));
    assert_eq!(files.len(), 2);
    let told: Vec<Vec<(String, u64, f32)>> = files.iter().map(|file| scalars(file)).collect();
    let json = |name: &str| -> Vec<serde_json::Value> {
        let text = fs::read_to_string(dir.join("r").join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let mut expected = vec![];
    for line in json("log.jsonl") {
        let (step, loss) = (line["step"].as_u64().unwrap(), line["loss"].as_f64().unwrap() as f32);
        expected.push(("loss/training".to_owned(), step, loss));
        expected.push(("learning_rate".to_owned(), step, 0.05));
        expected.push(("saturated".to_owned(), step, 0.0));
    }
    for line in json("held-out.jsonl") {
        let loss = line["loss"].as_f64().unwrap() as f32;
        expected.push(("loss/held-out".to_owned(), line["step"].as_u64().unwrap(), loss));
    }
    let sorted = |mut list: Vec<(String, u64, f32)>| {
        list.sort_by(|a, b| a.partial_cmp(b).unwrap());
        list
    };
    assert_eq!(sorted(told.concat()), sorted(expected.clone()));
    assert_eq!(told[0].iter().filter(|(tag, ..)| tag == "loss/training").count(), 3);
    // A directory that has nothing of the run is given all of it; another run's is refused.
    run(dir, "train --resume --out r --tensorboard new").ok();
    assert_eq!(sorted(scalars(&event_files(&dir.join("new"))[0])), sorted(expected));
    let other = run(dir, &format!("{train} --steps 1 --seed 9 --out s --tensorboard tb"));
    other.refused_as("usage", "tb has events of another run");
    assert!(!dir.join("s").exists());
    fs::write(dir.join("file"), "").unwrap();
    run(dir, "train --resume --out r --tensorboard file").refused_as("io", "file");
}

#[test]
fn recorded_losses_are_drawn() {
    let dir = with_model();
    let dir = dir.path();
    let train = format!("train --model m --corpus {} --batch 1 --steps 60", corpus());
    run(dir, &format!("{train} --held-out 0.01 --eval-every 20 --out r")).ok();
    run(dir, &format!("{train} --lr 0.1 --out s")).ok();
    let json = run(dir, "plot r s --out loss.svg").ok();
    assert_eq!(
        json["runs"],
        serde_json::json!([
            { "run": "r", "steps": 60, "evaluations": 4 },
            { "run": "s", "steps": 60, "evaluations": 0 },
        ])
    );
    let svg = fs::read_to_string(dir.join("loss.svg")).unwrap();
    // Four points and one in the legend; raw and smoothed lines of both runs.
    assert!(svg.starts_with("<svg") && svg.matches("<circle").count() == 5 && svg.matches("<polyline").count() >= 4);
    assert!(svg.contains("r, held out") && svg.contains("s, training, mean of 1"));
    run(dir, "plot r --smooth 5 --out loss.svg").ok();
    assert!(fs::read_to_string(dir.join("loss.svg")).unwrap().contains("r, training, mean of 5"));
    // Nothing else is replaced.
    run(dir, "plot r --out r/log.jsonl").refused_as("usage", "r/log.jsonl exists and is no SVG file");
    run(dir, "plot m --out other.svg").refused_as("io", "m/log.jsonl");
    run(dir, "plot r --smooth 0 --out other.svg").refused(2, "");
    run(dir, "plot --out other.svg").refused(2, "");
    assert!(!dir.join("other.svg").exists());
}

/// Losses of a private run are its owner's.
#[cfg(unix)]
#[test]
fn curves_of_a_private_run_are_not_handed_over() {
    use std::os::unix::fs::PermissionsExt;
    let dir = with_model();
    let dir = dir.path();
    run(dir, "init --preset nano --private --out p").ok();
    let text = &fs::read(corpus()).unwrap()[..1000];
    fs::write(dir.join("text"), text).unwrap();
    let train = "train --private --model p --corpus text --batch 1 --prove --losses none --steps 1 --out r";
    let within = "what is in public is handed over";
    run(dir, &format!("{train} --tensorboard r/public/tb")).refused_as("usage", within);
    assert!(!dir.join("r").exists());
    run(dir, &format!("{train} --tensorboard tb")).ok();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let events = &event_files(&dir.join("tb"))[0];
    assert_eq!((scalars(events).len(), mode(events)), (3, 0o600));
    run(dir, "plot r --out r/public/loss.svg").refused_as("usage", within);
    std::os::unix::fs::symlink("r/public", dir.join("link")).unwrap();
    run(dir, "plot r --out link/loss.svg").refused_as("usage", within);
    let answer = run(dir, "plot r --out loss.svg");
    assert!(answer.stderr.contains("warning: a run is private"), "{}", answer.stderr);
    answer.ok();
    assert_eq!(mode(&dir.join("loss.svg")), 0o600);
    // What is handed over has no log.
    fs::rename(dir.join("r/secret"), dir.join("kept")).unwrap();
    run(dir, "plot r --out other.svg").refused_as("file", "without its log");
}
