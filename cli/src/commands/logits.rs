//! `logits`: the numbers from which a model's next token follows.

use super::generate::Source;
use crate::commands::chain::describe::joined;
use crate::error::CliError;
use crate::files::MAX_TEXT;
use crate::ui::{Output, Ui};
use circuits::model::{MAX_VOCAB, START, Spec, Token, logits};
use serde_json::{Value, json};
use std::io::{self, IsTerminal, Read};
use tokenizer::Tokenizer;

/// Fractional bits of a logit.
const FRAC: u32 = 24;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Text after which the logits are; an empty one stands for the beginning of a line. Without it, stdin is read, whatever its bytes.
    /// The model sees the last tokens that fit its context
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Show the K largest
    #[arg(long, value_name = "K", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=MAX_VOCAB as u64))]
    top: u64,
    /// Show those after each token that the model sees, not after the last alone
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let model = args.source.load(ui)?;
    let text = match args.prompt {
        Some(prompt) => prompt.into_bytes(),
        None => piped()?,
    };
    let prompt = model.prompt(&text)?;
    let spec = Spec::new(model.config);
    let tokenizer = &model.tokenizer;
    let place = if tokenizer.is_bytes() { "byte" } else { "token" };
    let prompt_bytes = text.len();
    let mut seen = prompt[prompt.len().saturating_sub(spec.config.context)..].to_vec();
    let first = prompt.len() - seen.len();
    if seen.is_empty() {
        seen.push(if usize::from(START) < spec.config.vocab { START } else { 0 });
    }
    let found = logits(&spec, &model.state.w, &seen)?;
    let from = if args.all { 0 } else { found.rows - 1 };
    let (mut text, mut positions) = (vec![], vec![]);
    for (t, &token) in seen.iter().enumerate().skip(from) {
        let largest = largest(found.row(t), args.top as usize);
        text.push(format!("after {} at {place} {}:", shown(token, tokenizer), first + t));
        let names: Vec<String> = largest.iter().map(|&(token, _)| shown(token, tokenizer)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default().max(4);
        text.extend(names.iter().zip(&largest).map(|(name, &(_, logit))| {
            format!("  {name:>width$}  {logit:>20}/2^{FRAC} = {:>12.6}", logit as f64 / f64::from(1 << FRAC))
        }));
        let rows: Vec<Value> = largest
            .iter()
            .map(|&(token, logit)| json!({ "token": token, "logit": logit as i64, "decimal": decimal(logit) }))
            .collect();
        positions.push(json!({ "position": first + t, "token": token, "logits": rows }));
    }
    let json = json!({
        "ok": true,
        "prompt_bytes": prompt_bytes,
        "prompt_tokens": prompt.len(),
        "frac_bits": FRAC,
        "positions": positions,
    });
    Ok(Output { text: text.join("\n"), json: joined([json, model.facts]) })
}

/// What is piped in.
fn piped() -> Result<Vec<u8>, CliError> {
    let mut stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(CliError::Usage("specify a text with --prompt, or pipe one in".into()));
    }
    let mut bytes = vec![];
    let read = Read::take(&mut stdin, MAX_TEXT + 1).read_to_end(&mut bytes);
    read.map_err(|source| CliError::Io { action: "read", path: "stdin".into(), source })?;
    if bytes.len() as u64 > MAX_TEXT {
        return Err(CliError::Usage(format!("stdin has more than {MAX_TEXT} bytes")));
    }
    Ok(bytes)
}

/// The largest first; of equal ones the one that greedy sampling takes, the first.
fn largest(logits: &[i128], k: usize) -> Vec<(Token, i128)> {
    let mut all: Vec<(Token, i128)> = (0..=Token::MAX).zip(logits.iter().copied()).collect();
    all.sort_by_key(|&(token, logit)| (std::cmp::Reverse(logit), token));
    all.truncate(k);
    all
}

/// A token for people: its byte, if that is visible; of a tokenizer, its text, if that is characters, or its number.
fn shown(token: Token, tokenizer: &Tokenizer) -> String {
    let bytes = tokenizer.bytes_of(token);
    match u8::try_from(token) {
        Ok(byte) if tokenizer.is_bytes() && byte.is_ascii_graphic() => format!("'{}'", char::from(byte)),
        _ if tokenizer.is_bytes() => format!("{token:#04x}"),
        _ => String::from_utf8(bytes).map_or_else(|_| format!("#{token}"), |text| format!("{text:?}")),
    }
}

/// All digits of a logit. There are at most 24 after the point, as 2^-24 has.
fn decimal(logit: i128) -> String {
    let (sign, magnitude) = (if logit < 0 { "-" } else { "" }, logit.unsigned_abs());
    // Below 2^24 · 5^24 · 2^24 < 10^24: a logit has less than 57 bits.
    let fraction = (magnitude & ((1 << FRAC) - 1)) * 5u128.pow(FRAC);
    let digits = format!("{fraction:024}");
    let digits = digits.trim_end_matches('0');
    let point = if digits.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{digits}", magnitude >> FRAC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_digits_of_a_logit() {
        for (logit, text) in [
            (0, "0"),
            (1 << 24, "1"),
            (-(3 << 23), "-1.5"),
            (1, "0.000000059604644775390625"),
            (-1, "-0.000000059604644775390625"),
            ((1 << 56) - 1, "4294967295.999999940395355224609375"),
        ] {
            assert_eq!(decimal(logit), text);
        }
    }

    proptest! {
        /// 53 bits are a double: its own digits say the same.
        #[test]
        fn digits_are_those_of_a_double(logit in -(1i64 << 53)..1 << 53) {
            prop_assert_eq!(decimal(logit.into()).parse::<f64>().unwrap(), logit as f64 / 16_777_216.0);
        }
    }

    #[test]
    fn the_largest_come_first_and_of_equal_ones_the_first() {
        assert_eq!(largest(&[3, 9, -1, 9], 3), [(1, 9), (3, 9), (0, 3)]);
        assert_eq!(largest(&[3, 9], 10).len(), 2);
    }
}
