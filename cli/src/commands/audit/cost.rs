//! What circuits cost, and how that differs between versions and configurations.

use crate::error::{CliError, FileError};
use crate::files;
use crate::format::hex;
use crate::model_dir;
use crate::ui::Output;
use audit::Cost;
use backend::keys::{Item, Shape};
use circuits::model::{Config, Spec};
use circuits::segments::{Circuits, SegmentKind, Variant};
use circuits::statements::{Extent, StepSize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Arguments.
#[derive(clap::Args)]
pub struct DiffArgs {
    /// Presets separated by commas, a `config.json`, or what `audit --cost --json` wrote
    before: String,
    /// The same
    after: String,
}

/// What the circuits of a configuration and the proofs of a step of batch 1 cost.
pub fn of(config: Config, variant: Variant) -> Result<Value, CliError> {
    let spec = Spec::new(config);
    let circuits = Circuits::of(&spec, variant);
    let size = StepSize::of(&spec.config, &circuits, Extent::default())?;
    let mut of_circuits = Map::new();
    for (kind, count) in SegmentKind::ALL.into_iter().zip(size.instances) {
        let plan = circuits.plan(kind);
        let shape = Shape::of(plan)?;
        let points =
            |n: usize| shape.items(n).iter().filter(|(item, _)| *item == Item::Point).map(|i| i.1).sum::<usize>();
        let bytes = |n: usize| shape.proof_length(n);
        let proof = json!({
            "points": points(1),
            "points_of_a_further_instance": points(2) - points(1),
            "bytes": bytes(1),
            "bytes_of_a_further_instance": bytes(2) - bytes(1),
            "permutation_products": shape.permutation_products,
            "point_sets": shape.point_sets,
        });
        let of_kind = json!({ "instances": count, "circuit": Cost::of(plan), "proof": proof });
        of_circuits.insert(kind.name().into(), of_kind);
    }
    let StepSize { columns, cells, assigned, proof_bytes, .. } = size;
    let step = json!({ "columns": columns, "cells": cells, "assigned": assigned, "proof_bytes": proof_bytes });
    let digest = verifier::keys::pinned(variant, &spec.config).map(|digest| hex(&digest));
    Ok(json!({ "circuits": of_circuits, "step": step, "pinned_keys_digest": digest }))
}

/// The same, for people.
pub fn text(costs: &Value) -> String {
    let mut lines = vec![];
    flatten("", costs, &mut |path, value| lines.push(format!("{path}: {value}")));
    lines.join("\n")
}

/// Compares two.
pub fn diff(args: &DiffArgs) -> Result<Output, CliError> {
    let [before, after] = [&args.before, &args.after].map(|side| costs(side));
    let (before, after) = (before?, after?);
    // Of one configuration each: what they are called is no difference.
    let (before, after) = match (single(&before), single(&after)) {
        (Some(before), Some(after)) => (before, after),
        _ => (&before, &after),
    };
    let mut values: BTreeMap<String, [Option<Value>; 2]> = BTreeMap::new();
    for (side, costs) in [before, after].into_iter().enumerate() {
        flatten("", costs, &mut |path, value| values.entry(path.into()).or_default()[side] = Some(value.clone()));
    }
    values.retain(|_, [before, after]| before != after);
    let mut text = String::new();
    for (path, [before, after]) in &values {
        let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_f64);
        let shown = |value: &Option<Value>| value.as_ref().map_or("none".to_owned(), Value::to_string);
        let share = match (number(before), number(after)) {
            (Some(before), Some(after)) if before != 0.0 => format!(" ({:+.1} %)", 100.0 * (after / before - 1.0)),
            _ => String::new(),
        };
        let _ = writeln!(text, "{path}: {} → {}{share}", shown(before), shown(after));
    }
    if values.is_empty() {
        text.push_str("no difference");
    }
    let changed = |(path, [before, after]): (&String, &[Option<Value>; 2])| json!({ "what": path, "before": before, "after": after });
    let changed: Vec<Value> = values.iter().map(changed).collect();
    Ok(Output { text: text.trim_end().into(), json: json!({ "ok": true, "changed": changed }) })
}

/// One side of a comparison: costs by the name of the configuration.
fn costs(side: &str) -> Result<Value, CliError> {
    let path = Path::new(side);
    if !path.exists() {
        let by_name = side.split(',').map(|name| {
            let config = Config::preset(name)
                .map_err(|_| CliError::Usage(format!("{side} is neither a file nor the name of a preset")))?;
            Ok((name.to_owned(), of(config, Variant::default())?))
        });
        return Ok(Value::Object(by_name.collect::<Result<_, CliError>>()?));
    }
    let json: Value = serde_json::from_str(&files::read_text(path)?)
        .map_err(|e| CliError::file(path)(FileError::Json(e.to_string())))?;
    match json.get("costs") {
        Some(costs) => Ok(costs.clone()),
        None => Ok(json!({ side: of(model_dir::read_config(path)?, Variant::default())? })),
    }
}

fn single(costs: &Value) -> Option<&Value> {
    costs.as_object().filter(|costs| costs.len() == 1).and_then(|costs| costs.values().next())
}

/// Calls `f` on each value that is no object, and where it stands.
fn flatten(path: &str, value: &Value, f: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                let path = if path.is_empty() { name.clone() } else { format!("{path} · {name}") };
                flatten(&path, value, f);
            }
        }
        _ => f(path, value),
    }
}
