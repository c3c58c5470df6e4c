//! The audit of a model's circuits.

use crate::common::{cache, run};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// 7.22
#[test]
fn a_search_ends_with_a_verdict_and_lists_the_rest_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let say = |arguments: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gradientcoin"));
        command.current_dir(dir.path()).env("GRADIENTCOIN_CACHE", cache()).args(arguments.split_whitespace());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let short = say("audit --preset nano --forge --cells 4");
    let lines: Vec<&str> = short.lines().collect();
    assert_eq!(lines.len(), 4, "{short}");
    for (line, circuit) in lines.iter().zip(["layer", "head", "update"]) {
        assert!(line.starts_with(&format!("{circuit}: no unconstrained cell found among 4 tried of ")), "{line}");
    }
    assert!(lines[3].starts_with("no unconstrained cell found among 12 tried of "), "{short}");
    assert!(lines[3].ends_with(", in 3 circuits"), "{short}");

    let all = say("audit --preset nano --forge --cells 4 --all");
    assert!(all.contains("  gate rmsnorm: n is x·inv rounded | degree 3") && all.ends_with(&format!("{}\n", lines[3])));
    // 7.6: how far the constraints stay from the field's size, and what is declared.
    assert!(all.contains("  bounds: constraints have at most 171 bits"));
    assert!(all.contains("  range attention/scores: rho within ±2^77, shown by: rho is the sum of P·dP"));

    // A machine is told everything in either case.
    let json = run(dir.path(), "audit --preset nano --forge --cells 4").ok();
    for (i, circuit) in ["layer", "head", "update"].iter().enumerate() {
        let found = &json["circuits"][i];
        assert_eq!((&found["circuit"], &found["forge"]["tried"]), (&(*circuit).into(), &4.into()));
        assert!(found["report"]["gates"].as_array().is_some_and(|gates| !gates.is_empty()));
        assert!(found["margins"]["constraint"]["bits"].as_u64().is_some_and(|bits| bits < 200));
    }
    run(dir.path(), "audit --preset nano --all").refused(2, "--forge");
}

/// What the presets' circuits cost is pinned. `GRADIENTCOIN_REGENERATE=1 cargo test -p cli --test cli costs` writes it anew, which
/// is right only with a new circuit version; what changed is printed otherwise.
#[test]
fn costs_are_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let presets = ["nano", "micro", "mini"];
    let costs = presets.map(|preset| {
        let found = run(dir.path(), &format!("audit --preset {preset} --cost")).ok();
        (preset.to_owned(), found["costs"][preset].clone())
    });
    let costs = json!({ "costs": costs.into_iter().collect::<serde_json::Map<_, _>>() });
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/cost.json");
    if env::var_os("GRADIENTCOIN_REGENERATE").is_some() {
        fs::write(&golden, serde_json::to_string_pretty(&costs).unwrap() + "\n").unwrap();
    }
    let pinned: Value = serde_json::from_str(&fs::read_to_string(&golden).unwrap()).unwrap();
    let diff = run(dir.path(), &format!("audit diff {} {}", golden.display(), presets.join(","))).ok();
    assert_eq!(diff["changed"], json!([]));
    assert_eq!(pinned, costs);
    let step = &pinned["costs"]["nano"]["step"];
    assert_eq!(step["cells"].as_u64(), step["columns"].as_u64().map(|columns| columns << 12));
    assert!(step["assigned"].as_u64() < step["cells"].as_u64());
}

#[test]
fn costs_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    let mut found = run(dir.path(), "audit --preset nano --cost").ok();
    let file = dir.path().join("nano.json");
    let mut write = |change: &dyn Fn(&mut Value)| {
        change(&mut found);
        fs::write(&file, found.to_string()).unwrap();
        run(dir.path(), "audit diff nano.json nano").ok()["changed"].clone()
    };
    assert_eq!(write(&|_| {}), json!([]));
    let limbs = |costs: &mut Value| {
        let limbs = &mut costs["costs"]["nano"]["circuits"]["layer"]["circuit"]["columns"]["limb"];
        *limbs = (limbs.as_u64().unwrap() + 7).into();
    };
    let changed = write(&limbs);
    assert_eq!(changed.as_array().map(Vec::len), Some(1), "{changed}");
    let [before, after] = ["before", "after"].map(|side| changed[0][side].as_u64().unwrap());
    assert_eq!((&changed[0]["what"], before), (&"circuits · layer · circuit · columns · limb".into(), after + 7));
    // Configurations differ; what is no side of a comparison is refused.
    let changed = run(dir.path(), "audit diff nano micro").ok()["changed"].as_array().unwrap().len();
    assert!(changed > 50, "{changed}");
    run(dir.path(), "audit diff nano pico").refused_as("usage", "pico is neither a file nor the name of a preset");
    run(dir.path(), "audit diff nano").refused(2, "AFTER");
    run(dir.path(), "audit --preset nano --cost --forge").refused(2, "--cost");
}
