//! What is read, what is refused by name, and what is written.

use super::*;
use crate::model::MAX_VOCAB;

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
        (r#"{"rope_theta": 1e4, "rope_type": "longrope"}"#, "rope_parameters.rope_type"),
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
        ("\"mlp_bias\": false", "\"mlp_bias\": true", "mlp_bias"),
        ("\"attention_dropout\": 0.0", "\"attention_dropout\": 0.1", "attention_dropout"),
        ("\"rope_scaling\": null", "\"rope_scaling\": {\"factor\": 2.0}", "rope_scaling.factor"),
        ("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0}", "rope_scaling.type"),
        ("\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"yarn\"}", "rope_scaling.rope_type"),
        (
            "\"rope_scaling\": null",
            "\"rope_scaling\": {\"type\": \"linear\", \"rope_type\": \"default\", \"factor\": 2.0}",
            "rope_scaling.rope_type",
        ),
        (
            "\"rope_scaling\": null",
            "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0, \"low_freq_factor\": 1.0}",
            "rope_scaling.low_freq_factor",
        ),
        (
            "\"rope_scaling\": null",
            "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, \"rope_parameters\": {\"rope_type\": \"default\"}",
            "rope_parameters",
        ),
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
        change("\"vocab_size\": 256", "\"vocab_size\": 65524"),
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
        Err(ConfigError::Groups { kv_heads: 2, heads: 3 })
    ));
    for eps in ["0", "1e-9", "1", "1e20"] {
        assert!(matches!(change("1e-5", eps), Err(ConfigError::Eps(_))), "{eps}");
    }
    for theta in ["0", "0.99", "1e10"] {
        assert!(matches!(change("1e4", theta), Err(ConfigError::Theta(_))), "{theta}");
    }
    assert!(matches!(change("1e-5", "\"1e-5\""), Err(ConfigError::Number { key: "rms_norm_eps", .. })));
}

#[test]
fn vocabularies_as_far_as_a_key_can_be_made() {
    let with = |vocab, context, tied| Config { vocab, context, tied, ..Config::NANO };
    for (vocab, most) in [(256, 256), (4096, 112), (32_000, 12), (MAX_VOCAB, 4)] {
        assert_eq!(with(vocab, most, true).check(), Ok(()), "{vocab}");
        if vocab > 256 {
            let refused = with(vocab, most + 4, true).check();
            assert!(
                matches!(refused, Err(ConfigError::Cells { circuit: "the head", key: "vocab_size", .. })),
                "{refused:?}"
            );
        }
    }
    let wide = Config { hidden: 256, mlp: 4, ..with(32_000, 4, false) };
    assert!(matches!(wide.check(), Err(ConfigError::Cells { key: "hidden_size", value: 256, .. })));
    // Rows, of which the logits of two positions need as many as there are tokens.
    #[cfg(feature = "proofs")]
    for (vocab, k) in [(256, 12), (4080, 12), (4084, 13), (8176, 13), (8180, 14), (32_752, 15), (MAX_VOCAB, 16)] {
        assert_eq!(with(vocab, 4, true).k(), k, "{vocab}");
    }
}

/// A model that groups its queries, has heads of a size of their own, biases and scaled angles.
fn deviating() -> Config {
    let mut config = Config::NANO;
    (config.heads, config.kv_heads, config.head_dim, config.biased) = (4, Some(1), Some(8), true);
    let decimal = |text: &str| text.parse().unwrap();
    config.rope_scaling =
        RopeScaling::Llama3 { factor: decimal("8"), low: decimal("1"), high: decimal("4.5"), original: 8192 };
    config
}

#[test]
fn what_deviates_is_written_and_read_back() {
    let linear = RopeScaling::Linear { factor: "2.5".parse().unwrap() };
    let changes: [fn(&mut Config); 4] = [
        |c| (c.heads, c.kv_heads) = (4, Some(2)),
        |c| c.head_dim = Some(12),
        |c| c.biased = true,
        |c| c.rope_scaling = RopeScaling::Linear { factor: "2.5".parse().unwrap() },
    ];
    let mut all: Vec<Config> = changes
        .into_iter()
        .map(|change| {
            let mut config = Config::NANO;
            change(&mut config);
            config
        })
        .collect();
    assert_eq!(all[3].rope_scaling, linear);
    all.extend([deviating(), deviating().untied(), Config::NANO]);
    let mut digests = std::collections::BTreeSet::new();
    for config in all {
        for text in [config.to_json(), config.to_hugging_face()] {
            assert_eq!(Config::from_json(&text), Ok(config.clone()), "{text}");
        }
        assert!(digests.insert(config.digest()));
    }
    let canonical = r#"{
  "architectures": ["Qwen2ForCausalLM"],
  "attention_dropout": 0.0,
  "head_dim": 8,
  "hidden_act": "silu",
  "hidden_size": 16,
  "intermediate_size": 44,
  "max_position_embeddings": 16,
  "model_type": "qwen2",
  "num_attention_heads": 4,
  "num_hidden_layers": 1,
  "num_key_value_heads": 1,
  "rms_norm_eps": 1e-5,
  "rope_scaling": {"factor": 8.0, "high_freq_factor": 45e-1, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
  "rope_theta": 1e4,
  "tie_word_embeddings": true,
  "torch_dtype": "float32",
  "vocab_size": 256
}
"#;
    assert_eq!(deviating().to_json(), canonical);
}

/// Identities of runs and chains contain them.
#[test]
fn digests_of_the_usual_shapes_never_change() {
    let hex = |config: &Config| config.digest().iter().map(|b| format!("{b:02x}")).collect::<String>();
    for (config, pin) in [
        (Config::NANO, "399dcc7d36da369219bd4ca911462e9eed42067ea3662e6128734ca2ece6109a"),
        (Config::MICRO.untied(), "6e1f6f5eafa37966af7d2712781bb4d8f7debbd3b22e01e97a41434145f355e6"),
        (deviating(), "7109cd8f39d0cb4082e2693431268895ab9c5c81714ff99530f4250d65fec59b"),
    ] {
        assert_eq!(hex(&config), pin);
    }
    // One shape, said in two ways.
    let mut said = Config::NANO;
    (said.kv_heads, said.head_dim) = (Some(2), Some(8));
    assert_eq!((said.digest(), said.to_json()), (Config::NANO.digest(), Config::NANO.to_json()));
    assert_eq!(Config::from_json(&said.to_json()), Ok(Config::NANO));
}

/// `config.json` of `Qwen/Qwen2-0.5B`, of a size that is supported.
#[test]
fn a_published_qwen2_is_read() {
    let text = r#"{"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
        "eos_token_id": 151643, "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.02,
        "intermediate_size": 44, "max_position_embeddings": 16, "max_window_layers": 24, "model_type": "qwen2",
        "num_attention_heads": 2, "num_hidden_layers": 1, "num_key_value_heads": 1, "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0, "sliding_window": 131072, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
        "transformers_version": "4.40.1", "use_cache": true, "use_sliding_window": false, "vocab_size": 256}"#;
    let mut config = Config::NANO;
    (config.kv_heads, config.biased) = (Some(1), true);
    assert_eq!(Config::from_json(text), Ok(config.clone()));
    // The architecture alone tells as well, and the two agree.
    assert_eq!(Config::from_json(&text.replace("\"model_type\": \"qwen2\",", "")), Ok(config));
    for (from, to, name) in [
        ("\"qwen2\"", "\"llama\"", "architectures"),
        ("Qwen2ForCausalLM", "LlamaForCausalLM", "architectures"),
        ("\"use_sliding_window\": false", "\"use_sliding_window\": true", "use_sliding_window"),
        ("\"use_cache\": true", "\"attention_bias\": false", "attention_bias"),
        ("\"use_cache\": true", "\"mlp_bias\": true", "mlp_bias"),
        ("\"use_cache\": true", "\"use_mrope\": true", "use_mrope"),
    ] {
        match Config::from_json(&text.replace(from, to)) {
            Err(ConfigError::Unsupported { key, .. }) => assert_eq!(key, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(
        Config::from_json(&text.replace("\"num_key_value_heads\": 1,", "")),
        Err(ConfigError::Missing("num_key_value_heads"))
    );
}

/// What `to_json_string(use_diff=False)` of a `Qwen2Config` of transformers 5.24 gives.
#[test]
fn a_full_dump_of_a_qwen2_is_read() {
    let dump = r#"{"_name_or_path": "", "architectures": null, "attention_dropout": 0.0, "bos_token_id": null,
        "chunk_size_feed_forward": 0, "dtype": null, "eos_token_id": null, "hidden_act": "silu", "hidden_size": 16,
        "id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "initializer_range": 0.02, "intermediate_size": 44,
        "is_encoder_decoder": false, "label2id": {"LABEL_0": 0, "LABEL_1": 1}, "layer_types": ["full_attention"],
        "max_position_embeddings": 16, "max_window_layers": 28, "model_type": "qwen2", "num_attention_heads": 2,
        "num_hidden_layers": 1, "num_key_value_heads": 1, "output_attentions": false, "output_hidden_states": false,
        "pad_token_id": null, "problem_type": null, "return_dict": true, "rms_norm_eps": 1e-05,
        "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}, "sliding_window": null,
        "tie_word_embeddings": true, "transformers_version": "5.24.0", "use_cache": true, "use_sliding_window": false,
        "vocab_size": 256}"#;
    let mut config = Config::NANO;
    (config.kv_heads, config.biased) = (Some(1), true);
    assert_eq!(Config::from_json(dump), Ok(config));
}

/// Both ways in which the library writes them, and what it wrote before either.
#[test]
fn scaled_angles_are_read_from_either_key() {
    let llama3 =
        r#""factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.5, "original_max_position_embeddings": 8192"#;
    for (parameters, scaling) in [
        (format!(r#""rope_type": "llama3", {llama3}"#), deviating().rope_scaling),
        (r#""type": "linear", "factor": 2.5"#.to_owned(), RopeScaling::Linear { factor: "2.5".parse().unwrap() }),
        (
            r#""type": "linear", "rope_type": "linear", "factor": 25e-1"#.to_owned(),
            RopeScaling::Linear { factor: "2.5".parse().unwrap() },
        ),
    ] {
        let expected = Config { rope_scaling: scaling, ..Config::NANO };
        let older = change("\"rope_scaling\": null", &format!("\"rope_scaling\": {{{parameters}}}"));
        assert_eq!(older, Ok(expected.clone()));
        let newer = format!("\"rope_parameters\": {{{parameters}, \"rope_theta\": 10000.0}}");
        assert_eq!(change("\"rope_scaling\": null", &newer), Ok(expected.clone()));
        let both = format!("\"rope_scaling\": {{{parameters}}}, {newer}");
        assert_eq!(change("\"rope_scaling\": null", &both), Ok(expected));
    }
}

#[test]
fn shapes_that_make_no_attention_are_refused_by_name() {
    let named = |from: &str, to: &str, name: &str| {
        let error = change(from, to).unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}`")), "{name}: {error}");
    };
    let (heads, kv_heads, head_dim) = ("\"num_attention_heads\": 2", "\"num_key_value_heads\": 2", "\"head_dim\": 8");
    for value in [0, 3, 4, 513] {
        named(kv_heads, &format!("\"num_key_value_heads\": {value}"), "num_key_value_heads");
    }
    for value in [0, 1, 7, 10, 516] {
        named(head_dim, &format!("\"head_dim\": {value}"), "head_dim");
    }
    named(heads, "\"num_attention_heads\": 256", "head_dim");
    // Without a head size, the hidden size must be shared evenly; with one it need not be.
    let without = |heads: usize| {
        let text =
            Config::NANO.to_json().replace("  \"head_dim\": 8,\n", "").replace("  \"num_key_value_heads\": 2,\n", "");
        Config::from_json(&text.replace("\"num_attention_heads\": 2", &format!("\"num_attention_heads\": {heads}")))
    };
    assert_eq!(without(2), Ok(Config::NANO));
    assert_eq!(without(3), Err(ConfigError::Heads { hidden: 16, heads: 3 }));
    assert!(matches!(without(8), Err(ConfigError::MultipleOf4 { key: "head_dim", value: 2 })));
    assert!(change(heads, "\"num_attention_heads\": 6").is_ok_and(|config| config.features() == 48));
    assert_eq!(change("\"attention_bias\": false", "\"attention_bias\": true"), Err(ConfigError::OutputBias));
    named("\"attention_bias\": false", "\"attention_bias\": true", "attention_bias");
}

#[test]
fn parameters_of_scaled_angles_are_refused_by_name() {
    let llama3 = [
        ("factor", "8"),
        ("low_freq_factor", "1"),
        ("high_freq_factor", "4"),
        ("original_max_position_embeddings", "64"),
    ];
    let read = |changed: &[(&str, &str)]| {
        let of = |(key, value): &(&str, &str)| {
            let value = changed.iter().find(|(other, _)| other == key).map_or(*value, |(_, value)| value);
            (!value.is_empty()).then(|| format!("\"{key}\": {value}, "))
        };
        let keys: String = llama3.iter().filter_map(of).collect();
        change("\"rope_scaling\": null", &format!("\"rope_scaling\": {{{keys}\"rope_type\": \"llama3\"}}"))
    };
    assert!(read(&[]).is_ok());
    for (key, _) in llama3 {
        assert_eq!(read(&[(key, "")]), Err(ConfigError::Missing(key)));
        assert!(matches!(read(&[(key, "null")]), Err(ConfigError::Missing(name)) if name == key));
        let error = read(&[(key, "\"8\"")]).unwrap_err();
        assert!(error.to_string().contains(&format!("`{key}`")), "{error}");
    }
    for (key, value) in [
        ("factor", "0.99"),
        ("factor", "1000000.5"),
        ("low_freq_factor", "0"),
        ("low_freq_factor", "4"),
        ("high_freq_factor", "1e7"),
        ("high_freq_factor", "1"),
        ("original_max_position_embeddings", "0"),
        ("original_max_position_embeddings", "16777217"),
    ] {
        let error = read(&[(key, value)]).unwrap_err();
        let name = if (key, value) == ("high_freq_factor", "1") { "low_freq_factor" } else { key };
        assert!(
            matches!(error, ConfigError::Scaling(_)) && error.to_string().contains(&format!("`rope_scaling.{name}`")),
            "{error}"
        );
    }
    assert!(matches!(
        read(&[("original_max_position_embeddings", "64.5")]),
        Err(ConfigError::Type { key: "original_max_position_embeddings", .. })
    ));
}
