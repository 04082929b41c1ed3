//! Each command's output, for people and as JSON.

use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::run::{MODEL, Scratch, fields, ids, pronk, pronk_reading};

/// Its logits lie close together, so that every setting matters.
const MIXED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-mixed-quants.gguf");

const HUB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama-3.1");

const REFERENCE: [&str; 2] = ["--device", "reference"];

#[test]
fn inspect_reports_what_the_header_says() {
    let report = pronk(&["inspect", MODEL, "--json"]).json();
    // Every figure as gguf-py reports it.
    let rows = [
        ("/name", json!("tiny mixed quants")),
        ("/file", json!(MODEL)),
        ("/bytes", json!(1_618_528)),
        ("/gguf_version", json!(3)),
        ("/licence", Value::Null),
        ("/built_with_llama", json!(false)),
        ("/parameters", json!(1_708_288)),
        ("/quantization", json!("Q4_0")),
        ("/config/num_key_value_heads", json!(2)),
        ("/config/max_position_embeddings", json!(131_072)),
        ("/config/rms_norm_eps", json!(1e-5)),
        ("/config/tie_word_embeddings", json!(true)),
        // The 330 rows of the Q8_0 embeddings become 332: 2 more of 272 bytes. The CPU keeps the 32 factors of RoPE.
        ("/memory/weights", json!(1_610_016 + 544 - 128)),
        ("/memory/quant", Value::Null),
        // 3 layers, keys and values, 2 heads of 64, 2 bytes.
        ("/memory/kv_bytes_per_token/f16", json!(3 * 2 * 2 * 64 * 2)),
        ("/memory/kv_bytes_per_token/f32", json!(3 * 2 * 2 * 64 * 4)),
        // A byte each, and 4 for 32 of them.
        ("/memory/kv_bytes_per_token/i8", json!(3 * 2 * 2 * (64 + 2 * 4))),
        ("/memory/contexts/0/context", json!(4096)),
        ("/memory/contexts/0/kv_cache/f16", json!(1536 * 4096)),
        ("/memory/contexts/3/context", json!(131_072)),
        ("/memory/contexts/3/total/f32", json!(1_610_432 + 3072 * 131_072)),
        ("/memory/longest_context", Value::Null),
        ("/tokenizer/pre", json!("llama-bpe")),
        ("/tokenizer/tokens", json!(330)),
        ("/tokenizer/bos_token_id", json!(261)),
        ("/tokenizer/add_bos_token", json!(true)),
        ("/metadata/llama.rope.freq_base", json!(500_000.0)),
        ("/metadata/tokenizer.ggml.tokens", json!("an array of 330 strings")),
        (
            "/tensors/0",
            json!({"name": "rope_freqs.weight", "dtype": "F32", "shape": [1, 32], "offset": 8512, "bytes": 128}),
        ),
    ];
    for (path, expected) in rows {
        assert_eq!(report.pointer(path), Some(&expected), "{path}");
    }
    assert_eq!(report["tensors"].as_array().unwrap().len(), 30);
    assert!(report["chat_template"].as_str().unwrap().starts_with("{{ '<|begin_of_text|>' }}"));
}

#[test]
fn inspect_tells_a_person() {
    let text = pronk(&["inspect", MODEL]).text().to_owned();
    for line in [
        "  parameters   1,708,288, most of them as Q4_0",
        "  context      131,072 tokens",
        "  memory       1.61 MB of weights; beside them, keys and values by tokens of context:",
        "                        4,096     3.54 MB     6.29 MB    12.58 MB",
        "  llama.block_count = 3 as u32",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in:\n{text}");
    }
    let q_proj = text.lines().find(|line| line.contains("model.layers.*.self_attn.q_proj.weight")).unwrap();
    assert!(q_proj.contains("3 x Q4_0 [256, 256]") && q_proj.ends_with("from byte 99424"), "{q_proj}");
}

/// From `generation_config.json`; and of a folder without a tokenizer nothing is told of one.
#[test]
fn inspect_tells_how_tokens_are_to_be_drawn() {
    let scratch = Scratch::new();
    for entry in std::fs::read_dir(HUB).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), scratch.path().join(entry.file_name())).unwrap();
    }
    scratch.file("generation_config.json", r#"{"do_sample": true, "temperature": 0.6, "top_k": 50}"#);
    let folder = scratch.path().to_str().unwrap();
    let text = pronk(&["inspect", folder]).text().to_owned();
    assert!(text.contains("\n  sampling     do_sample true, temperature 0.6, top_k 50\n"), "{text}");
    assert!(!text.contains("  tokenizer"), "{text}");
    let expected = json!({"do_sample": true, "temperature": 0.6, "top_k": 50, "top_p": null, "repetition_penalty": null});
    assert_eq!(pronk(&["inspect", folder, "--json"]).json()["sampling"], expected);
    assert!(!pronk(&["inspect", MODEL]).text().contains("  sampling"));
}

#[test]
fn inspect_tells_what_a_quantized_load_would_take() {
    let report = pronk(&["inspect", MODEL, "--json", "--quant", "q8", "--gpu"]).json();
    let memory = &report["memory"];
    assert_eq!(memory["quant"], "q8");
    // 32 weights take 34 bytes and a word of scale's padding at most; the vectors stay floats.
    let weights = memory["weights"].as_u64().unwrap();
    let least = 1_708_288 / 32 * 34;
    assert!((least..least * 102 / 100).contains(&weights), "{weights}, at least {least}");
    assert_eq!(report["quantization"], "Q4_0", "what the file holds stays");
    // Every device binds as much as these small heads need.
    assert_eq!(memory["longest_context"], json!({"i8": 131_072, "f16": 131_072, "f32": 131_072}));
}

#[test]
fn tokenize_takes_text_as_text_unless_told() {
    let rows: [(&[&str], &[u32]); 4] = [
        // The tiny vocabulary has a token for each byte; control tokens come after them.
        (&["--text", "<|eot_id|>"], &[60, 124, 101, 111, 116, 95, 105, 100, 124, 62]),
        (&["--text", "a<|eot_id|>", "--parse-special"], &[97, 265]),
        (&["--text", "--json"], &[45, 45, 106, 115, 111, 110]),
        (&["--text", ""], &[]),
    ];
    for (arguments, expected) in rows {
        let answer = pronk(&[&["tokenize", MODEL, "--json"], arguments].concat()).json();
        assert_eq!(fields(&answer), ["ids"]);
        assert_eq!(ids(&answer["ids"]), expected, "{arguments:?}");
    }
    assert_eq!(
        pronk(&["tokenize", MODEL, "--text", "a b"]).text(),
        "     97  \"a\"\n     32  \" \"\n     98  \"b\"\n"
    );
}

#[test]
fn render_gives_text_and_ids() {
    let scratch = Scratch::new();
    let messages = r#"[{"role": "user", "content": "a<|eot_id|>"}]"#;
    let file = scratch.file("messages.json", messages);
    let answer = pronk(&["render", MODEL, "--messages", &file, "--json"]).json();
    assert_eq!(fields(&answer), ["text", "ids"]);
    let text = answer["text"].as_str().unwrap();
    assert!(text.starts_with("<|begin_of_text|>") && text.contains("a<|eot_id|>"), "{text}");
    let found = ids(&answer["ids"]);
    // The template closes the message with one; the one that was typed is text.
    assert_eq!(found.iter().filter(|id| **id == 265).count(), 1, "{found:?}");
    assert_eq!(pronk_reading(messages, &["render", MODEL, "--messages", "-"]).text(), text);
}

/// A prompt is ordinary text behind `bos`, and a conversation goes through the template: as ids they are the same.
#[test]
fn generate_takes_text_messages_or_ids() {
    let messages = r#"[{"role": "user", "content": "a"}]"#;
    let rendered = pronk_reading(messages, &["render", MODEL, "--messages", "-", "--json"]).json();
    let rendered = crate::run::list(&ids(&rendered["ids"]));
    let rows = [
        (["--prompt", "a<|eot_id|>"], "", "261,97,60,124,101,111,116,95,105,100,124,62"),
        (["--messages", "-"], messages, rendered.as_str()),
    ];
    for (ask, stdin, ids) in rows {
        let rest = ["--max-tokens", "4", "--json", "--device", "reference"];
        let expected = pronk(&[&["generate", MODEL, "--ids", ids], rest.as_slice()].concat()).json();
        assert_eq!(expected["ids"].as_array().unwrap().len(), 4);
        let answer = pronk_reading(stdin, &[&["generate", MODEL], ask.as_slice(), &rest].concat());
        assert_eq!(answer.json(), expected, "{ask:?}");
    }
}

#[test]
fn generate_streams_the_text_of_its_json() {
    let arguments = ["generate", MODEL, "--prompt", "Hello", "--max-tokens", "6", "--kernels", "plain"];
    let answer = pronk(&[arguments.as_slice(), &["--json"]].concat()).json();
    let text = answer["text"].as_str().unwrap();
    assert_eq!(pronk(&arguments).text(), format!("{text}\n"));
    let none = pronk(
        &[&["generate", MODEL, "--ids", "1", "--max-tokens", "0", "--json"], REFERENCE.as_slice()].concat(),
    );
    assert_eq!(none.text(), "{\"ids\":[],\"text\":\"\"}\n");
}

#[test]
fn generate_draws_as_it_is_told_and_tells_what_it_drew_by() {
    let ask = ["generate", MIXED, "--ids", "40,41,42", "--max-tokens", "8", "--kv", "f32"];
    let generate = |more: &[&str]| pronk(&[ask.as_slice(), &["--json"], more].concat());
    let greedy = generate(&REFERENCE).json();
    assert_eq!(fields(&greedy), ["ids", "text"]);
    assert_eq!(generate(&["--greedy"]).json(), greedy);
    assert_eq!(generate(&["--temperature", "0", "--top-k", "5", "--seed", "3"]).json(), greedy);

    let settings = ["--temperature", "1.5", "--top-k", "100", "--top-p", "0.99", "--min-p", "0.001"];
    let drawn = generate(&settings).json();
    assert_eq!(fields(&drawn), ["ids", "text", "seed"]);
    let seed = drawn["seed"].to_string();
    for device in [["--kernels", "plain"], ["--kernels", "subgroups"], REFERENCE] {
        let again = generate(&[&settings, ["--seed", &seed].as_slice(), &device].concat()).json();
        assert_eq!(again, drawn, "{device:?}");
    }
    // A bias of 100 leaves no other choice, and a penalty none of what was there.
    let biased = generate(&["--logit-bias", "77=100", "--logit-bias", "9=-1.5"]).json();
    assert_eq!(ids(&biased["ids"]), [77; 8]);
    let penalties = ["--presence-penalty", "2", "--repetition-penalty", "10", "--penalty-window", "20"];
    let mut penalized = ids(&generate(&penalties).json()["ids"]);
    penalized.sort_unstable();
    penalized.dedup();
    assert_eq!(penalized.len(), 8, "{penalized:?}");

    let told = generate(&["--logprobs", "2"]).json();
    assert_eq!(told["ids"], greedy["ids"]);
    let first = &told["logprobs"][0];
    assert_eq!((&first["chosen"], &first["chosen"]["id"]), (&first["top"][0], &greedy["ids"][0]));
    assert_eq!(first["top"].as_array().unwrap().len(), 2);
    let streamed = pronk(&[ask.as_slice(), &["--logprobs", "2"]].concat());
    let lines: Vec<Value> = streamed.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::from(lines), told["logprobs"]);
}

/// `pronk … | head` ends quietly, and soon: a thousand tokens take far longer than one line.
#[test]
fn a_reader_may_leave() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pronk"))
        .args(["generate", MODEL, "--prompt", "a", "--max-tokens", "100000", "--context", "100100"])
        .args(REFERENCE)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn chat_takes_a_message_a_line() {
    let lines = "a\n\n/stats\n/new\na\n/quit\nb\n";
    let chat = pronk_reading(lines, &["chat", MODEL, "--max-tokens", "3", "--kernels", "plain"]);
    assert_eq!(chat.code, Some(0), "{chat:?}");
    // Two answers to the same question in new chats, and none to what comes behind /quit.
    let half = chat.stdout.len() / 2;
    assert_eq!(chat.stdout[..half], chat.stdout[half..], "{chat:?}");
    assert!(chat.stderr.contains("3 tokens at"), "{chat:?}");

    // The tiny model calls no tool, and its template tells it of none.
    let scratch = Scratch::new();
    let tools = scratch.file("tools.json", r#"[{"type": "function", "function": {"name": "f"}}]"#);
    let arguments = ["chat", MODEL, "--max-tokens", "3", "--kernels", "plain", "--tools"];
    let with_tools = pronk_reading(lines, &[arguments.as_slice(), &[&tools]].concat());
    assert_eq!((with_tools.code, with_tools.stdout), (Some(0), chat.stdout));
    pronk(&[arguments.as_slice(), &["/no/such/file"]].concat()).failed_with("/no/such/file can't be read");
}

#[test]
fn bench_prints_rows_for_xtask() {
    let arguments = ["bench", MODEL, "--prompt-tokens", "20", "--decode-tokens", "4", "--json"];
    let bench = pronk(&[arguments.as_slice(), &["--kernels", "subgroups"]].concat());
    assert_eq!(bench.code, Some(0), "{bench:?}");
    let rows: Value = serde_json::from_str(&bench.stdout).unwrap();
    let row = |name: &str| rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
    for name in ["load", "prefill", "decode", "written a token", "memory on the device"] {
        assert!(row(name)["value"].as_f64().unwrap() > 0.0, "{name}: {rows}");
    }
    for (name, exactly) in
        [("submits a token", 1.0), ("read back a token", 4.0), ("objects created a token", 0.0)]
    {
        assert_eq!((&row(name)["value"], &row(name)["wanted"]), (&json!(exactly), &json!(exactly)), "{name}");
    }
    if cfg!(target_os = "linux") {
        let held = row("held beside the GPU's buffers, loading");
        let [value, wanted] = ["value", "wanted"].map(|key| held[key].as_f64().unwrap());
        assert!(value > 1.0 && value <= wanted, "{held}");
    }
    assert_eq!(fields(row("decode")), ["name", "value", "unit", "least", "most"]);
    assert_eq!(row("decode")["unit"], "tok/s");

    // Every product of whole numbers is preceded by a rounding: 4 in each of 3 layers, and the head's. One of each layer's puts
    // splits of attention together, which takes floats a dispatch more.
    let dispatches = |kernels| {
        let bench = pronk(&[arguments.as_slice(), &["--kernels", kernels]].concat());
        let rows: Value = serde_json::from_str(&bench.stdout).unwrap();
        let row = rows.as_array().unwrap().iter().find(|row| row["name"] == "dispatches a token").unwrap();
        ["value", "wanted"].map(|key| row[key].as_f64().unwrap())
    };
    let (floats, bytes) = (dispatches("plain"), dispatches("int8"));
    assert_eq!([bytes[0] - floats[0], bytes[1] - floats[1]], [10.0, 10.0], "{floats:?} {bytes:?}");

    let reference = pronk(&[arguments.as_slice(), &REFERENCE].concat());
    let rows: Value = serde_json::from_str(&reference.stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3, "the reference has no GPU to count on: {reference:?}");
}

#[test]
fn bench_tries_kernels_when_asked_and_takes_those_that_were_named() {
    let arguments = [
        "bench",
        MODEL,
        "--tune",
        "--prompt-tokens",
        "4",
        "--decode-tokens",
        "2",
        "--runs",
        "1",
        "--no-cache",
    ];
    let bench = pronk(&arguments);
    let text = &bench.stdout;
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(" µs a token and layer")).collect();
    let (alone, many) = lines.split_at(3);
    for (lines, first) in [(alone, "without subgroups"), (many, "64 tokens, in floats")] {
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines.iter().filter(|line| line.ends_with("<- chosen")).count(), 1, "{text}");
        assert!(lines[0].contains(first) && lines[0].contains("compared with"), "{text}");
        assert!(lines[1..].iter().all(|line| line.contains("right, off by")), "{text}");
    }

    let dispatches = |kernels: &str| {
        let bench = pronk(&[arguments.as_slice(), &["--json", "--kernels", kernels]].concat());
        let rows: Value = serde_json::from_str(&bench.stdout).unwrap();
        let rows = rows.as_array().unwrap();
        let layers = rows.iter().filter(|row| row["name"].as_str().unwrap().starts_with("a layer, ")).count();
        assert_eq!(layers, 3, "{bench:?}");
        rows.iter().find(|row| row["name"] == "dispatches a token").unwrap()["value"].as_f64().unwrap()
    };
    // The roundings show which of them run, less the dispatches that put splits of attention together.
    assert_eq!(dispatches("int8") - dispatches("plain"), 10.0);
}

#[test]
fn perplexity_is_the_same_on_every_device_and_nothing_is_lost_against_itself() {
    let scratch = Scratch::new();
    let text = "The quick brown fox jumps over the lazy dog, and then it rests. ".repeat(4);
    let file = scratch.file("text.txt", text.as_bytes());
    let ask = ["perplexity", MODEL, &file, "--window", "64", "--json"];
    let reference = pronk(&[ask.as_slice(), &REFERENCE].concat()).json();
    let gpu = pronk(&[ask.as_slice(), &["--against", MODEL]].concat()).json();
    let number = |report: &Value, path: &str| report.pointer(path).and_then(Value::as_f64).unwrap();
    assert!(number(&reference, "/perplexity") > 1.0 && reference.get("against").is_none(), "{reference}");
    // The second halves of three whole windows.
    assert_eq!((&reference["tokens"], &gpu["tokens"]), (&json!(96), &json!(96)));
    let ratio = number(&gpu, "/perplexity") / number(&reference, "/perplexity");
    assert!((ratio - 1.0).abs() < 1e-4, "{gpu} {reference}");
    assert_eq!(number(&gpu, "/against/mean_kl_divergence"), 0.0);
    assert_eq!(number(&gpu, "/against/same_top"), 1.0);

    pronk(&["perplexity", MODEL, &file, "--window", "1000"]).failed_with("and a window takes 1000");
    pronk(&["perplexity", MODEL, "/no/such/text"]).failed_with("The text /no/such/text can't be read");
}

/// The tiny model's template knows no tools; ChatML's fallback neither. What it is told must reach it all the same.
#[test]
fn render_takes_tools_and_what_else_a_template_may_ask_for() {
    let scratch = Scratch::new();
    let plain = r#"[{"role": "user", "content": "a"}]"#;
    let called = r#"[{"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "tool_calls":
            [{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]},
        {"role": "tool", "content": "c"}]"#;
    let render = |messages: &str, more: &[&str]| {
        let file = scratch.file("messages.json", messages);
        pronk(&[&["render", MODEL, "--messages", &file, "--json"], more].concat())
    };
    let expected = render(plain, &[]).json();
    // The same conversation in an object, and with what the template does not use.
    assert_eq!(render(&format!("{{\"messages\": {plain}}}"), &[]).json(), expected);
    let tools = scratch.file("tools.json", r#"[{"type": "function", "function": {"name": "f"}}]"#);
    assert_eq!(render(plain, &["--tools", &tools, "--date-string", "01 Jan 2025"]).json(), expected);
    // The tool's result is a message too.
    let text = render(called, &[]).json()["text"].as_str().unwrap().to_owned();
    assert!(text.contains('b') && text.contains('c'), "{text}");

    let broken = scratch.file("broken.json", "[{]");
    render(plain, &["--tools", &broken]).failed_with("tools");
    render(plain, &["--tools", "/no/such/file"]).failed_with("/no/such/file can't be read");
    render(r#"{"messages": []}"#, &[]).failed_with("does not hold a JSON list of messages");
}
