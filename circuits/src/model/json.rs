//! Hugging Face `LlamaConfig` JSON.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::config::{Config, ConfigError};
use crate::decimal::Decimal;

/// Keys that change neither the arithmetic nor the shapes.
const HARMLESS: [&str; 13] = [
    "_name_or_path",
    "architectures",
    "bos_token_id",
    "dtype",
    "eos_token_id",
    "initializer_range",
    "name_or_path",
    "pad_token_id",
    "pretraining_tp",
    "torch_dtype",
    "transformers_version",
    "unk_token_id",
    "use_cache",
];

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

    /// A key that may be absent but must not differ from `value`.
    fn only<T: Deserialize<'a> + PartialEq>(
        &mut self,
        key: &'static str,
        expected: &'static str,
        value: &T,
    ) -> Result<(), ConfigError> {
        let found = self.0.get(key).map(|v| shorten(v.get()));
        match self.typed::<T>(key, expected)? {
            Some(x) if x != *value => {
                Err(ConfigError::Unsupported { key: key.to_owned(), found: found.unwrap_or_default() })
            }
            _ => Ok(()),
        }
    }

    /// The base of the rotary angles: a key of its own, or in `rope_parameters` as newer versions of the library write.
    fn rope_theta(&mut self) -> Result<Option<Decimal>, ConfigError> {
        const NEWER: &str = "rope_parameters";
        let theta = self.decimal("rope_theta")?;
        let Some(text) = self.take(NEWER) else {
            return Ok(theta);
        };
        let malformed = |_| ConfigError::Type { key: NEWER, expected: "an object", found: shorten(text) };
        let mut parameters: Keys<'_> = serde_json::from_str(text).map_err(malformed)?;
        parameters.only("rope_type", "a string", &"default".to_owned())?;
        let newer = parameters.decimal("rope_theta")?;
        parameters.nothing_left()?;
        match (theta, newer) {
            (Some(a), Some(b)) if a != b => {
                Err(ConfigError::Unsupported { key: NEWER.to_owned(), found: shorten(text) })
            }
            _ => Ok(theta.or(newer)),
        }
    }

    /// Refuses keys that are not understood; `rope_scaling: null` and its like say nothing.
    fn nothing_left(self) -> Result<(), ConfigError> {
        match self.0.into_iter().find(|(_, value)| value.get() != "null") {
            Some((key, value)) => Err(ConfigError::Unsupported { key, found: shorten(value.get()) }),
            None => Ok(()),
        }
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}

impl Config {
    /// Reads a `LlamaConfig`. Whatever would change the model and is not supported is refused by name.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let mut keys: Keys<'_> = serde_json::from_str(text).map_err(|e| ConfigError::Json(e.to_string()))?;
        keys.only("model_type", "a string", &"llama".to_owned())?;
        keys.only("hidden_act", "a string", &"silu".to_owned())?;
        keys.only("attention_bias", "a boolean", &false)?;
        keys.only("mlp_bias", "a boolean", &false)?;
        if let Some(dropout) = keys.decimal("attention_dropout")?
            && dropout != Decimal::ZERO
        {
            return Err(ConfigError::Unsupported { key: "attention_dropout".into(), found: dropout.to_string() });
        }
        let config = Self {
            vocab: keys.size("vocab_size")?,
            hidden: keys.size("hidden_size")?,
            mlp: keys.size("intermediate_size")?,
            layers: keys.size("num_hidden_layers")?,
            heads: keys.size("num_attention_heads")?,
            context: keys.size("max_position_embeddings")?,
            norm_eps: keys.decimal("rms_norm_eps")?.ok_or(ConfigError::Missing("rms_norm_eps"))?,
            // The last two default as `LlamaConfig` does.
            rope_theta: keys.rope_theta()?.unwrap_or(Config::NANO.rope_theta),
            tied: keys.typed("tie_word_embeddings", "a boolean")?.unwrap_or(false),
        };
        config.check()?;
        keys.only("num_key_value_heads", "a size", &config.heads)?;
        keys.only("head_dim", "a size", &config.head_dim())?;
        for key in HARMLESS {
            keys.take(key);
        }
        keys.nothing_left()?;
        Ok(config)
    }

    /// Writes a `LlamaConfig`; [`Config::from_json`] reads it back unchanged.
    pub fn to_json(&self) -> String {
        format!(
            r#"{{
  "architectures": ["LlamaForCausalLM"],
  "attention_bias": false,
  "attention_dropout": 0.0,
  "head_dim": {},
  "hidden_act": "silu",
  "hidden_size": {},
  "intermediate_size": {},
  "max_position_embeddings": {},
  "mlp_bias": false,
  "model_type": "llama",
  "num_attention_heads": {},
  "num_hidden_layers": {},
  "num_key_value_heads": {},
  "rms_norm_eps": {},
  "rope_scaling": null,
  "rope_theta": {},
  "tie_word_embeddings": {},
  "torch_dtype": "float32",
  "vocab_size": {}
}}
"#,
            self.head_dim(),
            self.hidden,
            self.mlp,
            self.context,
            self.heads,
            self.layers,
            self.heads,
            self.norm_eps,
            self.rope_theta,
            self.tied,
            self.vocab,
        )
    }
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
            (r#"{"rope_theta": 1e4, "rope_type": "linear"}"#, "rope_type"),
            (r#"{"rope_theta": 1e4, "factor": 2.0}"#, "factor"),
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
            ("\"rope_scaling\": null", "\"rope_scaling\": {\"factor\": 2.0}", "rope_scaling"),
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
