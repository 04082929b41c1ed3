"""Writes what transformers.js reads beside the weights, as the demo's GGUF has it: tokenizer and configuration.

Arguments: the GGUF, and the folder. The way of cutting text is SmolLM2's, which the GGUF knows by a name alone.
"""

import json
import pathlib
import sys

from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

CONTROL = 3

reader = GGUFReader(sys.argv[1])
folder = pathlib.Path(sys.argv[2])


def field(name):
    return reader.get_field(name).contents()


def of_model(name):
    return field(f"llama.{name}")


tokens = field("tokenizer.ggml.tokens")
merges = [tuple(merge.split(" ")) for merge in field("tokenizer.ggml.merges")]
assert field("tokenizer.ggml.pre") == "smollm", "The demo is no SmolLM2 any more."

tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
digits = pre_tokenizers.Digits(individual_digits=True)
tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
tokenizer.decoder = decoders.ByteLevel()
types = field("tokenizer.ggml.token_type")
control = [token for token, kind in zip(tokens, types) if kind == CONTROL]
tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in control])
tokenizer.save(str(folder / "tokenizer.json"))


def write(name, content):
    (folder / name).write_text(json.dumps(content, indent=1))


ids = {name: field(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos", "padding")}
write(
    "tokenizer_config.json",
    {
        "tokenizer_class": "GPT2Tokenizer",
        "bos_token": tokens[ids["bos"]],
        "eos_token": tokens[ids["eos"]],
        "pad_token": tokens[ids["padding"]],
        "chat_template": field("tokenizer.chat_template"),
        "clean_up_tokenization_spaces": False,
    },
)
write(
    "generation_config.json",
    {"bos_token_id": ids["bos"], "eos_token_id": ids["eos"], "pad_token_id": ids["padding"]},
)
write(
    "config.json",
    {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": of_model("embedding_length"),
        "intermediate_size": of_model("feed_forward_length"),
        "num_hidden_layers": of_model("block_count"),
        "num_attention_heads": of_model("attention.head_count"),
        "num_key_value_heads": of_model("attention.head_count_kv"),
        "max_position_embeddings": of_model("context_length"),
        "vocab_size": len(tokens),
        "bos_token_id": ids["bos"],
        "eos_token_id": ids["eos"],
        "pad_token_id": ids["padding"],
        "transformers.js_config": {},
    },
)
