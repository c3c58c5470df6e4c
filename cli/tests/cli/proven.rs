//! A proven run: killed, resumed, verified, and tampered with in every way that needs no new proof.

use crate::common::{copy, corpus, program, run, with_model};
use backend::curve::DEFAULT_K;
use circuits::model::Config;
use circuits::model::file::ModelState;
use circuits::segments::Variant;
use circuits::statements::codec::{decode, encode};
use circuits::statements::{Bundle, Corpus, Run};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use verifier::{Part, RunRefused, RunVerifier, StepError, StepVerifier, VerifiedRun, VerifyingKeys};

struct Proven {
    dir: tempfile::TempDir,
}

const ARGUMENTS: &str = "--steps 2 --batch 1 --accumulate 2 --lr 0.3 --momentum 0.9 --seed 5";

/// Two proven steps of two contributions each. The trainer is killed once the first bundle is there.
fn proven() -> &'static Proven {
    static PROVEN: OnceLock<Proven> = OnceLock::new();
    PROVEN.get_or_init(|| {
        let dir = with_model();
        let train = format!("train --model m --corpus {} {ARGUMENTS} --prove --out r --resume", corpus());
        let mut command = program(dir.path());
        let mut child = command.args(train.split(' ')).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !dir.path().join("r/step-000000.bundle").exists() {
            assert!(child.try_wait().unwrap().is_none(), "the trainer ended early");
            std::thread::sleep(Duration::from_millis(10));
        }
        // Within the proofs of the next step, as a rule.
        std::thread::sleep(Duration::from_millis(100));
        child.kill().unwrap();
        child.wait().unwrap();
        let first = fs::read(dir.path().join("r/step-000000.bundle")).unwrap();
        // The other engine goes on.
        let json = run(dir.path(), "train --out r --resume --engine halo2").ok();
        assert_eq!((&json["steps"], &json["resumed_at"], &json["proven"]), (&2.into(), &1.into(), &true.into()));
        assert_eq!(fs::read(dir.path().join("r/step-000000.bundle")).unwrap(), first);
        Proven { dir }
    })
}

/// A copy of the run to tamper with.
fn tampered() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let r = dir.path().join("r");
    copy(&proven().dir.path().join("r"), &r);
    (dir, r)
}

fn step(run: &Path, step: u64) -> PathBuf {
    run.join(format!("step-{step:06}.bundle"))
}

#[test]
fn the_honest_run_is_accepted() {
    let dir = proven().dir.path();
    let json = run(dir, &format!("verify r --corpus {} --genesis m --end r --steps 2", corpus())).ok();
    assert_eq!(
        (&json["corpus_compared"], &json["verdict"], &json["proofs"]),
        (&true.into(), &"valid".into(), &10.into())
    );
    // What is proven is what the log says.
    let log = fs::read_to_string(dir.join("r/log.jsonl")).unwrap();
    for (line, step) in log.lines().zip(json["steps"].as_array().unwrap()) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        for key in ["step", "loss_sum", "loss", "predictions", "proof_bytes"] {
            assert_eq!(line[key], step[key], "{key}");
        }
    }
    assert_eq!(run(dir, "inspect r").ok()["content"]["bundles"], 2);
    assert_eq!(run(dir, "inspect r/run.bin").ok()["kind"], "run");
    assert_eq!(run(dir, "inspect r/step-000000.bundle").ok()["content"]["step"], 0);
}

/// The report says what vouches for the keys: of a preset, the program; of another model from the cache, the directory.
#[test]
fn what_vouches_for_the_keys_is_said() {
    let dir = proven().dir.path();
    let json = run(dir, "verify r").ok();
    assert_eq!((&json["keys"], &json["engine"]), (&"pinned".into(), &"native".into()));
    assert!(has(&json, "checked", "the keys are those that this program knows for the preset"));
    let json = run(dir, "verify r --engine halo2 --fresh-keys").ok();
    assert_eq!((&json["keys"], &json["engine"]), (&"fresh".into(), &"halo2".into()));
    assert!(has(&json, "checked", "halo2's own verifier accepts each proof"));

    // A file of keys with one commitment exchanged and all checksums right.
    let name = verifier::keys::file_name(Variant::default(), &Config::NANO);
    let keys = fs::read(crate::common::cache().join(&name)).unwrap();
    let mut exchanged: VerifyingKeys = decode(&keys).unwrap();
    exchanged.layer.fixed.swap(0, 1);
    assert_ne!(encode(&exchanged).unwrap(), keys);
    let own = tempfile::tempdir().unwrap();
    let params = backend::parameters::path(&crate::common::cache(), DEFAULT_K);
    fs::copy(&params, backend::parameters::path(own.path(), DEFAULT_K)).unwrap();
    let cached = own.path().join(&name);
    fs::write(&cached, encode(&exchanged).unwrap()).unwrap();
    let with = |arguments: &str| run(dir, &format!("verify r --cache {} {arguments}", own.path().display()));
    with("--fresh-keys").refused_as("failed", "are not those that halo2 makes of the circuits");
    let answer = with("");
    assert!(answer.stderr.contains("verifying keys were regenerated"), "{}", answer.stderr);
    assert_eq!(answer.ok()["keys"], "pinned");
    assert_eq!(fs::read(&cached).unwrap(), keys);

    // No preset.
    let json = Config::NANO.to_json().replace("\"intermediate_size\": 44", "\"intermediate_size\": 4");
    fs::write(own.path().join("config.json"), json).unwrap();
    let own_run = |arguments: &str| run(own.path(), &format!("{arguments} --cache cache"));
    own_run("init --config config.json --seed 1 --out m").ok();
    let train = format!("train --model m --corpus {} --steps 1 --batch 1 --lr 0.1 --prove --out r", corpus());
    // For people: what a step will take comes first.
    let mut told = Command::new(env!("CARGO_BIN_EXE_gradientcoin"));
    let told = told.current_dir(own.path()).args(train.split(' ')).args(["--cache", "cache"]).output().unwrap();
    let told = String::from_utf8(told.stderr).unwrap();
    let (estimated, proven) = (told.find("proving a step: about"), told.find("proven in"));
    assert!(estimated.zip(proven).is_some_and(|(estimated, proven)| estimated < proven), "{told}");
    let json = own_run("verify r").ok();
    assert_eq!(json["keys"], "cache");
    assert!(has(&json, "not_checked", "the keys, which are from the cache"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(own.path().join("cache"), fs::Permissions::from_mode(0o777)).unwrap();
        let answer = own_run("verify r");
        assert!(answer.stderr.contains("others may write to"), "{}", answer.stderr);
        let json = answer.ok();
        assert_eq!(json["keys"], "made");
        assert!(has(&json, "checked", "the keys were made from the circuits"));
    }
}

/// Bytes are exact before anything is proven; of time and memory the bench shows the error.
#[test]
fn bytes_are_as_estimated() {
    let proven = proven().dir.path();
    let estimate = run(proven, "estimate --preset nano --batch 1 --accumulate 2").ok();
    let bundle: Bundle = decode(&fs::read(step(&proven.join("r"), 0)).unwrap()).unwrap();
    assert_eq!(estimate["proof_bytes"], bundle.proof_bytes());
    let keys = crate::common::cache().join(verifier::keys::file_name(Variant::default(), &Config::NANO));
    assert_eq!(estimate["key_bytes"], fs::metadata(keys).unwrap().len());
    let of = |arguments: &str| run(proven, &format!("estimate {arguments}")).ok();
    let (one, eight) = (of("--preset nano --instances-per-proof 1"), of("--preset nano"));
    let number = |json: &Value, name: &str| json[name].as_f64().unwrap();
    for (name, less, more) in [("proof_bytes", &eight, &one), ("peak_memory_bytes", &one, &eight)] {
        assert!(number(less, name) < number(more, name), "{name}: {less} {more}");
    }
    for name in ["seconds", "genesis_seconds"] {
        assert!(number(&eight, name) > 0.0, "{eight}");
    }
    run(proven, "estimate --preset nano --instances-per-proof 9").refused(2, "9");
    run(proven, "estimate --preset nano --batch 99999 --accumulate 99999").refused(2, "predictions");
    run(proven, "estimate --config none.json").refused(3, "none.json");
}

#[test]
fn native_training_ends_at_the_proven_state() {
    let dir = proven().dir.path();
    let train = format!("train --model m --corpus {} {ARGUMENTS} --out native", corpus());
    run(dir, &train).ok();
    for file in ["run.bin", "state.bin"] {
        let read = |run: &str| fs::read(dir.join(run).join(file)).unwrap();
        assert_eq!(read("r"), read("native"), "{file}");
    }
    // A kill between bundle and state: the step is taken again.
    let (_kept, r) = tampered();
    run(dir, &format!("{} --out short", train.replace("--steps 2", "--steps 1").replace("--out native", ""))).ok();
    fs::copy(dir.join("short/state.bin"), r.join("state.bin")).unwrap();
    let answer = run(dir, &format!("train --resume --steps 1 --out {}", r.display()));
    assert!(answer.stderr.contains("the step is repeated"), "{}", answer.stderr);
    assert_eq!(answer.ok()["steps"], 1);
    assert!(step(&r, 0).exists() && !step(&r, 1).exists());
    // A bundle that should be there is not.
    fs::remove_file(step(&r, 0)).unwrap();
    run(dir, &format!("train --resume --out {}", r.display())).refused_as("file", "missing");
}

#[test]
fn bad_runs_are_rejected_by_the_command() {
    let (_kept, r) = tampered();
    let dir = proven().dir.path();
    let verify = |more: &str| run(dir, &format!("verify {} {more}", r.display()));
    verify("--corpus m/config.json").refused_as("rejected", "the corpus is not the run's");
    verify("--steps 3").refused_as("rejected", "the run has 2 proven steps, not 3");
    run(dir, "init --preset nano --seed 2 --out other").ok();
    verify("--genesis other")
        .refused_as("rejected", "the run does not begin with this model: other: its state is different");
    verify("--end other").refused_as("rejected", "the run does not end at this model: other: its state is different");
    // The last step replayed; the first dropped; swapped; truncated.
    fs::copy(step(&r, 1), step(&r, 2)).unwrap();
    verify("").refused_as("rejected", "found step 1, expected step 2");
    fs::remove_file(step(&r, 2)).unwrap();
    fs::rename(step(&r, 0), r.join("kept")).unwrap();
    verify("").refused_as("rejected", "found step 1, expected step 0");
    fs::write(step(&r, 0), &fs::read(r.join("kept")).unwrap()[..5000]).unwrap();
    verify("").refused_as("rejected", "step-000000.bundle");
}

/// What JSON says of the first state: by genesis proof, tensors, the step before.
fn first_state(json: &Value) -> [bool; 3] {
    ["genesis_proof", "tensors", "step_before"].map(|by| json["first_state"][by].as_bool().unwrap())
}

fn has(json: &Value, list: &str, text: &str) -> bool {
    json[list].as_array().unwrap().iter().any(|item| item.as_str().unwrap().contains(text))
}

/// 7.1 and 7.3: what shows the range of the first state, of a run and of lone bundles, and what is said where nothing does.
#[test]
fn verdicts_say_what_they_rely_on() {
    let (kept, r) = tampered();
    let dir = proven().dir.path();
    let verify = |arguments: &str| run(dir, &format!("verify {arguments}"));
    let r = r.display().to_string();
    // A run: the proof, the model, both, neither.
    let json = verify(&r).ok();
    assert_eq!(first_state(&json), [true, false, false]);
    assert!(
        has(&json, "checked", "by the genesis proof") && has(&json, "not_checked", "which model the run begins with")
    );
    assert!(has(&json, "not_checked", "(--corpus") && has(&json, "not_checked", "whether the run has more steps"));
    assert_eq!(first_state(&verify(&format!("{r} --genesis m")).ok()), [true, true, false]);
    let proof = Path::new(&r).join("genesis.proof");
    let bytes = fs::read(&proof).unwrap();
    fs::remove_file(&proof).unwrap();
    verify(&r).refused_as("rejected", "the run's first state is not shown to be in range");
    let json = verify(&format!("{r} --genesis m --steps 2")).ok();
    assert_eq!(first_state(&json), [false, true, false]);
    assert!(!has(&json, "not_checked", "which model") && !has(&json, "not_checked", "more steps"));
    for at in [12, bytes.len() / 2, bytes.len() - 40] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs::write(&proof, damaged).unwrap();
        verify(&r).refused_as("rejected", "genesis");
        // What is wrong is not passed over because something else shows the state.
        verify(&format!("{r} --genesis m")).refused_as("rejected", "genesis");
    }
    fs::write(&proof, &bytes).unwrap();

    // Step 0 alone: beside its run, somewhere else, with what is named.
    let lone = |step: u64| {
        let to = kept.path().join(format!("lone-{step}"));
        fs::copy(self::step(Path::new(&r), step), &to).unwrap();
        to.display().to_string()
    };
    let (first, second) = (lone(0), lone(1));
    assert_eq!(first_state(&verify(&format!("{r}/step-000000.bundle")).ok()), [true, false, false]);
    let json = verify(&first).conditional();
    assert_eq!(json["condition"], "the state before step 0 is in range");
    assert!(has(&json, "not_checked", "--genesis-proof or --genesis"));
    assert_eq!(first_state(&verify(&format!("{first} --genesis-proof {r}/genesis.proof")).ok()), [true, false, false]);
    assert_eq!(first_state(&verify(&format!("{first} --genesis m")).ok()), [false, true, false]);
    verify(&format!("{first} --after {second}")).refused_as("usage", "no step precedes step 0");

    // Step 1 alone: on a condition; after step 0; before the model that step 0 leads to, which is native training's.
    let json = verify(&second).conditional();
    assert_eq!(json["condition"], "the state before step 1 is in range");
    assert!(
        has(&json, "not_checked", "step 0: it is not verified")
            && has(&json, "not_checked", "--after with --genesis-proof or --genesis, or --before")
    );
    let json = verify(&format!("{second} --genesis m")).conditional();
    assert!(has(&json, "checked", "the run names m as its first model") && has(&json, "not_checked", "step 0: "));
    verify(&format!("{second} --genesis r")).refused_as("rejected", "the run does not begin with this model");
    // One step shows the weights that it leads to; their movement is from those before, of which nothing is known.
    let json = verify(&format!("{second} --after {first}")).conditional();
    assert_eq!((first_state(&json), &json["condition"]), ([false; 3], &"the state before step 1 is in range".into()));
    for shows in [format!("--genesis-proof {r}/genesis.proof"), "--genesis m".to_owned()] {
        let json = verify(&format!("{second} --after {first} {shows} --corpus {}", corpus())).ok();
        assert_eq!((first_state(&json), json["steps"].as_array().unwrap().len()), ([false, false, true], 1));
        assert!(has(&json, "not_checked", "step 0: it is not verified"));
    }
    let json = verify(&format!("{r}/step-000001.bundle --after {r}/step-000000.bundle")).ok();
    assert_eq!(first_state(&json), [false, false, true]);
    verify(&format!("{second} --after {second}")).refused_as("rejected", "a step does not follow the previous one");
    verify(&format!("{second} --genesis-proof {r}/genesis.proof")).refused_as("usage", "is for step 0");
    let one = ARGUMENTS.replace("--steps 2", "--steps 1");
    run(dir, &format!("train --model m --corpus {} {one} --out {}/one", corpus(), kept.path().display())).ok();
    let json = verify(&format!("{second} --before {}/one --end r", kept.path().display())).ok();
    assert_eq!((first_state(&json), &json["end_compared"]), ([false, true, false], &true.into()));
    verify(&format!("{second} --before m"))
        .refused_as("rejected", "the run does not begin its step with this model: m");
    verify(&format!("{second} --after {first} --before m")).refused_as("rejected", "begin its step with");
    // The bundle of another run's step, and one that leads elsewhere.
    let mut other: Bundle = decode(&fs::read(&first).unwrap()).unwrap();
    other.run.seed += 1;
    fs::write(kept.path().join("other"), encode(&other).unwrap()).unwrap();
    verify(&format!("{second} --after {}/other", kept.path().display())).refused_as("rejected", "another run");
    for arguments in ["--after", "--before"] {
        verify(&format!("{r} {arguments} m")).refused_as("usage", "is for a single bundle");
    }
}

/// 7.2: commitments are the same whatever the heads, the context, the angles or epsilon.
#[test]
fn a_model_of_another_configuration_is_not_the_runs() {
    let (_kept, r) = tampered();
    let dir = proven().dir.path();
    let text = fs::read_to_string(dir.join("m/config.json")).unwrap();
    let (state, end) = (fs::read(dir.join("m/state.bin")).unwrap(), fs::read(r.join("state.bin")).unwrap());
    for (key, from, to) in [
        (
            "num_attention_heads",
            vec!["\"num_attention_heads\": 2", "\"num_key_value_heads\": 2", "\"head_dim\": 8"],
            vec!["\"num_attention_heads\": 4", "\"num_key_value_heads\": 4", "\"head_dim\": 4"],
        ),
        ("max_position_embeddings", vec!["\"max_position_embeddings\": 16"], vec!["\"max_position_embeddings\": 32"]),
        ("rope_theta", vec!["1e4"], vec!["2e4"]),
        (
            "rope_scaling",
            vec!["\"rope_scaling\": null"],
            vec!["\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}"],
        ),
        ("rms_norm_eps", vec!["1e-5"], vec!["1e-6"]),
    ] {
        let changed = from.iter().zip(to).fold(text.clone(), |text, (from, to)| text.replace(from, to));
        assert_ne!(changed, text);
        let config = Config::from_json(&changed).unwrap();
        for (bytes, option) in [(&state, "genesis"), (&end, "end")] {
            let mut file: ModelState = decode(bytes).unwrap();
            file.config = config.to_json();
            fs::write(dir.join("changed.bin"), encode(&file).unwrap()).unwrap();
            run(dir, &format!("verify {} --{option} changed.bin", r.display()))
                .refused_as("rejected", &format!("its `{key}` is "));
        }
    }
}

/// 7.7: no step is proven from a state that the last proof does not lead to.
#[test]
fn a_state_of_another_history_is_not_proven_on() {
    let (_kept, r) = tampered();
    let dir = proven().dir.path();
    let resume = |more: &str| run(dir, &format!("train --resume --out {} {more}", r.display()));
    let honest = fs::read(r.join("state.bin")).unwrap();
    let mut file: ModelState = decode(&honest).unwrap();
    file.slots.get_mut(&circuits::model::Slot::Low).unwrap()[3][5] ^= 1;
    fs::write(r.join("state.bin"), encode(&file).unwrap()).unwrap();
    let answer = resume("--steps 3");
    assert!(answer.stderr.contains("train --resume --from-previous"), "{}", answer.stderr);
    answer.refused_as("file", "is not the state that");
    assert!(step(&r, 1).exists() && !step(&r, 2).exists());
    // The state before it is kept: the step is taken again, to the same state. A genesis proof that does not hold is no
    // obstacle, but it is said while there may be time.
    let proof = r.join("genesis.proof");
    let cut = &fs::read(&proof).unwrap()[..100];
    fs::write(&proof, cut).unwrap();
    let answer = resume("--from-previous --steps 2");
    assert!(answer.stderr.contains("`verify` will require --genesis"), "{}", answer.stderr);
    let json = answer.ok();
    assert_eq!((&json["steps"], &json["resumed_at"]), (&2.into(), &1.into()));
    assert_eq!(fs::read(r.join("state.bin")).unwrap(), honest);
    assert_eq!(fs::read(&proof).unwrap(), cut);
    fs::remove_file(&proof).unwrap();
    run(dir, &format!("verify {} --end r --genesis m", r.display())).ok();

    // Nor is a step proven after one whose proof does not hold, or whose bundle is another's.
    let bundle = step(&r, 1);
    let mut damaged = fs::read(&bundle).unwrap();
    let at = damaged.len() - 40;
    damaged[at] ^= 1;
    for other in [damaged, fs::read(step(&r, 0)).unwrap()] {
        fs::write(&bundle, other).unwrap();
        let answer = resume("--steps 3");
        assert!(answer.stderr.contains("train --resume --from-previous"), "{}", answer.stderr);
        answer.refused_as("rejected", "step-000001.bundle");
        assert!(!step(&r, 2).exists());
    }
}

#[test]
fn malformed_bundles_are_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("b");
    let bytes = fs::read(step(&proven().dir.path().join("r"), 0)).unwrap();
    let offsets = (0..20).chain((20..bytes.len()).step_by(bytes.len() / 40));
    for length in offsets {
        fs::write(&file, &bytes[..length]).unwrap();
        run(dir.path(), "verify b").refused_as("rejected", ": b");
    }
    let mut version = bytes.clone();
    version[8] = 9;
    fs::write(&file, version).unwrap();
    run(dir.path(), "verify b").refused_as("rejected", "the bundle has version 9; this program supports 5");
    fs::write(&file, [&bytes[..], b"x"].concat()).unwrap();
    run(dir.path(), "verify b").refused_as("rejected", "1 bytes follow the bundle");
    // Of circuits to come.
    let mut bundle: Bundle = decode(&bytes).unwrap();
    bundle.run.circuits += 1;
    fs::write(&file, encode(&bundle).unwrap()).unwrap();
    run(dir.path(), "verify b").refused_as("rejected", "uses circuit version");
}

#[test]
fn each_rule_of_a_run_has_its_error() {
    let r = proven().dir.path().join("r");
    let params = backend::parameters::load(Some(&crate::common::cache()), DEFAULT_K).unwrap().params;
    let honest: Run = decode(&fs::read(r.join("run.bin")).unwrap()).unwrap();
    let bundles: Vec<Bundle> = (0..2).map(|s| decode(&fs::read(step(&r, s)).unwrap()).unwrap()).collect();
    let keys = StepVerifier::new(&params, &honest.check().unwrap()).unwrap();
    let verify = |run: &Run, text: Option<&[u8]>, bundles: &[&Bundle]| -> Result<VerifiedRun, RunRefused> {
        let corpus = text.map(Corpus::of_bytes);
        let verifier = RunVerifier::new(&params, &keys, run, corpus.as_ref())?;
        bundles.iter().try_fold(verifier, |verifier, bundle| verifier.step(bundle))?.finish()
    };
    let refused = |bundles: &[&Bundle]| match verify(&honest, None, bundles).unwrap_err() {
        RunRefused::Step { step, source } => (step, *source),
        other => panic!("{other}"),
    };
    let [a, b] = [&bundles[0], &bundles[1]];
    let text = fs::read(corpus()).unwrap();
    assert!(verify(&honest, Some(&text), &[a, b]).unwrap().corpus);
    assert!(matches!(verify(&honest, None, &[]), Err(RunRefused::Empty)));
    assert!(matches!(verify(&honest, Some(&text[1..]), &[a, b]), Err(RunRefused::Corpus)));
    assert!(matches!(refused(&[b, a]), (0, StepError::Number { expected: 0, found: 1 })));
    assert!(matches!(refused(&[a, a]), (1, StepError::Number { expected: 1, found: 0 })));
    assert!(matches!(refused(&[b]), (0, StepError::Number { .. })));

    // A number that is changed to fit: the state does not.
    let mut replayed = a.clone();
    replayed.step = 1;
    assert!(matches!(refused(&[a, &replayed]), (1, StepError::Before { step: 1 })));
    // And with the state changed to fit: the proofs are of another state.
    replayed.before = b.before.clone();
    assert!(matches!(refused(&[a, &replayed]), (1, StepError::State { .. } | StepError::Proof { .. })));
    let mut other = b.clone();
    other.run.seed += 1;
    assert!(matches!(refused(&[a, &other]), (1, StepError::OtherRun)));
    // The whole run under another seed: the proofs' contexts differ.
    let mut first = a.clone();
    first.run.seed += 1;
    assert!(verify(&other.run, None, &[&first, &other]).is_err());
    let mut short = a.clone();
    short.contributions.pop();
    assert!(matches!(refused(&[&short]), (0, StepError::Count { .. })));
    let mut swapped = a.clone();
    swapped.contributions.swap(0, 1);
    assert!(verify(&honest, None, &[&swapped]).is_err());

    // One byte near the end of each proof of the second step: the culprit is named.
    let named = |change: &dyn Fn(&mut Bundle) -> &mut Vec<u8>| {
        let mut bundle = b.clone();
        let proof = change(&mut bundle);
        let at = proof.len() - 64;
        proof[at] ^= 1;
        match verify(&honest, None, &[a, &bundle]).unwrap_err() {
            RunRefused::Invalid(culprits) => {
                assert!(culprits.len() == 1 && culprits[0].step == Some(1), "{culprits:?}");
                culprits[0].part
            }
            other => panic!("{other}"),
        }
    };
    for c in 0..2 {
        let contribution = c as u32;
        assert_eq!(named(&|b| &mut b.contributions[c].layers[0]), Part::Layers { contribution, index: 0 });
        assert_eq!(named(&|b| &mut b.contributions[c].heads[0]), Part::Heads { contribution, index: 0 });
    }
    assert_eq!(named(&|b| &mut b.updates[0]), Part::Update { index: 0 });
    assert_eq!(named(&|b| &mut b.canonical), Part::Canonical);
}
