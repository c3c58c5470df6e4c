//! What the user sees: results on stdout; progress and warnings on stderr.

use crate::error::CliError;
pub use crate::output::Output;
use backend::curve::Params;
use backend::parameters;
use circuits::model::Config;
use etcetera::BaseStrategy;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Writes a failure for machines, with what else there is to say.
pub fn print_failure(kind: &str, message: &str, report: Option<&Value>) {
    let _ = writeln!(io::stdout(), "{}", failure(kind, message, report));
}

fn failure(kind: &str, message: &str, report: Option<&Value>) -> Value {
    let mut failure = json!({ "ok": false, "kind": kind, "error": message });
    if let (Value::Object(failure), Some(Value::Object(report))) = (&mut failure, report) {
        for (key, value) in report {
            failure.entry(key).or_insert_with(|| value.clone());
        }
    }
    failure
}

/// How to talk to the user.
#[derive(Clone)]
pub struct Ui {
    json: bool,
    cache: Option<PathBuf>,
}

impl Ui {
    /// With `--json` and `--cache` as given.
    pub fn new(json: bool, cache: Option<PathBuf>) -> Self {
        Ui { json, cache }
    }

    /// Writes the result. Whoever closes stdout early wants no more of it.
    pub fn print(&self, output: &Output) {
        let text = if self.json { output.json.to_string() } else { output.text.clone() };
        let _ = writeln!(io::stdout(), "{text}");
    }

    /// Writes text of a result that comes bit by bit; nothing with `--json`.
    pub fn say(&self, text: &str) {
        if !self.json {
            let _ = writeln!(io::stdout(), "{text}");
        }
    }

    /// Writes part of a line at once, control characters but for tabs and new lines replaced: it may come from anyone,
    /// and they steer a terminal. Nothing with `--json`. False once stdout is closed: nobody wants more.
    pub fn stream(&self, text: &str) -> bool {
        let harmless = |c: char| if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c };
        let text: String = text.chars().map(harmless).collect();
        let mut stdout = io::stdout();
        self.json || stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
    }

    /// Whether the result is for a machine.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Writes a failure.
    pub fn fail(&self, error: &CliError) {
        let _ = writeln!(io::stderr(), "error: {error}");
        if self.json {
            print_failure(error.kind(), &error.to_string(), error.report());
        }
    }

    /// Says how far a long command is, where a bar would be gone.
    pub fn progress(&self, text: &str) {
        if !self.json {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Warns.
    pub fn warn(&self, text: &str) {
        let _ = writeln!(io::stderr(), "warning: {text}");
    }

    /// A bar of `length` units, from `position` on; `template` is indicatif's, of at most one line of 80 columns.
    pub fn bar(&self, length: u64, position: u64, template: &str) -> ProgressBar {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.bar_of(length, style).with_position(position);
        // The estimate is of what is left, not of what an earlier session did.
        bar.reset_eta();
        bar
    }

    /// A bar of a style.
    pub fn bar_of(&self, length: u64, style: ProgressStyle) -> ProgressBar {
        let target = if self.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        ProgressBar::with_draw_target(Some(length), target).with_style(style)
    }

    /// Something that takes a while and does not say how far it is.
    pub fn spinner(&self, text: &str) -> Spinner {
        let bar = self.bar(1, 0, "{spinner} {msg} ({elapsed})");
        bar.set_prefix(text.to_owned());
        bar.set_message(text.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Spinner(bar)
    }

    /// The directory of what is cached, if there is any.
    pub fn cache_dir(&self) -> Option<PathBuf> {
        self.cache.clone().or_else(default_cache)
    }

    /// The commitment scheme's parameters for a model's circuits, from the cache where possible.
    pub fn params(&self, config: &Config) -> Result<Params, CliError> {
        let _spinner = self.spinner("parameters");
        let dir = self.cache_dir();
        let loaded = parameters::load(dir.as_deref(), config.k())?;
        let file = dir.map(|dir| parameters::path(&dir, config.k()));
        self.tell_of_cache("parameters", &file.unwrap_or_default(), &loaded.origin, loaded.not_written);
        Ok(loaded.params)
    }
}

fn default_cache() -> Option<PathBuf> {
    let named = std::env::var_os("GRADIENTCOIN_CACHE").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("gradientcoin")))
}

/// Goes away when dropped.
pub struct Spinner(ProgressBar);

impl Spinner {
    /// Says how many of the things that take a while are done, and how long each took.
    pub fn done(&self, done: usize, of: usize) {
        let each = self.0.elapsed().as_secs_f64() / done.max(1) as f64;
        let what = self.0.prefix();
        self.0.set_message(format!("{what}: {done} of {of}, {each:.1} s each"));
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CliError;

    /// 7.22: of an audit that found holes, a machine is told the error and all of the report.
    #[test]
    fn a_failed_audit_is_one_whole_document() {
        let error = CliError::Free { holes: 2, report: json!({ "circuits": [{ "circuit": "toy" }], "ok": true }) };
        assert_eq!((error.exit_code(), error.kind()), (1, "rejected"));
        let document = failure(error.kind(), &error.to_string(), error.report());
        let expected = json!({
            "ok": false,
            "kind": "rejected",
            "error": "the search found 2 holes in the circuits",
            "circuits": [{ "circuit": "toy" }],
        });
        assert_eq!(document, expected);
        assert_eq!(failure("usage", "no", None), json!({ "ok": false, "kind": "usage", "error": "no" }));
    }
}
