//! What a command says.

use serde_json::Value;

/// A command's result, for people and for machines.
#[derive(Debug)]
pub struct Output {
    /// Text, without a newline at the end.
    pub text: String,
    /// The same as JSON.
    pub json: Value,
}
