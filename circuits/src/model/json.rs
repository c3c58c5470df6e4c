//! Hugging Face `LlamaConfig` JSON.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::config::{Config, ConfigError};
use crate::arithmetic::decimal::Decimal;

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
