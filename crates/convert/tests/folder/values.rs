//! What the weights of a folder are, next to those of its source.

use std::collections::BTreeMap;

use convert::{ConvertError, Output, Source};
use format::layout::unpack_rows;
use format::{FormatError, Quant, RowReader, TensorName, TokenizerFile, dequantize};
use safetensors::SafeTensors;

use crate::models::{Model, gguf, tiny_hub};
use crate::{converted, open, options, run};

/// Every tensor's values, read as devices read them.
pub(crate) fn values(model: &Model) -> BTreeMap<TensorName, Vec<f32>> {
    let mut reader = RowReader::new(&model.checkpoint);
    let mut values: BTreeMap<TensorName, Vec<f32>> = BTreeMap::new();
    while let Some(span) = reader.wants() {
        let mut bytes = Vec::new();
        // An odd number, so that pieces end inside of rows.
        let end = span.offset + span.len.min(9973);
        model.source.read(span.file, span.offset..end, &mut bytes).unwrap();
        reader
            .push::<FormatError>(span.file, span.offset, &bytes, &mut |rows| {
                let values = values.entry(rows.tensor.name).or_default();
                assert_eq!(values.len(), rows.first_row * rows.tensor.columns);
                match rows.laid {
                    Some(laid) => {
                        values.extend(unpack_rows(laid.dtype, rows.tensor.columns, laid.words, laid.scales))
                    }
                    None => dequantize(rows.tensor.dtype, rows.bytes, values)?,
                }
                Ok(())
            })
            .unwrap();
    }
    reader.finish().unwrap();
    values
}

/// That a folder without --quant has the values of its source, all that is said beside them, and no shard too large.
#[track_caller]
fn check(model: &Model, shard_size: u64) {
    let (output, report) = converted(model, &options(None, shard_size));
    let (folder, manifest) = open(&output);
    // Shards are filled up: what each leaves free is less than a tile, and headers take little.
    let least = report.weight_bytes.div_ceil(shard_size) as usize;
    assert!((least..=least + 2).contains(&report.shards), "{} shards, at least {least}", report.shards);
    assert_eq!(manifest.weights().count(), report.shards);
    for file in manifest.weights() {
        assert!(file.size <= shard_size, "{} has {} bytes", file.name, file.size);
        // The library that everyone reads them with takes them, too.
        let bytes = output.read(&file.name).unwrap().unwrap();
        assert!(!SafeTensors::deserialize(&bytes).unwrap().is_empty(), "{}", file.name);
    }
    assert!(folder.checkpoint.in_one_pass());
    let (expected, got) = (values(model), values(&folder));
    assert_eq!(got.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, expected) in &expected {
        for (index, (got, expected)) in got[name].iter().zip(expected).enumerate() {
            assert_eq!(got, expected, "{name}: weight {index}");
        }
        assert_eq!(got[name].len(), expected.len(), "{name}");
    }
    let (source, folder) = (&model.checkpoint, &folder.checkpoint);
    assert_eq!(folder.config, source.config);
    assert_eq!((&folder.name, &folder.chat_template), (&source.name, &source.chat_template));
    assert_eq!((&folder.tokenizer, &folder.generation), (&source.tokenizer, &source.generation));
    assert_eq!(folder.built_with_llama(), source.built_with_llama());
    assert!(report.tensors.iter().all(|tensor| tensor.loss.is_none()));
}

#[test]
fn types_are_kept_to_the_last_bit_whatever_the_shards() {
    check(&tiny_hub(), 16 << 20);
    check(&tiny_hub(), 100_000);
    for name in ["tiny-basic-quants", "tiny-mixed-quants"] {
        let model = gguf(name);
        assert!(matches!(model.checkpoint.tokenizer, TokenizerFile::Gguf(_)));
        check(&model, 16 << 20);
    }
    check(&gguf("tiny-basic-quants"), 100_000);
    check(&gguf("tiny-mixed-quants"), 300_000);
}

/// Types, bits and the loss of each --quant. The goldens' weights are Gaussian, for which the losses of ggml's types are
/// known: 4 bits lose some 8 %, 6 bits 2 %, 8 bits half a percent, halves a 5,000th.
#[test]
fn each_quantization_loses_what_it_should() {
    let rows = [
        (Quant::Q4, ["Q4", "Q8"], 0.04..0.10),
        (Quant::Q4M, ["Q4M", "Q8"], 0.04..0.09),
        (Quant::Q6, ["Q8", "Q8"], 0.002..0.01),
        (Quant::Q8, ["Q8", "Q8"], 0.002..0.01),
        (Quant::F16, ["F16", "F16"], 0.0..0.0005),
    ];
    // 128 columns are no super-block: what would be Q6 becomes Q8. The MLP's 448 aren't one, either.
    let model = tiny_hub();
    let expected = values(&model);
    for (quant, [inner, outer], losses) in rows {
        let (output, report) = converted(&model, &options(Some(quant), 200_000));
        let got = values(&open(&output).0);
        for tensor in &report.tensors {
            let Some((name, expected)) = expected.iter().find(|(name, _)| name.to_string() == tensor.name)
            else {
                unreachable!("{} is none of the model's", tensor.name)
            };
            let is_outer = matches!(name, TensorName::EmbedTokens | TensorName::LmHead);
            let wanted = if tensor.from == "BF16" && tensor.to == "F32" {
                "F32"
            } else if is_outer {
                outer
            } else {
                inner
            };
            assert_eq!(tensor.to, wanted, "{quant:?}: {name}");
            let squares = |of: &dyn Fn(usize) -> f64| (0..expected.len()).map(|i| of(i).powi(2)).sum::<f64>();
            let error = squares(&|i| f64::from(got[name][i]) - f64::from(expected[i]));
            let loss = (error / squares(&|i| f64::from(expected[i]))).sqrt();
            match tensor.loss {
                None => assert_eq!(loss, 0.0, "{quant:?}: {name}"),
                Some(reported) => {
                    assert!((reported - loss).abs() < 1e-6, "{quant:?}: {name}: {loss}, reported {reported}");
                    let is_inner = !is_outer && tensor.to == inner;
                    assert!(!is_inner || losses.contains(&loss), "{quant:?}: {name}: {loss}");
                }
            }
        }
    }
}

/// 256 columns are a super-block.
#[test]
fn rows_of_256_columns_take_six_bits() {
    let model = gguf("tiny-basic-quants");
    assert_eq!(model.checkpoint.config.hidden_size, 256);
    for (quant, expected) in [(Quant::Q4, "Q6"), (Quant::Q4M, "Q6"), (Quant::Q6, "Q6"), (Quant::Q8, "Q8")] {
        let (_, report) = converted(&model, &options(Some(quant), 16 << 20));
        let embeddings = report.tensors.iter().find(|tensor| tensor.name.contains("embed_tokens")).unwrap();
        assert_eq!(embeddings.to, expected, "{quant:?}");
    }
}

/// A folder of ours is a source as any other: kept word by word, or quantized.
#[test]
fn a_folder_becomes_a_folder() {
    let model = gguf("tiny-mixed-quants");
    let (first, _) = converted(&model, &options(None, 16 << 20));
    let (first, _) = open(&first);
    let (second, report) = converted(&first, &options(None, 250_000));
    assert!(report.shards > 5 && report.tensors.iter().all(|tensor| tensor.loss.is_none()));
    assert_eq!(values(&open(&second).0), values(&model));
    // By way of a folder or not, the same comes out; zeros may lose their sign. (Not so Q8, in which IQ4_NL's lie.)
    let [direct, by_way] = [&model, &first].map(|model| {
        let (output, report) = converted(model, &options(Some(Quant::Q4M), 16 << 20));
        assert!(report.tensors.iter().any(|tensor| tensor.loss.is_some()));
        values(&open(&output).0)
    });
    for (name, direct) in &direct {
        let differ = direct.iter().zip(&by_way[name]).enumerate().find(|(_, (a, b))| a != b);
        assert_eq!(differ, None, "{name}: {:?}", model.checkpoint.tensor(*name).unwrap().dtype);
    }
}

#[test]
fn what_cannot_be() {
    let mut model = tiny_hub();
    let too_small = run(&model, &convert::MemoryOutput::new(), &options(None, 2000)).unwrap_err();
    assert!(too_small.to_string().contains("Shards of 2000 bytes are too small"), "{too_small}");
    // An infinity in the middle of the second file, which no quantized block holds; as it is, it is kept.
    let tensor = model.checkpoint.tensor(TensorName::LmHead).unwrap().stored.spans()[0];
    let at = (tensor.offset + 2000) as usize;
    model.source.0[tensor.file][at..at + 2].copy_from_slice(&[0x80, 0x7f]);
    let error = run(&model, &convert::MemoryOutput::new(), &options(Some(Quant::Q8), 1 << 20)).unwrap_err();
    let ConvertError::Tensor { tensor, to, .. } = &error else { unreachable!("{error}") };
    assert_eq!((tensor.as_str(), to.as_str()), ("lm_head.weight", "Q8_0"));
    assert!(error.to_string().contains("found inf"), "{error}");
    run(&model, &convert::MemoryOutput::new(), &options(None, 1 << 20)).unwrap();
    // A source that has become shorter.
    model.source.0[1].truncate(500_000);
    let error = run(&model, &convert::MemoryOutput::new(), &options(None, 1 << 20)).unwrap_err();
    assert!(error.to_string().starts_with("The source can't be read: file 1 ends before byte"), "{error}");
}
