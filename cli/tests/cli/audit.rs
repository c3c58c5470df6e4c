//! The audit of a model's circuits.

use crate::common::{cache, run};
use std::process::Command;

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
