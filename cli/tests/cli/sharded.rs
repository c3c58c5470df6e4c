//! Weights in several files.

use crate::common::{Answer, copy, run, with_model};
use safetensors::tensor::{SafeTensors, TensorView};
use safetensors::{Dtype, serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const A: &str = "model-00001-of-00003.safetensors";
const B: &str = "model-00002-of-00003.safetensors";
const C: &str = "model-00003-of-00003.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const NORM: &str = "model.norm.weight";
const EMBEDDING: &str = "model.embed_tokens.weight";
const UP: &str = "model.layers.0.mlp.up_proj.weight";

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn tensors(file: &Path) -> Tensors {
    let bytes = fs::read(file).unwrap();
    let of =
        |(name, view): (String, TensorView<'_>)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()));
    SafeTensors::deserialize(&bytes).unwrap().tensors().into_iter().map(of).collect()
}

fn write(file: &Path, tensors: &Tensors) {
    let view = |(name, (dtype, shape, data)): (&String, &'_ (Dtype, Vec<usize>, Vec<u8>))| {
        (name.clone(), *dtype, shape.clone(), data.clone())
    };
    let owned: Vec<_> = tensors.iter().map(view).collect();
    let views =
        owned.iter().map(|(name, dtype, shape, data)| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    fs::write(file, serialize(views, Some([("format".to_owned(), "pt".to_owned())].into())).unwrap()).unwrap();
}

fn shard(name: &str) -> &'static str {
    match name {
        EMBEDDING => A,
        NORM => C,
        _ => B,
    }
}

fn write_index(dir: &Path, map: &BTreeMap<String, String>) {
    let index = json!({ "metadata": { "total_size": 29120 }, "weight_map": map });
    fs::write(dir.join(INDEX), index.to_string()).unwrap();
}

/// A directory with a model `m`, as one file in `hub` and as three in `split`.
struct Case {
    dir: tempfile::TempDir,
    map: BTreeMap<String, String>,
}

impl Case {
    fn new() -> Self {
        let dir = with_model();
        run(dir.path(), "export m --out hub").ok();
        let (hub, split) = (dir.path().join("hub"), dir.path().join("split"));
        let all = tensors(&hub.join("model.safetensors"));
        copy(&hub, &split);
        fs::remove_file(split.join("model.safetensors")).unwrap();
        for file in [A, B, C] {
            let part = all.iter().filter(|(name, _)| shard(name) == file).map(|(n, t)| (n.clone(), t.clone()));
            write(&split.join(file), &part.collect());
        }
        let map: BTreeMap<String, String> = all.keys().map(|name| (name.clone(), shard(name).to_owned())).collect();
        write_index(&split, &map);
        Case { dir, map }
    }

    fn split(&self) -> PathBuf {
        self.dir.path().join("split")
    }

    fn import(&self, from: &str, out: &str) -> Answer {
        run(self.dir.path(), &format!("import {from} --out {out}"))
    }

    fn state(&self, model: &str) -> Vec<u8> {
        fs::read(self.dir.path().join(model).join("state.bin")).unwrap()
    }

    /// What a changed index makes of the import, which writes nothing.
    fn with_index(&self, change: impl FnOnce(&mut BTreeMap<String, String>), expected: &str) {
        let mut map = self.map.clone();
        change(&mut map);
        write_index(&self.split(), &map);
        self.refused(INDEX, expected);
        write_index(&self.split(), &self.map);
    }

    /// The same of a shard.
    fn with_shard(&self, file: &str, change: impl FnOnce(&mut Tensors), expected: &str) {
        let path = self.split().join(file);
        let before = fs::read(&path).unwrap();
        let mut changed = tensors(&path);
        change(&mut changed);
        write(&path, &changed);
        self.refused(INDEX, expected);
        fs::write(&path, before).unwrap();
    }

    fn refused(&self, file: &str, expected: &str) {
        self.import("split", "bad").refused_as("file", &format!("split/{file}: {expected}"));
        assert!(!self.dir.path().join("bad").exists());
    }
}

#[test]
fn weights_in_several_files_are_those_in_one() {
    let case = Case::new();
    // With the file beside them: the state, exactly.
    assert_eq!(case.import("split", "again").ok()["sidecar"], "restored");
    assert_eq!(case.state("again"), case.state("m"));

    // Each file of another type. Eighths up to 1 are held by all three.
    let split = case.split();
    for (file, dtype) in [(A, Dtype::F32), (B, Dtype::BF16), (C, Dtype::F16)] {
        let mut part = tensors(&split.join(file));
        for (_, (kind, _, data)) in part.iter_mut() {
            let numbers = (0..data.len() / 4).map(|i| (i % 15) as f32 / 8.0 - 0.875);
            *kind = dtype;
            *data = match dtype {
                Dtype::F32 => numbers.flat_map(f32::to_le_bytes).collect(),
                Dtype::BF16 => numbers.flat_map(|x| ((x.to_bits() >> 16) as u16).to_le_bytes()).collect(),
                _ => numbers.flat_map(|x| half(x).to_le_bytes()).collect(),
            };
        }
        write(&split.join(file), &part);
    }
    let json = case.import("split", "mixed").ok();
    assert_eq!((&json["sidecar"], &json["largest_rounding_error"]), (&"unfit".into(), &0.0.into()));
    // The same numbers in one file of singles.
    let mut whole = tensors(&case.dir.path().join("hub/model.safetensors"));
    for (_, _, data) in whole.values_mut() {
        *data = (0..data.len() / 4).flat_map(|i| ((i % 15) as f32 / 8.0 - 0.875).to_le_bytes()).collect();
    }
    write(&case.dir.path().join("hub/model.safetensors"), &whole);
    case.import("hub", "single").ok();
    assert_eq!(case.state("mixed"), case.state("single"));
}

/// An F16 of a number that it holds, not subnormal.
fn half(x: f32) -> u16 {
    let bits = x.to_bits();
    let exponent = (bits >> 23 & 0xff) as u16;
    let sign = (bits >> 16) as u16 & 0x8000;
    if exponent == 0 { sign } else { sign | (exponent - 112) << 10 | (bits >> 13) as u16 & 0x3ff }
}

#[test]
fn an_index_and_files_that_do_not_fit_are_refused_by_name() {
    let case = Case::new();
    let split = case.split();
    // A file that is missing, be it a link to nowhere.
    fs::rename(split.join(C), split.join("elsewhere")).unwrap();
    case.refused(INDEX, &format!("{C} is missing; the index has `{NORM}` in it"));
    fs::rename(split.join("elsewhere"), split.join(C)).unwrap();
    // Two files that hold one tensor, whichever the index names; the same name twice in the index.
    let norm = tensors(&split.join(C))[NORM].clone();
    let put = |tensors: &mut Tensors| drop(tensors.insert(NORM.into(), norm.clone()));
    case.with_shard(A, put, &format!("`{NORM}` is in both {A} and {C}"));
    let text = fs::read_to_string(split.join(INDEX)).unwrap();
    let twice = text.replace("\"weight_map\":{", &format!("\"weight_map\":{{\"{NORM}\":\"{A}\","));
    fs::write(split.join(INDEX), twice).unwrap();
    case.refused(INDEX, &format!("the index is malformed: `{NORM}` stands twice, for {A} and for {C}"));
    // A tensor that is elsewhere, or nowhere; one that is not listed.
    case.with_index(
        |map| drop(map.insert(UP.into(), A.into())),
        &format!("`{UP}` is not in {A}, in which the index has it"),
    );
    case.with_shard(B, |t| drop(t.remove(UP)), &format!("`{UP}` is not in {B}, in which the index has it"));
    case.with_index(|map| drop(map.remove(UP)), &format!("`{UP}` is in {B}, and the index does not list it"));
    let extra = |tensors: &mut Tensors| drop(tensors.insert("model.extra".into(), norm.clone()));
    case.with_shard(C, extra, &format!("`model.extra` is in {C}, and the index does not list it"));
    // What a single file is refused for.
    case.with_shard(B, |t| t.get_mut(UP).unwrap().1.reverse(), &format!("`{UP}` has the shape [16, 44], not [44, 16]"));
    // No index, and none of the index's files.
    for (bad, expected) in [
        ("{}", "the index is malformed: missing field `weight_map`"),
        ("{\"weight_map\":{}}", "the index is malformed: it lists no tensor"),
        ("{\"weight_map\":[1]}", "the index is malformed: invalid type"),
        ("{\"weight_map\":{\"a\":1}}", "the index is malformed: invalid type"),
        ("", "the file is empty"),
        ("<!doctype html>", "this is a web page"),
    ] {
        fs::write(split.join(INDEX), bad).unwrap();
        case.refused(INDEX, expected);
    }
    write_index(&split, &case.map);
    let whole = fs::read(split.join(B)).unwrap();
    fs::write(split.join(B), &whole[..whole.len() - 1]).unwrap();
    case.refused(B, "safetensors: incomplete metadata");
    fs::write(split.join(B), [&whole[..], &vec![0; 2 << 20]].concat()).unwrap();
    case.refused(B, "the file is larger than");
    fs::write(split.join(B), whole).unwrap();
    fs::remove_file(split.join(INDEX)).unwrap();
    let message = format!("split: {INDEX} is missing: the weights are split into several files ({A})");
    case.import("split", "bad").refused_as("file", &message);
    write_index(&split, &case.map);
    case.import("split", "good").ok();
    // An index beside a single file is not read, whatever it says.
    fs::write(case.dir.path().join("hub").join(INDEX), "nonsense").unwrap();
    let answer = case.import("hub", "single");
    let warning = "hub: model.safetensors is read, and model.safetensors.index.json beside it is not";
    assert!(answer.stderr.contains(warning), "{}", answer.stderr);
    answer.ok();
    assert_eq!(case.state("single"), case.state("good"));
}

#[test]
fn an_index_names_no_file_outside_its_directory() {
    let case = Case::new();
    let (dir, split) = (case.dir.path(), case.split());
    fs::copy(split.join(C), dir.join("outside.safetensors")).unwrap();
    fs::create_dir(split.join("folder")).unwrap();
    fs::copy(split.join(C), split.join("folder/inside.safetensors")).unwrap();
    let absolute = dir.join("outside.safetensors").display().to_string();
    let split_c = format!("../split/{C}");
    for file in
        ["../outside.safetensors", &absolute, &split_c, "folder/inside.safetensors", ".", "..", "", "a\\b", "./x"]
    {
        let expected = format!("the index has `{NORM}` in {file:?}, which is not a file of this directory");
        case.with_index(|map| drop(map.insert(NORM.into(), file.into())), &expected);
    }
    #[cfg(unix)]
    links(&case);
}

/// A link out of the directory, and those that are none.
#[cfg(unix)]
fn links(case: &Case) {
    use std::os::unix::fs::symlink;
    let (dir, split) = (case.dir.path(), case.split());
    let link = |to: &Path| {
        fs::remove_file(split.join(C)).unwrap();
        symlink(to, split.join(C)).unwrap();
    };
    link(Path::new("../outside.safetensors"));
    case.refused(INDEX, &format!("the index has `{NORM}` in \"{C}\", which is not a file of this directory"));
    link(&dir.join("nowhere"));
    case.refused(INDEX, &format!("{C} is missing"));
    link(Path::new("folder/inside.safetensors"));
    case.import("split", "linked").ok();
    // As the library's cache has its files.
    let (blobs, revision) = (dir.join("models--x/blobs"), dir.join("models--x/snapshots/0123"));
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(&revision).unwrap();
    for file in [A, B, C, INDEX, "config.json", "gradientcoin.safetensors"] {
        fs::copy(split.join(file), blobs.join(file)).unwrap();
        symlink(Path::new("../../blobs").join(file), revision.join(file)).unwrap();
    }
    case.import("models--x/snapshots/0123", "cached").ok();
    assert!(case.state("cached") == case.state("linked"));
}
