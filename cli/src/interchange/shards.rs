//! Weights in several files, as `transformers` writes large models: `model.safetensors.index.json` says which tensor is in which file.

use super::error::InterchangeError;
use super::views::Views;
use super::{HEADER_LIMIT, WEIGHTS_FILE, weights_limit};
use crate::error::CliError;
use crate::files::{self, MAX_TEXT};
use crate::stray::Stray;
use circuits::model::Config;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, de};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// Which tensor is in which file.
pub const INDEX_FILE: &str = "model.safetensors.index.json";

/// The content of the index; what else it says, of sizes for instance, is not needed.
#[derive(Debug, Deserialize)]
struct Index {
    /// Name of the tensor, name of the file.
    weight_map: WeightMap,
}

#[derive(Debug)]
struct WeightMap(BTreeMap<String, String>);

/// A JSON object in which no name stands twice: of two, a reader would silently take one.
impl<'de> Deserialize<'de> for WeightMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = WeightMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors and files")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<WeightMap, A::Error> {
                let mut map: BTreeMap<String, String> = BTreeMap::new();
                while let Some((name, file)) = access.next_entry::<String, String>()? {
                    if let Some(other) = map.insert(name.clone(), file.clone()) {
                        return Err(de::Error::custom(format!("`{name}` stands twice, for {other} and for {file}")));
                    }
                }
                if map.is_empty() { Err(A::Error::custom("it lists no tensor")) } else { Ok(WeightMap(map)) }
            }
        }
        deserializer.deserialize_map(Once)
    }
}

/// The files of a model's weights, read.
pub struct Shards {
    map: BTreeMap<String, String>,
    files: Vec<(String, Vec<u8>)>,
}

impl Shards {
    /// Reads the index of a directory and every file that it names.
    pub fn read(dir: &Path, config: &Config) -> Result<Self, CliError> {
        let index = dir.join(INDEX_FILE);
        let of_index = |error: InterchangeError| CliError::file(&index)(error);
        let bytes = files::read(&index, MAX_TEXT)?;
        if let Some(stray) = Stray::of_text(&bytes) {
            return Err(CliError::file(&index)(stray));
        }
        let parsed: Result<Index, _> = serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes));
        let map = parsed.map_err(|e| of_index(InterchangeError::Index { fault: e.to_string() }))?.weight_map.0;
        // By the name of the file, with a tensor in it for messages. All are looked at before any is read.
        let named: BTreeMap<&str, &str> = map.iter().map(|(tensor, file)| (file.as_str(), tensor.as_str())).collect();
        let paths = named.iter().map(|(file, tensor)| Ok((*file, inside(dir, file, tensor)?)));
        let paths: Vec<(&str, PathBuf)> = paths.collect::<Result<_, InterchangeError>>().map_err(of_index)?;
        let mut left = weights_limit(config).saturating_add(HEADER_LIMIT.saturating_mul(paths.len() as u64));
        let mut files = vec![];
        for (file, path) in paths {
            let bytes = files::read(&path, left.min(weights_limit(config)))?;
            left = left.saturating_sub(bytes.len() as u64);
            files.push((file.to_owned(), bytes));
        }
        Ok(Shards { map, files })
    }

    /// The tensors of all files: each where the index has it, and nowhere else.
    pub fn views(&self, dir: &Path) -> Result<Views<'_>, CliError> {
        let index = dir.join(INDEX_FILE);
        let mut held: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let mut all: Option<Views<'_>> = None;
        let mut views = vec![];
        for (file, bytes) in &self.files {
            let of_file = Views::of(bytes).map_err(CliError::file(&dir.join(file)))?;
            held.insert(file, of_file.names().map(str::to_owned).collect());
            views.push(of_file);
        }
        self.check(&held).map_err(CliError::file(&index))?;
        for of_file in views {
            match &mut all {
                None => all = Some(of_file),
                Some(all) => all.append(of_file),
            }
        }
        all.ok_or_else(|| CliError::file(&index)(InterchangeError::Index { fault: "it lists no tensor".into() }))
    }

    fn check(&self, held: &BTreeMap<&str, BTreeSet<String>>) -> Result<(), InterchangeError> {
        let mut found: BTreeMap<&str, &str> = BTreeMap::new();
        for (file, names) in held {
            for name in names {
                if let Some(first) = found.insert(name, file) {
                    let files = [first, file].map(|file| (*file).to_owned());
                    return Err(InterchangeError::Twice { name: name.clone(), files });
                }
            }
        }
        if let Some((name, file)) =
            self.map.iter().find(|(name, file)| held.get(file.as_str()).is_none_or(|names| !names.contains(*name)))
        {
            return Err(InterchangeError::NotInShard { name: name.clone(), file: file.clone() });
        }
        match found.into_iter().find(|(name, _)| !self.map.contains_key(*name)) {
            Some((name, file)) => Err(InterchangeError::Unlisted { name: name.to_owned(), file: file.to_owned() }),
            None => Ok(()),
        }
    }
}

/// The path of a file that an index names: one of the directory itself. A link may lead elsewhere within it, or, as the library's cache
/// has it, from `snapshots/REVISION` to the `blobs` beside.
fn inside(dir: &Path, file: &str, tensor: &str) -> Result<PathBuf, InterchangeError> {
    let outside = || InterchangeError::Outside { name: tensor.to_owned(), file: file.to_owned() };
    let mut components = Path::new(file).components();
    let (Some(Component::Normal(_)), None) = (components.next(), components.next()) else { return Err(outside()) };
    // Also what another system takes for a folder.
    if file.contains(['/', '\\']) {
        return Err(outside());
    }
    let path = dir.join(file);
    let missing = |_| InterchangeError::MissingShard { name: tensor.to_owned(), file: file.to_owned() };
    let (target, home) = (path.canonicalize().map_err(missing)?, dir.canonicalize().map_err(missing)?);
    let snapshots = home.parent().filter(|parent| parent.ends_with("snapshots"));
    let blobs = snapshots.and_then(Path::parent).map(|repository| repository.join("blobs"));
    let is_within = |root: &Path| target.starts_with(root);
    if is_within(&home) || blobs.is_some_and(|blobs| is_within(&blobs)) { Ok(path) } else { Err(outside()) }
}

/// Where the weights of a directory are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// In one file; an index that is there as well is ignored, as the library ignores it.
    Single {
        /// Whether there is one.
        index: bool,
    },
    /// In those that the index names.
    Sharded,
    /// Nowhere.
    Nowhere,
}

impl Found {
    /// Looks for them.
    pub fn of(dir: &Path) -> Self {
        let index = dir.join(INDEX_FILE).exists();
        match (dir.join(WEIGHTS_FILE).exists(), index) {
            (true, index) => Found::Single { index },
            (false, true) => Found::Sharded,
            (false, false) => Found::Nowhere,
        }
    }
}
