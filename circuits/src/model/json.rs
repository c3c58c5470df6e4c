//! Hugging Face `LlamaConfig` JSON.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::config::{Config, ConfigError};
use crate::decimal::Decimal;

/// Keys that change neither the arithmetic nor the shapes: of the library's own full dump, of generation (which it no longer
/// reads from here), and what converters and fine-tuners are known to leave in checkpoints.
const HARMLESS: [&str; 39] = [
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_name_or_path",
    "attn_implementation",
    "bad_words_ids",
    "bos_token_id",
    "chunk_size_feed_forward",
    "do_sample",
    "dtype",
    "eos_token_id",
    "gradient_checkpointing",
    "id2label",
    "initializer_range",
    "is_llama_config",
    "label2id",
    "max_length",
    "max_sequence_length",
    "name_or_path",
    "num_labels",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "pretraining_tp",
    "problem_type",
    "repetition_penalty",
    "return_dict",
    "task_specific_params",
    "temperature",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "transformers.js_config",
    "transformers_version",
    "unk_token_id",
    "unsloth_fixed",
    "unsloth_version",
    "use_cache",
    "use_flash_attn",
];

/// The model with a head for the next token; checkpoints from before its release spell it in the second way.
const ARCHITECTURES: [&str; 2] = ["LlamaForCausalLM", "LLaMAForCausalLM"];

/// What `LlamaConfig` of `transformers` takes for an absent `rms_norm_eps` (`configuration_llama.py`, since its first
/// version): not what the presets here have.
const DEFAULT_EPS: Decimal = Decimal::canonical(1, -6);
/// And for an absent `rope_theta` (`RotaryEmbeddingConfigMixin.default_theta`).
const DEFAULT_THETA: Decimal = Decimal::canonical(1, 4);

/// The keys of an object and the text of their values; a key given twice is refused.
struct Keys<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for Keys<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Keys<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Keys<'de>, A::Error> {
                let mut map = BTreeMap::new();
                while let Some((key, value)) = access.next_entry::<String, &RawValue>()? {
                    if map.insert(key.clone(), value).is_some() {
                        return Err(A::Error::custom(format!("`{key}` is given twice")));
                    }
                }
                Ok(Keys(map))
            }
        }
        deserializer.deserialize_map(V)
    }
}

impl<'a> Keys<'a> {
    /// Takes a key out; `null` counts as absent.
    fn take(&mut self, key: &str) -> Option<&'a str> {
        self.0.remove(key).map(RawValue::get).filter(|&v| v != "null")
    }

    fn typed<T: Deserialize<'a>>(
        &mut self,
        key: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.take(key) else {
            return Ok(None);
        };
        let error = |_| ConfigError::Type { key, expected, found: shorten(text) };
        serde_json::from_str(text).map(Some).map_err(error)
    }

    fn size(&mut self, key: &'static str) -> Result<usize, ConfigError> {
        self.typed(key, "a size")?.ok_or(ConfigError::Missing(key))
    }

    fn decimal(&mut self, key: &'static str) -> Result<Option<Decimal>, ConfigError> {
        let Some(text) = self.take(key) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|source| ConfigError::Number { key, source })
    }

    /// A key that may be absent, or have one of these values.
    fn only<T, U>(&mut self, key: &'static str, expected: &'static str, values: &[U]) -> Result<(), ConfigError>
    where
        T: Deserialize<'a> + PartialEq<U>,
    {
        let found = self.found(key);
        match self.typed::<T>(key, expected)? {
            Some(x) if !values.iter().any(|value| x == *value) => Err(unsupported(key, found)),
            _ => Ok(()),
        }
    }

    /// [`Keys::only`] for a number, however it is written.
    fn only_number(&mut self, key: &'static str, value: Decimal) -> Result<(), ConfigError> {
        let found = self.found(key);
        match self.decimal(key)? {
            Some(x) if x != value => Err(unsupported(key, found)),
            _ => Ok(()),
        }
    }

    /// [`Keys::only`] for a list, of which each entry must be one of `values`.
    fn only_list(&mut self, key: &'static str, values: &[&str]) -> Result<(), ConfigError> {
        let found = self.found(key);
        match self.typed::<Vec<String>>(key, "a list of strings")? {
            Some(list) if !list.iter().all(|entry| values.contains(&entry.as_str())) => Err(unsupported(key, found)),
            _ => Ok(()),
        }
    }

    /// The text of a key's value, shortened.
    fn found(&self, key: &str) -> String {
        self.0.get(key).map_or_else(String::new, |value| shorten(value.get()))
    }

    /// The base of the rotary angles: a key of its own, or in `rope_parameters`, whose older name is `rope_scaling`. Angles
    /// of another type than `default` are refused, and keys that are of another type.
    fn rope_theta(&mut self) -> Result<Decimal, ConfigError> {
        let mut theta = self.decimal("rope_theta")?;
        for key in ["rope_scaling", "rope_parameters"] {
            let Some(text) = self.take(key) else { continue };
            let malformed = |_| ConfigError::Type { key, expected: "an object", found: shorten(text) };
            let parameters: Keys<'_> = serde_json::from_str(text).map_err(malformed)?;
            let inner = parameters.default_rope().map_err(|error| match error {
                ConfigError::Unsupported { key: inner, found } => unsupported(&format!("{key}.{inner}"), found),
                other => other,
            })?;
            if theta.zip(inner).is_some_and(|(a, b)| a != b) {
                return Err(unsupported(key, shorten(text)));
            }
            theta = theta.or(inner);
        }
        Ok(theta.unwrap_or(DEFAULT_THETA))
    }

    /// The base in parameters of plain rotary angles.
    fn default_rope(mut self) -> Result<Option<Decimal>, ConfigError> {
        for spelling in ["type", "rope_type"] {
            self.only::<String, _>(spelling, "a string", &["default"])?;
        }
        self.only_number("partial_rotary_factor", Decimal::canonical(1, 0))?;
        let theta = self.decimal("rope_theta")?;
        self.nothing_left()?;
        Ok(theta)
    }

    /// Refuses keys that are not understood; `quantization_config: null` and its like say nothing.
    fn nothing_left(self) -> Result<(), ConfigError> {
        match self.0.into_iter().find(|(_, value)| value.get() != "null") {
            Some((key, value)) => Err(unsupported(&key, shorten(value.get()))),
            None => Ok(()),
        }
    }
}

fn unsupported(key: &str, found: String) -> ConfigError {
    ConfigError::Unsupported { key: key.to_owned(), found }
}

fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}

impl Config {
    /// Reads a `LlamaConfig`. Whatever would change the model and is not supported is refused by name; what is absent is
    /// what the library takes for it, but for the sizes: it writes them always, and its defaults are of a model of 7
    /// billion parameters. A byte order mark is skipped, as RFC 8259 allows.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut keys: Keys<'_> = serde_json::from_str(text).map_err(|e| ConfigError::Json(e.to_string()))?;
        keys.only::<String, _>("model_type", "a string", &["llama"])?;
        keys.only_list("architectures", &ARCHITECTURES)?;
        // Two names of one function in the library.
        keys.only::<String, _>("hidden_act", "a string", &["silu", "swish"])?;
        for key in ["attention_bias", "is_encoder_decoder", "mlp_bias", "rope_interleaved", "use_sliding_window"] {
            keys.only::<bool, _>(key, "a boolean", &[false])?;
        }
        keys.only_number("attention_dropout", Decimal::ZERO)?;
        keys.only_number("partial_rotary_factor", Decimal::canonical(1, 0))?;
        keys.only_list("layer_types", &["full_attention"])?;
        let config = Self {
            vocab: keys.size("vocab_size")?,
            hidden: keys.size("hidden_size")?,
            mlp: keys.size("intermediate_size")?,
            layers: keys.size("num_hidden_layers")?,
            heads: keys.size("num_attention_heads")?,
            context: keys.size("max_position_embeddings")?,
            norm_eps: keys.decimal("rms_norm_eps")?.unwrap_or(DEFAULT_EPS),
            rope_theta: keys.rope_theta()?,
            tied: keys.typed("tie_word_embeddings", "a boolean")?.unwrap_or(false),
        };
        config.check()?;
        keys.only::<usize, _>("num_key_value_heads", "a size", &[config.heads])?;
        keys.only::<usize, _>("head_dim", "a size", &[config.head_dim()])?;
        for key in HARMLESS {
            keys.take(key);
        }
        keys.nothing_left()?;
        Ok(config)
    }

    /// The keys of a `LlamaConfig`, in order, and the JSON of their values.
    fn keys(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("architectures", r#"["LlamaForCausalLM"]"#.to_owned()),
            ("attention_bias", "false".to_owned()),
            ("attention_dropout", "0.0".to_owned()),
            ("head_dim", self.head_dim().to_string()),
            ("hidden_act", r#""silu""#.to_owned()),
            ("hidden_size", self.hidden.to_string()),
            ("intermediate_size", self.mlp.to_string()),
            ("max_position_embeddings", self.context.to_string()),
            ("mlp_bias", "false".to_owned()),
            ("model_type", r#""llama""#.to_owned()),
            ("num_attention_heads", self.heads.to_string()),
            ("num_hidden_layers", self.layers.to_string()),
            ("num_key_value_heads", self.heads.to_string()),
            ("rms_norm_eps", self.norm_eps.to_string()),
            ("rope_scaling", "null".to_owned()),
            ("rope_theta", self.rope_theta.to_string()),
            ("tie_word_embeddings", self.tied.to_string()),
            ("torch_dtype", r#""float32""#.to_owned()),
            ("vocab_size", self.vocab.to_string()),
        ])
    }

    /// The canonical `LlamaConfig`, which identities of runs and chains are hashed from: it never changes.
    /// [`Config::from_json`] reads it back unchanged.
    pub fn to_json(&self) -> String {
        object(&self.keys())
    }

    /// A `LlamaConfig` for the library: the canonical one, and that no byte is a special token. By default it takes 1 for the
    /// beginning of a text and 2 for its end, and stops generating there. [`Config::from_json`] reads it back unchanged.
    pub fn to_hugging_face(&self) -> String {
        let mut keys = self.keys();
        keys.extend(["bos_token_id", "eos_token_id", "pad_token_id"].map(|key| (key, "null".to_owned())));
        object(&keys)
    }
}

/// An object, a line for each key.
fn object(keys: &BTreeMap<&'static str, String>) -> String {
    let lines: Vec<String> = keys.iter().map(|(key, value)| format!("  \"{key}\": {value}")).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(from: &str, to: &str) -> Result<Config, ConfigError> {
        let text = Config::NANO.to_json();
        assert!(text.contains(from), "{from}");
        Config::from_json(&text.replace(from, to))
    }

    #[test]
    fn presets_round_trip() {
        for name in ["nano", "micro", "mini"] {
            let config = Config::preset(name).unwrap();
            config.check().unwrap();
            assert_eq!(Config::from_json(&config.to_json()), Ok(config.clone()));
            let untied = config.clone().untied();
            assert_eq!(Config::from_json(&untied.to_json()), Ok(untied.clone()));
            assert_ne!(config.digest(), untied.digest());
        }
        assert!(matches!(Config::preset("mega"), Err(ConfigError::Preset(_))));
    }

    /// Identities of runs and chains are hashed from this text.
    #[test]
    fn the_canonical_text_never_changes() {
        let canonical = r#"{
  "architectures": ["LlamaForCausalLM"],
  "attention_bias": false,
  "attention_dropout": 0.0,
  "head_dim": 8,
  "hidden_act": "silu",
  "hidden_size": 16,
  "intermediate_size": 44,
  "max_position_embeddings": 16,
  "mlp_bias": false,
  "model_type": "llama",
  "num_attention_heads": 2,
  "num_hidden_layers": 1,
  "num_key_value_heads": 2,
  "rms_norm_eps": 1e-5,
  "rope_scaling": null,
  "rope_theta": 1e4,
  "tie_word_embeddings": true,
  "torch_dtype": "float32",
  "vocab_size": 256
}
"#;
        assert_eq!(Config::NANO.to_json(), canonical);
    }

    /// 7.21
    #[test]
    fn the_exported_configuration_has_no_special_tokens() {
        for config in [Config::NANO, Config::MINI.untied()] {
            let text = config.to_hugging_face();
            assert_eq!(Config::from_json(&text), Ok(config.clone()));
            let added = ["bos_token_id", "eos_token_id", "pad_token_id"].map(|key| format!("  \"{key}\": null,\n"));
            let canonical = added.iter().fold(text, |text, line| {
                assert!(text.contains(line.as_str()), "{line}");
                text.replace(line, "")
            });
            assert_eq!(canonical, config.to_json());
        }
    }

    /// 7.21
    #[test]
    fn what_the_library_takes_for_the_same_is_the_same() {
        for (from, to) in [
            ("\"silu\"", "\"swish\""),
            ("\"LlamaForCausalLM\"", ""),
            ("[\"LlamaForCausalLM\"]", "null"),
            ("\"LlamaForCausalLM\"", "\"LLaMAForCausalLM\""),
            ("  \"model_type\": \"llama\",\n", ""),
            ("  \"num_key_value_heads\": 2,\n", ""),
            ("  \"head_dim\": 8,\n", ""),
            ("  \"attention_dropout\": 0.0,\n", ""),
            ("  \"attention_bias\": false,\n", ""),
            ("  \"mlp_bias\": false,\n", ""),
            ("  \"rope_theta\": 1e4,\n", ""),
            ("\"attention_dropout\": 0.0", "\"attention_dropout\": 0"),
            ("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"default\"}"),
            ("\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"default\", \"rope_theta\": 10000.0}"),
            ("\"rope_scaling\": null", "\"rope_scaling\": {}, \"rope_parameters\": {\"type\": \"default\"}"),
            ("\"rope_scaling\": null", "\"rope_scaling\": {\"partial_rotary_factor\": 1.0, \"factor\": null}"),
            ("\"rope_scaling\": null", "\"quantization_config\": null, \"sliding_window\": null"),
            ("\"rope_scaling\": null", "\"layer_types\": [\"full_attention\"], \"use_sliding_window\": false"),
            ("\"rope_scaling\": null", "\"rope_interleaved\": false, \"is_llama_config\": true"),
            ("\"rope_scaling\": null", "\"_attn_implementation_autoset\": true, \"max_sequence_length\": 2048"),
            ("\"rope_scaling\": null", "\"temperature\": 0.9, \"top_p\": 0.6, \"do_sample\": true"),
            ("{\n", "\u{feff}{\n"),
        ] {
            assert_eq!(change(from, to), Ok(Config::NANO), "{to}");
        }
    }

    /// 7.21
    #[test]
    fn an_absent_epsilon_is_that_of_the_library() {
        assert_eq!(change("  \"rms_norm_eps\": 1e-5,\n", ""), change("1e-5", "1e-06"));
        assert_eq!(change("1e-5", "null").map(|config| config.eps24()), Ok(17));
    }

    /// 7.21: what `to_json_string(use_diff=False)` of transformers 5.24 gives.
    #[test]
    fn a_full_dump_of_the_library_is_read() {
        let dump = r#"{"_name_or_path": "", "architectures": null, "attention_bias": false, "attention_dropout": 0.0,
            "bos_token_id": 1, "chunk_size_feed_forward": 0, "dtype": null, "eos_token_id": 2, "head_dim": 8,
            "hidden_act": "silu", "hidden_size": 16, "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
            "initializer_range": 0.02, "intermediate_size": 44, "is_encoder_decoder": false,
            "label2id": {"LABEL_0": 0, "LABEL_1": 1}, "max_position_embeddings": 16, "mlp_bias": false,
            "model_type": "llama", "num_attention_heads": 2, "num_hidden_layers": 1, "num_key_value_heads": 2,
            "output_attentions": false, "output_hidden_states": false, "pad_token_id": null, "pretraining_tp": 1,
            "problem_type": null, "return_dict": true, "rms_norm_eps": 1e-05,
            "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}, "tie_word_embeddings": true,
            "transformers_version": "5.24.0", "use_cache": true, "vocab_size": 256}"#;
        assert_eq!(Config::from_json(dump), Ok(Config::NANO));
    }

    #[test]
    fn one_number_written_twice_is_one_model() {
        let plain = change("1e-5", "0.00001").unwrap();
        assert_eq!(plain.digest(), change("1e4", "10000.0").unwrap().digest());
        assert_eq!(plain.eps24(), 168);
    }

    #[test]
    fn the_base_of_the_angles_may_stand_in_rope_parameters() {
        let newer = |parameters: &str| change("\"rope_theta\": 1e4", &format!("\"rope_parameters\": {parameters}"));
        let config = newer(r#"{"rope_theta": 500.0, "rope_type": "default"}"#).unwrap();
        assert_eq!(config, change("1e4", "500").unwrap());
        assert_eq!(newer("null"), Ok(Config::NANO));
        for (parameters, name) in [
            (r#"{"rope_theta": 1e4, "rope_type": "linear"}"#, "rope_parameters.rope_type"),
            (r#"{"rope_theta": 1e4, "factor": 2.0}"#, "rope_parameters.factor"),
            (r#"{"rope_theta": 500}, "rope_theta": 1e4"#, "rope_parameters"),
        ] {
            match newer(parameters) {
                Err(ConfigError::Unsupported { key, .. }) => assert_eq!(key, name),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert!(matches!(newer("1"), Err(ConfigError::Type { key: "rope_parameters", .. })));
    }

    #[test]
    fn the_unsupported_is_refused_by_name() {
        let cases = [
            ("\"silu\"", "\"gelu\"", "hidden_act"),
            ("\"llama\"", "\"mistral\"", "model_type"),
            ("\"attention_bias\": false", "\"attention_bias\": true", "attention_bias"),
            ("\"mlp_bias\": false", "\"mlp_bias\": true", "mlp_bias"),
            ("\"attention_dropout\": 0.0", "\"attention_dropout\": 0.1", "attention_dropout"),
            ("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 1", "num_key_value_heads"),
            ("\"head_dim\": 8", "\"head_dim\": 16", "head_dim"),
            ("\"rope_scaling\": null", "\"rope_scaling\": {\"factor\": 2.0}", "rope_scaling.factor"),
            (
                "\"rope_scaling\": null",
                "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}",
                "rope_scaling.type",
            ),
            ("\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"llama3\"}", "rope_scaling.rope_type"),
            (
                "\"rope_scaling\": null",
                "\"rope_scaling\": {\"partial_rotary_factor\": 0.5}",
                "rope_scaling.partial_rotary_factor",
            ),
            ("\"rope_scaling\": null", "\"rope_scaling\": {\"rope_theta\": 500}", "rope_scaling"),
            ("\"rope_scaling\": null", "\"partial_rotary_factor\": 0.5", "partial_rotary_factor"),
            ("\"rope_scaling\": null", "\"rope_interleaved\": true", "rope_interleaved"),
            ("\"rope_scaling\": null", "\"layer_types\": [\"sliding_attention\"]", "layer_types"),
            ("\"rope_scaling\": null", "\"auto_map\": {\"AutoConfig\": \"custom.Config\"}", "auto_map"),
            ("\"LlamaForCausalLM\"", "\"LlamaForSequenceClassification\"", "architectures"),
            ("\"LlamaForCausalLM\"", "\"LlamaForCausalLM\", \"LlamaModel\"", "architectures"),
            ("\"torch_dtype\"", "\"quantization_config\"", "quantization_config"),
        ];
        for (from, to, name) in cases {
            match change(from, to) {
                Err(ConfigError::Unsupported { key, .. }) => assert_eq!(key, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn malformed_configurations_are_refused() {
        assert!(matches!(Config::from_json("[]"), Err(ConfigError::Json(_))));
        assert!(matches!(Config::from_json("{}"), Err(ConfigError::Missing("vocab_size"))));
        assert!(matches!(change("\"mlp_bias\"", "\"attention_bias\""), Err(ConfigError::Json(_))));
        assert!(matches!(
            change("\"vocab_size\": 256", "\"vocab_size\": -1"),
            Err(ConfigError::Type { key: "vocab_size", .. })
        ));
        assert!(matches!(
            change("\"vocab_size\": 256", "\"vocab_size\": 260"),
            Err(ConfigError::Limit { key: "vocab_size", .. })
        ));
        assert!(matches!(
            change("\"vocab_size\": 256", "\"vocab_size\": 254"),
            Err(ConfigError::MultipleOf4 { key: "vocab_size", .. })
        ));
        assert!(matches!(
            change("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 0"),
            Err(ConfigError::Limit { key: "num_hidden_layers", .. })
        ));
        assert!(matches!(
            change("\"num_attention_heads\": 2", "\"num_attention_heads\": 3"),
            Err(ConfigError::Heads { .. })
        ));
        assert!(matches!(
            change("\"num_attention_heads\": 2", "\"num_attention_heads\": 8"),
            Err(ConfigError::MultipleOf4 { key: "head_dim", .. })
        ));
        for eps in ["0", "1e-9", "1", "1e20"] {
            assert!(matches!(change("1e-5", eps), Err(ConfigError::Eps(_))), "{eps}");
        }
        for theta in ["0", "0.99", "1e10"] {
            assert!(matches!(change("1e4", theta), Err(ConfigError::Theta(_))), "{theta}");
        }
        assert!(matches!(change("1e-5", "\"1e-5\""), Err(ConfigError::Number { key: "rms_norm_eps", .. })));
    }
}
