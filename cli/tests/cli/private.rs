//! Private runs: what is handed over shows nothing, what is kept is needed to go on, and bad files are named before work begins.

use crate::common::{Answer, copy, corpus, program, run, with_model};
use backend::curve::{DEFAULT_K, Params};
use backend::ports::commit_canonical;
use circuits::model::file::ModelState;
use circuits::model::{Config, OptimizerKind, bytes_of_token, tokens_of_bytes};
use circuits::segments::head::batch_column;
use circuits::statements::codec::{decode, digest, encode};
use circuits::statements::dataset::{Dataset, RevealedLeaf};
use circuits::statements::hidden::Opening;
use circuits::statements::{Bundle, GenesisProof, Layouts, Run, StateCommitments, corpus_digest, model_digest};
use group::GroupEncoding;
use plonkish::field;
use prover::private::PrivateState;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

fn params() -> Params {
    backend::parameters::load(Some(&crate::common::cache()), DEFAULT_K).unwrap().params
}

fn train(more: &str) -> String {
    format!("train --private --model m --corpus {} --batch 1 --momentum 0.9 --prove {more}", corpus())
}

/// A private run of two steps, `r`, from the model `m`, and what its owner reveals.
fn proven() -> &'static Path {
    static PROVEN: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = PROVEN.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), "init --preset nano --private --out m").ok();
        run(dir.path(), &train("--steps 1 --out r")).ok();
        copy_run(&dir.path().join("r"), &dir.path().join("earlier"));
        run(dir.path(), "reveal r --out first").ok();
        run(dir.path(), "train --resume --steps 2 --out r").ok();
        run(dir.path(), "reveal r --out last").ok();
        run(dir.path(), "reveal r --leaf 7 --out seven").ok();
        dir
    });
    dir.path()
}

fn copy_run(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for part in ["public", "secret"] {
        copy(&from.join(part), &to.join(part));
    }
}

/// A copy of the run to tamper with.
fn tampered() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let r = dir.path().join("r");
    copy_run(&proven().join("r"), &r);
    (dir, r)
}

fn in_dir(arguments: &str) -> Answer {
    run(proven(), arguments)
}

#[test]
fn what_is_handed_over_is_verified_and_what_is_revealed_compared() {
    for path in ["r", "r/public"] {
        let json = in_dir(&format!("verify {path} --steps 2 --revealed last --includes seven")).ok();
        assert_eq!((&json["kind"], &json["keys"], &json["proofs"]), (&"private".into(), &"pinned".into(), &6.into()));
        assert_eq!((&json["revealed_compared"], &json["includes_compared"]), (&true.into(), &true.into()));
    }
    let bundle = in_dir("verify r/public/step-000001.bundle --after r/public/step-000000.bundle --revealed last").ok();
    assert!(bundle["steps"][0]["loss"].is_f64());
    in_dir("verify r --engine halo2").ok();
    let bundle: Bundle = decode(&fs::read(proven().join("r/public/step-000000.bundle")).unwrap()).unwrap();
    let estimate = in_dir("estimate --preset nano --private --batch 1").ok();
    assert_eq!(estimate["proof_bytes"], bundle.proof_bytes());
    // The momentum, and with it the model before, is not revealed.
    let kept: PrivateState = decode(&fs::read(proven().join("r/secret/state.bin")).unwrap()).unwrap();
    let kept = kept.model.open().unwrap().1;
    let shown: ModelState = decode(&fs::read(proven().join("last/state.bin")).unwrap()).unwrap();
    let shown = shown.open().unwrap().1;
    assert!(!kept.at_rest() && shown == kept.at_rest_of(OptimizerKind::Sgd));
    // Of an earlier step, of another tensor, of another run, nothing at all; another sequence.
    in_dir("verify r --revealed first").refused_as("rejected", "it was revealed after 1 step, and these are 2 steps");
    let dir = tempfile::tempdir().unwrap();
    let altered = |name: &str, alter: &dyn Fn(&mut Opening)| {
        let to = dir.path().join(name);
        copy(&proven().join("last"), &to);
        let mut opening: Opening = decode(&fs::read(to.join("opening.bin")).unwrap()).unwrap();
        alter(&mut opening);
        fs::write(to.join("opening.bin"), encode(&opening).unwrap()).unwrap();
        in_dir(&format!("verify r --revealed {}", to.display()))
    };
    altered("same", &|_| ()).ok();
    altered("hidden", &|o| o.hidden.swap(0, 1)).refused_as("rejected", "is different");
    altered("short", &|o| drop(o.hidden.pop())).refused_as("rejected", "is different");
    altered("other", &|o| o.run[0] ^= 1).refused_as("rejected", "it was revealed of another run");
    copy(&proven().join("last"), &dir.path().join("tensor"));
    fs::copy(proven().join("first/state.bin"), dir.path().join("tensor/state.bin")).unwrap();
    let tensor = format!("verify r --revealed {}", dir.path().join("tensor").display());
    in_dir(&tensor).refused_as("rejected", "is different");
    in_dir("verify r --revealed m").refused_as("io", "opening.bin");
    let altered = |alter: &dyn Fn(&mut RevealedLeaf)| {
        let mut leaf: RevealedLeaf = decode(&fs::read(proven().join("seven")).unwrap()).unwrap();
        alter(&mut leaf);
        let file = dir.path().join("leaf");
        fs::write(&file, encode(&leaf).unwrap()).unwrap();
        in_dir(&format!("verify r --includes {}", file.display()))
    };
    altered(&|_| ()).ok();
    altered(&|leaf| leaf.tokens[3] ^= 1).refused_as("rejected", "the tokens are not those of leaf 7");
    altered(&|leaf| leaf.tokens.truncate(16)).refused_as("rejected", "the tokens are not those of leaf 7");
    altered(&|leaf| leaf.tokens.push(0)).refused_as("rejected", "the tokens are not those of leaf 7");
    altered(&|leaf| leaf.index = 6).refused_as("rejected", "leaf 6");
    altered(&|leaf| leaf.blind += leaf.blind).refused_as("rejected", "the tokens are not those of leaf 7");
    in_dir("reveal r --out last").refused_as("usage", "last exists already");
    in_dir("reveal r --leaf 10627 --out beyond").refused_as("usage", "leaf 10627 does not exist among 10627");
    in_dir("verify r --includes m/state.bin").refused_as("rejected", "this is not a valid revealed sequence");
}

/// Every byte of what is handed over: no canonical commitment, no digest of a corpus, a model or a state, no weight.
#[test]
fn nothing_that_is_handed_over_follows_from_weights_or_data() {
    let (params, layouts) = (params(), Layouts::new(&Config::NANO));
    let mut files: Vec<(PathBuf, Vec<u8>)> = vec![];
    for entry in fs::read_dir(proven().join("r/public")).unwrap() {
        let path = entry.unwrap().path();
        files.push((path.clone(), fs::read(path).unwrap()));
    }
    assert_eq!(files.len(), 4);
    let windows: BTreeSet<&[u8]> = files.iter().flat_map(|(_, bytes)| bytes.windows(32)).collect();
    let mut guesses: Vec<Vec<u8>> = vec![];
    let text = fs::read(corpus()).unwrap();
    let mut states = vec![];
    for state in ["earlier/secret/state.bin", "r/secret/state.bin"] {
        let kept: PrivateState = decode(&fs::read(proven().join(state)).unwrap()).unwrap();
        guesses.push(digest(b"gradcoin-input--", &encode(&kept.model).unwrap()).to_vec());
        states.push(kept.model.open().unwrap().1);
    }
    states.extend(states[0].before());
    // Tensors as they would be encoded, canonical commitments, their digests; differences of two of them.
    let mut canonical = vec![];
    for state in &states {
        for tensor in state.w.iter() {
            guesses.push(tensor.data.iter().flat_map(|x| x.to_le_bytes()).take(32).collect());
        }
        let committed: StateCommitments = layouts.commit_state(&params, state).unwrap();
        guesses.push(committed.digest().to_vec());
        guesses.push(model_digest(&Config::NANO, &committed.digest()).to_vec());
        canonical.extend(committed.points().unwrap());
    }
    let public = Dataset::new(&params, Config::NANO.context, &tokens_of_bytes(&text)).unwrap();
    guesses.extend([corpus_digest(&text).to_vec(), public.root().hash().to_vec()]);
    for index in 0..public.root().leaves() {
        guesses.push(public.commitment(index).unwrap().to_vec());
    }
    let run: Run = decode(&fs::read(proven().join("r/public/run.bin")).unwrap()).unwrap();
    let circuits::statements::RunData::Dataset(root) = run.data else { panic!("no data set") };
    for index in run.assigned_leaves(&root, 0).concat() {
        let tokens = public.tokens(index).unwrap();
        let text: Vec<u8> = tokens.iter().copied().flat_map(bytes_of_token).collect();
        guesses.push(text.repeat(2)[..32].to_vec());
        let column: Vec<_> = batch_column(tokens).into_iter().map(field).collect();
        canonical.push(commit_canonical(&params, &column).unwrap());
    }
    guesses.extend(canonical.iter().map(|point| point.to_bytes().to_vec()));
    // The commitment of a zero column is that of a first state's momentum, whatever its weights are.
    let zero = commit_canonical(&params, &[]).unwrap().to_bytes().to_vec();
    let found: Vec<&Vec<u8>> = guesses.iter().filter(|guess| **guess != zero && windows.contains(&guess[..])).collect();
    assert!(guesses.len() > 10_000 && found.is_empty(), "{} of {} found", found.len(), guesses.len());
    // Nor is the difference of two commitments that are handed over that of two canonical ones.
    let bundle: Bundle = decode(&fs::read(proven().join("r/public/step-000001.bundle")).unwrap()).unwrap();
    let before = bundle.before.points().unwrap();
    let of_canonical: BTreeSet<[u8; 32]> =
        canonical.iter().flat_map(|a| canonical.iter().map(move |b| difference(*a, *b))).collect();
    let nothing = difference(canonical[0], canonical[0]);
    for (i, a) in before.iter().enumerate() {
        for b in &before[..i] {
            let found = difference(*a, *b);
            assert!(found == nothing || !of_canonical.contains(&found));
        }
    }
}

fn difference(a: backend::curve::Point, b: backend::curve::Point) -> [u8; 32] {
    use group::{Curve, CurveAffine};
    (a.to_curve() - b).to_affine().to_bytes()
}

/// A run of 20 steps, killed at 20 moments: it is resumed, no commitment of one proof occurs in another.
#[test]
fn a_private_run_survives_kills_and_repeats_nothing() {
    let dir = with_model();
    let dir = dir.path();
    // Moments of all kinds: while it begins, within proofs, while files are written.
    let mut seed = 0x9e37_79b9_u64;
    let mut moment = |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((seed >> 33) % most)
    };
    let mut published: BTreeSet<Vec<u8>> = BTreeSet::new();
    let publish = |published: &mut BTreeSet<Vec<u8>>| {
        let Ok(entries) = fs::read_dir(dir.join("r/public")) else { return };
        for path in entries.map(|entry| entry.unwrap().path()) {
            // What is under no name that counts may be cut short.
            if path.extension().is_some_and(|end| end == "bundle" || end == "proof") {
                published.insert(fs::read(path).unwrap());
            }
        }
    };
    let train = train("--steps 20 --out r --resume");
    let mut killed = 0;
    let bundles = || fs::read_dir(dir.join("r/public")).map_or(0, Iterator::count);
    for kill in 0..20 {
        let before = bundles();
        let mut command = program(dir);
        let mut child = command.args(train.split(' ')).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Every other time it first takes a step, however slow the machine is.
        while kill % 2 == 1 && bundles() <= before && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(moment(if kill % 2 == 1 { 300 } else { 800 }));
        killed += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        publish(&mut published);
    }
    assert!(killed >= 15, "the run was at work {killed} times");
    let json = run(dir, &train).ok();
    assert!(json["resumed_at"].as_u64().unwrap() > 0);
    publish(&mut published);
    let json = run(dir, "verify r --steps 20").ok();
    assert_eq!(json["proofs"], 60);
    // All that ever lay there, repeated steps included. The commitments of each proof stand at its head.
    let keys = verifier::StepVerifier::of(&params(), circuits::segments::Privacy::Private, &Config::NANO).unwrap();
    let mut seen = BTreeSet::new();
    let mut proofs = |proofs: &[Vec<u8>], key: &backend::keys::VerifyingKey, instances: usize| {
        for proof in proofs {
            assert_eq!(proof.len(), key.shape.proof_length(instances));
            let heads = proof.as_chunks::<32>().0[..instances * key.shape.advice].iter();
            heads.for_each(|point| assert!(seen.insert(*point), "a commitment occurs twice"));
        }
    };
    let mut nonces = BTreeSet::new();
    for bytes in &published {
        if let Ok(bundle) = decode::<Bundle>(bytes) {
            bundle.contributions.iter().for_each(|c| {
                proofs(&c.layers, &keys.keys().layer, 1);
                proofs(&c.heads, &keys.keys().head, 1);
            });
            proofs(&bundle.updates, &keys.keys().update, 2);
            assert!(nonces.insert(bundle.private.unwrap().span[..32].to_vec()), "a nonce occurs twice");
        } else {
            let genesis: GenesisProof = decode(bytes).unwrap();
            proofs(&genesis.updates, &keys.keys().update, 2);
        }
    }
    assert!(nonces.len() >= 20);
}

#[test]
fn secrets_that_are_lost_or_anothers_are_named_before_work_begins() {
    let resume =
        |dir: &tempfile::TempDir, more: &str| run(dir.path(), &format!("train --resume --steps 3 --out r {more}"));
    let public = |r: &Path| -> Vec<Vec<u8>> {
        let mut files: Vec<PathBuf> = fs::read_dir(r.join("public")).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| fs::read(file).unwrap()).collect()
    };
    // Another run's, of the same model and data.
    let other = tempfile::tempdir().unwrap();
    copy(&proven().join("m"), &other.path().join("m"));
    run(other.path(), &train("--steps 1 --out r")).ok();
    for (name, text) in [("state.bin", "another run"), ("dataset.secret", "another data set")] {
        let (dir, r) = tampered();
        let before = public(&r);
        fs::copy(other.path().join("r/secret").join(name), r.join("secret").join(name)).unwrap();
        resume(&dir, "").refused(3, text);
        assert_eq!(public(&r), before);
    }
    // Truncated, lost.
    for name in ["state.bin", "dataset.secret"] {
        let (dir, r) = tampered();
        let path = r.join("secret").join(name);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        resume(&dir, "").refused(3, "damaged");
        fs::remove_file(&path).unwrap();
        resume(&dir, "").refused(3, name);
    }
    #[cfg(unix)]
    for name in ["state.bin", "dataset.secret"] {
        use std::os::unix::fs::PermissionsExt;
        let (dir, r) = tampered();
        let path = r.join("secret").join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        resume(&dir, "").refused(3, "others may read or write it: its mode is 644 (chmod 600)");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        resume(&dir, "").ok();
        let mode = |name: &str| fs::metadata(r.join("secret").join(name)).unwrap().permissions().mode() & 0o777;
        for name in ["state.bin", "state.previous.bin", "dataset.secret", "log.jsonl", "train.json"] {
            assert_eq!(mode(name), 0o600, "{name}");
        }
    }
    // One step back, where the last state is damaged: the step is proven again, with other blinds.
    let (dir, r) = tampered();
    let bundle = fs::read(r.join("public/step-000001.bundle")).unwrap();
    fs::write(r.join("secret/state.bin"), [0; 40]).unwrap();
    resume(&dir, "--from-previous").ok();
    assert_ne!(fs::read(r.join("public/step-000001.bundle")).unwrap(), bundle);
    run(dir.path(), "verify r --steps 3").ok();
    // The genesis proof hides the first state in one proof alone: it is not made again.
    fs::remove_file(r.join("public/genesis.proof")).unwrap();
    let answer = run(dir.path(), "train --resume --steps 4 --out r");
    assert!(answer.stderr.contains("no verifier accepts the run; begin it anew"), "{}", answer.stderr);
    answer.ok();
    let missing = run(dir.path(), "verify r");
    assert!(!missing.stderr.contains("--genesis"), "{}", missing.stderr);
    missing.refused_as("rejected", "genesis.proof is missing");
    // All of it lost.
    fs::remove_dir_all(r.join("secret")).unwrap();
    resume(&dir, "").refused_as("usage", "r/secret is missing: without it the run cannot go on");
}

#[test]
fn wrong_usage_of_private_runs_is_said() {
    let dir = with_model();
    let dir = dir.path();
    let public = format!("train --model m --corpus {} --steps 1 --batch 1", corpus());
    run(dir, &format!("{public} --private --out x")).refused_as("usage", "--private needs --prove");
    run(dir, &format!("{public} --losses 3 --out x")).refused_as("usage", "--losses is for a private run");
    run(dir, &format!("{public} --private --prove --losses 0 --out x"))
        .refused(2, "`step`, `none`, or a number of steps");
    run(dir, "init --preset nano --private --seed 3 --out x").refused(2, "cannot be used with");
    assert!(!dir.join("x").exists());
    // A data set that was committed to before, privately.
    let commit = format!("dataset commit {} --preset nano --private secret --out root", corpus());
    let root = run(dir, &commit).ok()["root"].as_str().unwrap().to_owned();
    run(dir, &commit).refused_as("usage", "exists already");
    let with = "--private --prove --losses none";
    run(dir, &format!("{public} {with} --dataset root --out x")).refused_as("usage", "needs --dataset-secret");
    let other = format!("{}:10627", "7".repeat(64));
    run(dir, &format!("{public} {with} --dataset {other} --dataset-secret secret --out x"))
        .refused_as("file", "this is the secret of another data set");
    run(dir, &format!("{public} --dataset root --out x")).refused_as("file", "this corpus is another data set");
    run(dir, &format!("{public} {with} --dataset-secret secret --out r")).ok();
    let json = run(dir, "verify r --dataset root").ok();
    assert_eq!((&json["dataset"], &json["steps"][0]["loss"]), (&root.into(), &serde_json::Value::Null));
    let text = fs::read(corpus()).unwrap();
    assert_ne!(json["dataset"], format!("{:?}", corpus_digest(&text)));
    for option in ["--genesis m", "--end m", &format!("--corpus {}", corpus())] {
        run(dir, &format!("verify r {option}")).refused_as("usage", "canonical commitments");
    }
    run(dir, "train --resume --steps 2 --losses step --out r").refused_as("usage", "--losses is not what the run");
    // What a killed process left before the run had begun does not become a public run.
    fs::create_dir_all(dir.join("k/secret")).unwrap();
    run(dir, &format!("{public} --resume --out k"))
        .refused_as("usage", "repeat the command that began it, with --private");
    // A private model tells of itself where it is used in public.
    run(dir, "init --preset nano --private --out s").ok();
    #[cfg(unix)]
    {
        let guessable = run(dir, &format!("{public} {with} --dataset-secret secret --out u"));
        assert!(guessable.stderr.contains("others may read this model"), "{}", guessable.stderr);
        let warned = run(dir, &format!("{} --out t", public.replace("--model m", "--model s")));
        assert!(warned.stderr.contains("only you may read this model, and the run is public"), "{}", warned.stderr);
        assert!(run(dir, "export s --out hf").stderr.contains("the model is private"));
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(dir.join("hf/model.safetensors")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(run(dir, "generate --model r --prompt a --tokens 1").ok()["model_digest"], serde_json::Value::Null);
    assert!(run(dir, "generate --model m --prompt a --tokens 1").ok()["model_digest"].is_string());
    run(dir, "inspect root").ok();
    // A public run reveals nothing, and is none of a private one.
    run(dir, &format!("{public} --prove --out p")).ok();
    run(dir, "reveal p --out q").refused_as("usage", "is not the directory of a private run");
    run(dir, "verify p --revealed m").refused_as("usage", "this one is public");
    run(dir, "verify p --includes root").refused_as("usage", "this one is public");
    run(dir, "train --resume --private --steps 2 --out p").refused_as("usage", "--private is not what the run");
    // The files of one kind in the other's directory.
    fs::copy(dir.join("r/public/step-000000.bundle"), dir.join("p/step-000000.bundle")).unwrap();
    run(dir, "verify p").refused_as("rejected", "belongs to another run");
    fs::copy(dir.join("p/genesis.proof"), dir.join("r/public/genesis.proof")).unwrap();
    run(dir, "verify r").refused_as("rejected", "(genesis proof)");
}
