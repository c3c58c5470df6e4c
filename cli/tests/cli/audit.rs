//! The audit of a model's circuits.

use crate::common::{cache, run};
use circuits::model::{Config, Spec};
use circuits::segments::{Circuits, SegmentKind, Variant};
use serde_json::{Value, json};
use std::collections::BTreeSet;
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

/// A private head has a port more; where ports are zero is said by other fixed columns, one more or less.
#[test]
fn costs_of_private_circuits_are_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let cost =
        |more: &str| run(dir.path(), &format!("audit --preset nano --cost {more}")).ok()["costs"]["nano"].clone();
    let (public, private) = (cost(""), cost("--private"));
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/cost-private.json");
    if env::var_os("GRADIENTCOIN_REGENERATE").is_some() {
        fs::write(&golden, serde_json::to_string_pretty(&private).unwrap() + "\n").unwrap();
    }
    let pinned: Value = serde_json::from_str(&fs::read_to_string(&golden).unwrap()).unwrap();
    assert_eq!(pinned, private);
    let columns = |costs: &Value| costs["step"]["columns"].as_u64().unwrap();
    assert_eq!(columns(&private), columns(&public) + 1);
    for circuit in ["layer", "update"] {
        let cost = |costs: &Value, what: &str| costs["circuits"][circuit]["proof"][what].as_u64().unwrap();
        assert_eq!(cost(&private, "points"), cost(&public, "points"), "{circuit}");
        assert!(cost(&private, "bytes").abs_diff(cost(&public, "bytes")) <= 32, "{circuit}");
    }
}

/// Of AdamW's circuits the update alone is another.
#[test]
fn costs_of_circuits_with_adamw_are_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let cost =
        |more: &str| run(dir.path(), &format!("audit --preset nano --cost {more}")).ok()["costs"]["nano"].clone();
    let (sgd, adamw) = (cost(""), cost("--optimizer adamw"));
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/cost-adamw.json");
    if env::var_os("GRADIENTCOIN_REGENERATE").is_some() {
        fs::write(&golden, serde_json::to_string_pretty(&adamw).unwrap() + "\n").unwrap();
    }
    let pinned: Value = serde_json::from_str(&fs::read_to_string(&golden).unwrap()).unwrap();
    assert_eq!(pinned, adamw);
    for circuit in ["layer", "head"] {
        assert_eq!(adamw["circuits"][circuit], sgd["circuits"][circuit]);
    }
    assert_ne!(adamw["circuits"]["update"], sgd["circuits"]["update"]);
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

/// The text of a page without its style. Panics where an element is closed that is not open, or left open, or where `<`, `>` or `&` stands
/// for itself.
fn text_of(page: &str) -> String {
    const VOID: [&str; 5] = ["!DOCTYPE", "meta", "wbr", "br", "hr"];
    let (mut text, mut open, mut rest) = (String::new(), vec![], page);
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        let (tag, after) = tag[1..].split_once('>').expect("a tag ends");
        assert!(!tag.contains('<') && tag.matches('"').count() % 2 == 0, "{tag}");
        if open.last() != Some(&"style") {
            assert!(!before.contains('>'), "{before}");
            text.push_str(before);
        }
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).expect("a tag has a name");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closed after: {text}");
        } else if !VOID.contains(&name) {
            open.push(name);
        }
        rest = after;
    }
    assert_eq!((open, rest), (vec![], "\n"));
    let escapes = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    let plain = escapes.iter().fold(text.clone(), |text, (escape, _)| text.replace(escape, ""));
    assert!(!plain.contains('&'), "an ampersand stands for itself");
    escapes.iter().fold(text, |text, (escape, plain)| text.replace(escape, plain))
}

/// Pages say what the plans are, and where the constraints stand; machines are told the same.
#[test]
fn pages_have_every_gate_column_and_wire() {
    let dir = tempfile::tempdir().unwrap();
    let found = run(dir.path(), "audit --preset nano --html pages/nano.html").ok();
    assert_eq!(found["pages"], json!(["pages/nano-layer.html", "pages/nano-head.html", "pages/nano-update.html"]));
    let circuits = Circuits::new(&Spec::new(Config::NANO));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (i, kind) in SegmentKind::ALL.into_iter().enumerate() {
        let (plan, told) = (circuits.plan(kind), &found["circuits"][i]);
        let page = fs::read_to_string(dir.path().join(found["pages"][i].as_str().unwrap())).unwrap();
        // It needs no script, and nothing from elsewhere.
        assert!(!["<script", "http", "src=", "url(", "@import", "<link"].iter().any(|part| page.contains(part)));
        let text = text_of(&page);
        let told_gates = told["report"]["gates"].as_array().unwrap();
        // Where READMEs, which name constraints as well, are not.
        let section =
            page.split_once("<section id=\"gates\">").unwrap().1.split_once("<section id=\"ports\">").unwrap().0;
        let of_gates = text_of(&format!("<section>{section}\n"));
        let equations = told_gates.iter().map(|gate| gate["equations"].as_array().unwrap().len()).sum::<usize>();
        assert_eq!(page.matches("<span class=\"equation\">").count(), equations);
        let mut lines = BTreeSet::new();
        for gate in &plan.gates {
            let (op, constraint) = gate.name.split_once(": ").unwrap();
            let stated = format!("{}:{}", gate.stated.file(), gate.stated.line());
            assert!([constraint, op, &stated].iter().all(|part| of_gates.contains(part)), "{}", gate.name);
            let of_name = told_gates.iter().find(|told| told["name"] == gate.name.as_str()).unwrap();
            let line = json!({ "file": gate.stated.file(), "line": gate.stated.line() });
            let of_line = |equation: &&Value| equation["stated"].as_array().unwrap().contains(&line);
            let degrees =
                of_name["equations"].as_array().unwrap().iter().filter(of_line).map(|e| e["degree"].as_u64().unwrap());
            assert!(degrees.max() >= Some(gate.degree() as u64), "{}", gate.name);
            lines.insert((gate.stated.file(), gate.stated.line()));
        }
        for (file, line) in lines {
            let source = fs::read_to_string(root.join(file)).unwrap();
            let source = source.lines().nth(line as usize - 1).unwrap_or_default();
            let states = ["gate(", "gates.add(", "define", "determine(", "per_run(", "running_sum(", "everywhere("];
            assert!(states.iter().any(|call| source.contains(call)), "{file}:{line}: {source}");
        }
        let rows: u64 = told_gates.iter().map(|gate| gate["rows"].as_u64().unwrap()).sum();
        assert_eq!(rows, plan.gates.iter().map(|gate| gate.rows.len() as u64).sum::<u64>());
        for (columns, names) in [("columns", plan.advice.len()), ("fixed", plan.fixed.len())] {
            let columns = told["report"][columns].as_array().unwrap();
            assert_eq!(columns.len(), names);
            for column in columns {
                let fill = format!("{:.1} %", 100.0 * column["cells"].as_f64().unwrap() / plan.usable as f64);
                assert!(text.contains(&format!(
                    "{}{}",
                    column["name"].as_str().unwrap(),
                    if column["copied"] == true { "yes" } else { "" }
                )));
                assert!(text.contains(&fill), "{column}");
            }
        }
        let owned: usize = plan.ops.values().sum();
        let owners =
            told["report"]["columns"].as_array().unwrap().iter().flat_map(|column| column["owned"].as_array().unwrap());
        let of_blocks = owners.filter(|owned| owned["block"].is_u64());
        assert_eq!(of_blocks.map(|owned| owned["rows"]["count"].as_u64().unwrap()).sum::<u64>(), owned as u64);
        for wire in kind.wires(Variant::default()) {
            let wire = wire.of.map_or(wire.equals.to_string(), |of| format!("of {of}: {}", wire.equals));
            assert!(text.contains(&wire), "{wire}");
        }
        let reasons = kind.roles(Variant::default()).free.iter().map(|free| free.reason);
        for reason in reasons.chain(plan.declared.iter().map(|range| range.because.as_str())) {
            assert!(text.contains(reason), "{reason}");
        }
        assert!(text.contains("Not run: audit --forge --html"));
    }
}

#[test]
fn a_page_is_the_same_each_time_and_replaces_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let update = |file: &str| run(dir.path(), &format!("audit --preset nano --circuit update --html {file}"));
    let found = update("a.html").ok();
    assert_eq!((&found["pages"], found["circuits"].as_array().map(Vec::len)), (&json!(["a.html"]), Some(1)));
    update("b.html").ok();
    let [a, b] = ["a.html", "b.html"].map(|file| fs::read(dir.path().join(file)).unwrap());
    assert_eq!(a, b);
    fs::write(dir.path().join("b.html"), "mine").unwrap();
    update("b.html").refused_as("usage", "b.html already exists");
    assert_eq!(fs::read(dir.path().join("b.html")).unwrap(), b"mine");
    run(dir.path(), "audit --preset nano --html b.html --cost").refused(2, "--cost");

    // What a search covered.
    let found = run(dir.path(), "audit --preset nano --circuit head --forge --cells 5 --seed 3 --html c.html").ok();
    let forge = &found["circuits"][0]["forge"];
    let text = text_of(&fs::read_to_string(dir.path().join("c.html")).unwrap());
    assert!(text.contains(&format!("5 tried of {}: 5 wanted, drawn with seed 3", forge["cells"])), "{text}");
    assert!(text.contains("no unconstrained cell found"));
    let sum = |what: &str| forge["ops"].as_object().unwrap().values().map(|of| of[what].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("tried"), sum("cells")), (5, forge["cells"].as_u64().unwrap()));
}

/// The proof of one instance, as halo2's model of its verifier in Lean reads it.
#[cfg(feature = "lean")]
#[test]
fn a_proof_is_written_down_for_lean() {
    let dir = tempfile::tempdir().unwrap();
    let write = || run(dir.path(), "audit --preset nano --circuit update --lean update.lean");
    assert_eq!(write().ok()["files"], json!(["update.lean"]));
    let text = fs::read_to_string(dir.path().join("update.lean")).unwrap();
    for part in [
        "namespace GradientCoin.update_nano",
        "k := 12, numProofs := 1,",
        "def capturedPinnedKeyDescription",
        "theorem fingerprint_matches",
        "theorem capturedMsm_eval_eq_zero",
        "end GradientCoin.update_nano",
    ] {
        assert!(text.contains(part), "no {part}");
    }
    write().refused_as("usage", "update.lean already exists");
    assert_eq!(fs::read_to_string(dir.path().join("update.lean")).unwrap(), text);
    run(dir.path(), "audit --preset nano --lean b.lean --forge").refused(2, "--forge");
}
