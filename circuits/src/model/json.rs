//! Hugging Face `LlamaConfig` and `Qwen2Config` JSON.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::config::{Config, ConfigError};
use super::rope_scaling::RopeScaling;
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
const LLAMA: [&str; 2] = ["LlamaForCausalLM", "LLaMAForCausalLM"];
/// The same with biases of q, k and v.
const QWEN2: [&str; 1] = ["Qwen2ForCausalLM"];

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

    /// Whether this is a Qwen2, which has biases of q, k and v, and not a Llama. Where no type is given, the architecture
    /// tells; the two must agree.
    fn is_qwen2(&mut self) -> Result<bool, ConfigError> {
        let architecture = self.0.get("architectures").and_then(|text| serde_json::from_str(text.get()).ok());
        let named = |names: Vec<String>| !names.is_empty() && names.iter().all(|name| QWEN2.contains(&name.as_str()));
        let found = self.found("model_type");
        let qwen2 = match self.typed::<String>("model_type", "a string")?.as_deref() {
            None => architecture.is_some_and(named),
            Some("llama") => false,
            Some("qwen2") => true,
            Some(_) => return Err(unsupported("model_type", found)),
        };
        self.only_list("architectures", if qwen2 { &QWEN2[..] } else { &LLAMA[..] })?;
        Ok(qwen2)
    }

    /// The biases of a Llama's attention, which none has; what a Qwen2 may say of its own, and the windows that it has
    /// settings for, but does not use.
    fn no_other_attention(&mut self, qwen2: bool) -> Result<(), ConfigError> {
        if qwen2 {
            self.only::<bool, _>("attention_bias", "a boolean", &[true])?;
            self.only::<bool, _>("use_mrope", "a boolean", &[false])?;
            // Without `use_sliding_window` they say nothing.
            for key in ["max_window_layers", "sliding_window"] {
                self.take(key);
            }
        } else if self.typed("attention_bias", "a boolean")? == Some(true) {
            return Err(ConfigError::OutputBias);
        }
        Ok(())
    }

    /// Heads of keys and values. Absent, a Llama has those of the queries, and the library takes 32 for a Qwen2.
    fn kv_heads(&mut self, qwen2: bool) -> Result<Option<usize>, ConfigError> {
        const KEY: &str = "num_key_value_heads";
        if qwen2 && !self.0.contains_key(KEY) {
            return Err(ConfigError::Missing(KEY));
        }
        self.typed(KEY, "a size")
    }

    /// The base of the rotary angles and their scaling: keys of their own, or both in `rope_parameters`, whose older name
    /// is `rope_scaling`. A type that is not known is refused, and keys that are of another type.
    fn rope(&mut self) -> Result<(Decimal, RopeScaling), ConfigError> {
        let (mut theta, mut scaling) = (self.decimal("rope_theta")?, None);
        for key in ["rope_scaling", "rope_parameters"] {
            let Some(text) = self.take(key) else { continue };
            let malformed = |_| ConfigError::Type { key, expected: "an object", found: shorten(text) };
            let parameters: Keys<'_> = serde_json::from_str(text).map_err(malformed)?;
            let (inner_theta, inner_scaling) = parameters.rope_parameters().map_err(|error| match error {
                ConfigError::Unsupported { key: inner, found } => unsupported(&format!("{key}.{inner}"), found),
                other => other,
            })?;
            let differ = theta.zip(inner_theta).is_some_and(|(a, b)| a != b)
                || scaling.zip(inner_scaling).is_some_and(|(a, b)| a != b);
            if differ {
                return Err(unsupported(key, shorten(text)));
            }
            (theta, scaling) = (theta.or(inner_theta), scaling.or(inner_scaling));
        }
        Ok((theta.unwrap_or(DEFAULT_THETA), scaling.unwrap_or_default()))
    }

    /// The base and the scaling in parameters of rotary angles, as far as they are there.
    fn rope_parameters(mut self) -> Result<(Option<Decimal>, Option<RopeScaling>), ConfigError> {
        let mut kind: Option<String> = None;
        for spelling in ["type", "rope_type"] {
            let found = self.found(spelling);
            let Some(named) = self.typed::<String>(spelling, "a string")? else { continue };
            let known = ["default", "linear", "llama3"].contains(&named.as_str());
            if !known || kind.as_ref().is_some_and(|kind| *kind != named) {
                return Err(unsupported(spelling, found));
            }
            kind = Some(named);
        }
        let mut factor = |key| self.decimal(key)?.ok_or(ConfigError::Missing(key));
        let scaling = match kind.as_deref() {
            None => None,
            Some("linear") => Some(RopeScaling::Linear { factor: factor("factor")? }),
            Some("llama3") => {
                let (factor, low, high) = (factor("factor")?, factor("low_freq_factor")?, factor("high_freq_factor")?);
                const ORIGINAL: &str = "original_max_position_embeddings";
                let original = self.typed(ORIGINAL, "a size")?.ok_or(ConfigError::Missing(ORIGINAL))?;
                Some(RopeScaling::Llama3 { factor, low, high, original })
            }
            Some(_) => Some(RopeScaling::None),
        };
        self.only_number("partial_rotary_factor", Decimal::canonical(1, 0))?;
        let theta = self.decimal("rope_theta")?;
        self.nothing_left()?;
        Ok((theta, scaling))
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
    /// Reads a `LlamaConfig`, or a `Qwen2Config`, which is one with biases of q, k and v. Whatever would change the model and is not supported is refused by name; what is absent is
    /// what the library takes for it, but for the sizes: it writes them always, and its defaults are of a model of 7
    /// billion parameters. A byte order mark is skipped, as RFC 8259 allows.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut keys: Keys<'_> = serde_json::from_str(text).map_err(|e| ConfigError::Json(e.to_string()))?;
        let qwen2 = keys.is_qwen2()?;
        // Two names of one function in the library.
        keys.only::<String, _>("hidden_act", "a string", &["silu", "swish"])?;
        keys.no_other_attention(qwen2)?;
        for key in ["is_encoder_decoder", "mlp_bias", "rope_interleaved", "use_sliding_window"] {
            keys.only::<bool, _>(key, "a boolean", &[false])?;
        }
        keys.only_number("attention_dropout", Decimal::ZERO)?;
        keys.only_number("partial_rotary_factor", Decimal::canonical(1, 0))?;
        keys.only_list("layer_types", &["full_attention"])?;
        let (rope_theta, rope_scaling) = keys.rope()?;
        let config = Self {
            vocab: keys.size("vocab_size")?,
            hidden: keys.size("hidden_size")?,
            mlp: keys.size("intermediate_size")?,
            layers: keys.size("num_hidden_layers")?,
            heads: keys.size("num_attention_heads")?,
            context: keys.size("max_position_embeddings")?,
            norm_eps: keys.decimal("rms_norm_eps")?.unwrap_or(DEFAULT_EPS),
            rope_theta,
            tied: keys.typed("tie_word_embeddings", "a boolean")?.unwrap_or(false),
            kv_heads: keys.kv_heads(qwen2)?,
            head_dim: keys.typed("head_dim", "a size")?,
            biased: qwen2,
            rope_scaling,
        };
        config.check()?;
        for key in HARMLESS {
            keys.take(key);
        }
        keys.nothing_left()?;
        Ok(config.canonical())
    }

    /// The class of the `transformers` library that this is a model of.
    pub fn architecture(&self) -> &'static str {
        if self.biased { QWEN2[0] } else { LLAMA[0] }
    }

    /// The keys of a `LlamaConfig` or `Qwen2Config`, in order, and the JSON of their values.
    fn keys(&self) -> BTreeMap<&'static str, String> {
        let mut keys = BTreeMap::from([
            ("architectures", format!("[\"{}\"]", self.architecture())),
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
            ("num_key_value_heads", self.kv_heads().to_string()),
            ("rms_norm_eps", self.norm_eps.to_string()),
            ("rope_scaling", self.rope_scaling.json()),
            ("rope_theta", self.rope_theta.to_string()),
            ("tie_word_embeddings", self.tied.to_string()),
            ("torch_dtype", r#""float32""#.to_owned()),
            ("vocab_size", self.vocab.to_string()),
        ]);
        if self.biased {
            keys.insert("model_type", r#""qwen2""#.to_owned());
            // That its q, k and v have biases, and nothing else has, is no choice of a Qwen2.
            for key in ["attention_bias", "mlp_bias"] {
                keys.remove(key);
            }
        }
        keys
    }

    /// The canonical `LlamaConfig`, of a model with biases `Qwen2Config`, which identities of runs and chains are hashed from: it never changes.
    /// [`Config::from_json`] reads it back unchanged.
    pub fn to_json(&self) -> String {
        object(&self.keys())
    }

    /// The configuration for the library: the canonical one, and that no byte is a special token. By default it takes 1 for the
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
