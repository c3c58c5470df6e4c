//! What is read, what is refused by name, and what is written.

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
        ("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}", "rope_scaling.type"),
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
