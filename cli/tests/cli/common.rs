//! Running the program.

use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The corpus of the fixtures.
pub fn corpus() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/corpus/stories.txt").to_owned()
}

/// Parameters are made once for all tests.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("gradientcoin-cache")
}

/// The program with `--json` and a cache.
pub fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradientcoin"));
    command.current_dir(dir).env("GRADIENTCOIN_CACHE", cache()).arg("--json");
    // Nobody's own key is touched.
    command.env("GRADIENTCOIN_KEY", dir.join("default.key"));
    command
}

/// What the program answered.
pub struct Answer {
    pub code: i32,
    pub json: Value,
    pub stderr: String,
}

impl Answer {
    pub fn of(output: &Output) -> Self {
        Answer {
            // No code: a signal.
            code: output.status.code().unwrap_or(-1),
            json: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.code, 0, "{}", self.stderr);
        assert_eq!(self.json["ok"], true);
        self.json
    }

    /// Success, with a warning that holds `text`.
    #[track_caller]
    pub fn warned(self, text: &str) -> Value {
        assert!(self.stderr.contains(text), "`{text}` is not in: {}", self.stderr);
        self.ok()
    }

    /// Verified, but only on a condition: an exit code of its own.
    #[track_caller]
    pub fn conditional(self) -> Value {
        assert_eq!(self.code, 4, "{}", self.stderr);
        assert_eq!((&self.json["ok"], &self.json["verdict"]), (&Value::Bool(false), &"conditional".into()));
        self.json
    }

    /// Failure with this exit code, a message that holds `text`, and no panic.
    #[track_caller]
    pub fn refused(self, code: i32, text: &str) {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert!(self.stderr.contains(text), "`{text}` is not in: {}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }

    /// As [`Self::refused`], with the error on stdout as well, of this kind.
    #[track_caller]
    pub fn refused_as(self, kind: &str, text: &str) {
        assert_eq!((&self.json["ok"], &self.json["kind"]), (&Value::Bool(false), &kind.into()), "{}", self.stderr);
        assert!(self.json["error"].as_str().unwrap().contains(text), "`{text}` is not in: {}", self.json);
        let code = match kind {
            "rejected" => 1,
            "usage" => 2,
            "interrupted" => 130,
            _ => 3,
        };
        self.refused(code, text);
    }
}

/// Runs the program in `dir`; arguments are separated by spaces.
pub fn run(dir: &Path, arguments: &str) -> Answer {
    run_with(dir, arguments.split_whitespace())
}

/// Runs the program in `dir`.
pub fn run_with(dir: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Answer {
    Answer::of(&program(dir).args(arguments).output().unwrap())
}

/// A directory with the model `m`: nano, seed 1.
pub fn with_model() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "init --preset nano --seed 1 --out m").ok();
    dir
}

/// Copies a directory of files.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
